import Base

/// What is asked (RFC 1035 4.1.2).
public struct DNSQuestion: Hashable, Sendable, CustomStringConvertible {
    public var name: DNSName
    public var type: DNSRecordType
    public var questionClass: UInt16

    public init(_ name: DNSName, _ type: DNSRecordType, class questionClass: UInt16 = 1) {
        self.name = name
        self.type = type
        self.questionClass = questionClass
    }

    public var description: String { "\(type) \(name)" }
}

/// RCODE (RFC 1035 4.1.1); any value of 0...15 can occur.
public struct DNSResponseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue & 15 }

    public static let noError = Self(rawValue: 0)
    public static let formatError = Self(rawValue: 1)
    public static let serverFailure = Self(rawValue: 2)
    /// NXDOMAIN.
    public static let nameError = Self(rawValue: 3)
    public static let notImplemented = Self(rawValue: 4)
    public static let refused = Self(rawValue: 5)

    public var description: String {
        switch self {
        case .noError: "NOERROR"
        case .formatError: "FORMERR"
        case .serverFailure: "SERVFAIL"
        case .nameError: "NXDOMAIN"
        case .notImplemented: "NOTIMP"
        case .refused: "REFUSED"
        default: "RCODE \(rawValue)"
        }
    }
}

/// A DNS message (RFC 1035 4).
public struct DNSMessage: Hashable, Sendable {
    public var id: UInt16
    public var isResponse = false
    /// 0 is a standard query; 4 bits.
    public var opcode: UInt8 = 0
    public var isAuthoritative = false
    public var isTruncated = false
    public var recursionDesired = false
    public var recursionAvailable = false
    public var code = DNSResponseCode.noError
    public var questions: [DNSQuestion] = []
    public var answers: [DNSRecord] = []
    public var authority: [DNSRecord] = []
    public var additional: [DNSRecord] = []

    public init(id: UInt16) { self.id = id }

    /// A query for recursion. `udpSize`: told in an OPT record; nil leaves that out and means 512.
    public static func query(id: UInt16, _ question: DNSQuestion, udpSize: UInt16? = nil) -> DNSMessage {
        var message = DNSMessage(id: id)
        message.recursionDesired = true
        message.questions = [question]
        if let udpSize { message.additional = [.extensions(udpSize: udpSize)] }
        return message
    }

    /// What the sender can take by UDP: its OPT record's word, never below 512.
    public var udpSize: Int {
        for record in additional where record.type == .opt { return max(512, Int(record.recordClass)) }
        return 512
    }
}

/// Why bytes are not a DNS message.
public struct DNSError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case endOfInput
        /// A label type other than plain and pointer.
        case badLabel
        /// More than 255 bytes.
        case nameTooLong
        /// A compression pointer that does not point back to before its own name.
        case badPointer
        case tooManyPointers
        /// More questions and records than are taken.
        case tooManyRecords
        /// The data does not have the shape its type asks for.
        case badData(DNSRecordType)
        case trailingBytes
    }

    public var reason: Reason
    /// Bytes from the start of the message.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let text =
            switch reason {
            case .endOfInput: "the message ends too early"
            case .badLabel: "a label of a kind that does not exist"
            case .nameTooLong: "a name above 255 bytes"
            case .badPointer: "a compression pointer that does not point back"
            case .tooManyPointers: "a name in too many pieces"
            case .tooManyRecords: "more than \(DNSMessage.mostRecords) records"
            case .badData(let type): "\(type) data of the wrong shape"
            case .trailingBytes: "bytes after the last record"
            }
        return "\(text) (byte \(offset))"
    }
}
