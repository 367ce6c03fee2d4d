import Base
import SIP

/// What is kept of one SIP message: where it lies and what a ladder needs, in a few octets.
public struct MessageRecord: Sendable {
    public var place: EvidencePlace
    /// `Instant.nanoseconds`; `unknownTime` where a log tells none.
    public var nanoseconds: Int64
    /// Index into `AnalysisResult.endpoints`; `noEndpoint` where unknown.
    public var source: UInt32
    public var destination: UInt32
    public var sequence: UInt32
    /// 0 for a request.
    public var status: UInt16
    public var method: MessageMethod
    public var marks: MessageMarks
    /// Where the message's bytes lie in its dialog's text; `length` 0 where they are not kept.
    public var offset: UInt32
    public var length: UInt32
    /// The record before in the same dialog, -1 for the first.
    public var previous: Int32

    public static let unknownTime = Int64.min
    public static let noEndpoint = UInt32.max

    public var time: Instant? { nanoseconds == Self.unknownTime ? nil : Instant(nanoseconds: nanoseconds) }
    public var isRequest: Bool { status == 0 }
}

/// A method as one octet.
public enum MessageMethod: UInt8, Hashable, Sendable, CaseIterable {
    case other, invite, ack, bye, cancel, register, options, prack, update, info, message, subscribe, notify, refer, publish

    /// As in a first line; `other` is `?`.
    public var token: String { self == .other ? "?" : String(describing: self).uppercased() }
}

/// What the analysis noticed about a message.
public struct MessageMarks: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Sent again by its sender.
    public static let retransmission = MessageMarks(rawValue: 1)
    /// The capture shows the same packet twice.
    public static let duplicate = MessageMarks(rawValue: 2)
    public static let hasCredentials = MessageMarks(rawValue: 4)
    public static let hasChallenge = MessageMarks(rawValue: 8)
    public static let isStale = MessageMarks(rawValue: 16)
    public static let hasSDP = MessageMarks(rawValue: 32)
    /// Cut off by a snap length, a log or a lost segment.
    public static let cut = MessageMarks(rawValue: 128)
    public static let overStream = MessageMarks(rawValue: 256)
    public static let overTLS = MessageMarks(rawValue: 512)
    public static let overWebSocket = MessageMarks(rawValue: 1_024)
    /// The text lies in the store for accused dialogs.
    static let textKept = MessageMarks(rawValue: 1 << 15)
}

/// What a dialog is about, by its first request.
public enum DialogKind: String, Hashable, Sendable {
    case call, registration, subscription, message, options, other
}

/// How a dialog stands at the end of what was seen.
public enum DialogOutcome: Hashable, Sendable {
    /// Nothing final was seen.
    case open
    /// Set up and not yet ended.
    case established
    /// Set up and ended by BYE.
    case ended
    case cancelled
    /// A 200 to a REGISTER, with the seconds granted.
    case registered(expires: UInt32?)
    case unregistered
    /// Answered as it should be, for OPTIONS, MESSAGE and the like.
    case answered(status: Int)
    case failed(status: Int)
    /// Nobody answered.
    case unanswered
}

/// One Call-ID as one vantage saw it: what a ladder is drawn from.
public struct DialogSummary: Sendable, Identifiable {
    /// Its index in `AnalysisResult.dialogs`.
    public var id: Int
    public var kind: DialogKind
    public var outcome: DialogOutcome
    public var vantage: Vantage
    /// Instants of the first and last message; nil where a log tells no time.
    public var began: Instant?
    public var ended: Instant?
    /// Messages of this dialog; also where they are not kept.
    public var messageCount: Int
    /// The call was linked by CSeq, nonce and order because the messages show no Call-ID.
    public var isLinkedByOrder: Bool
    /// How a call's media are protected; nil where its descriptions do not tell.
    public var protection: MediaProtection?
    /// Last record in `AnalysisResult.records`, -1 for none.
    var lastRecord: Int32
    /// Call-ID, From and To (AOR form) one after another, then the messages if they were kept.
    var text: [UInt8]
    var callIDLength: Int
    var fromLength: Int
    var toLength: Int

    var hasSucceeded: Bool {
        switch outcome {
        case .established, .ended, .registered, .unregistered, .answered: true
        case .open, .cancelled, .failed, .unanswered: false
        }
    }
    var hasFailed: Bool { if case .failed = outcome { true } else { false } }
    public var callID: String { String(decoding: text[0..<callIDLength], as: UTF8.self) }
    /// `user@host` of From.
    public var from: String { String(decoding: text[callIDLength..<(callIDLength + fromLength)], as: UTF8.self) }
    /// `user@host` of To.
    public var to: String {
        let start = callIDLength + fromLength
        return String(decoding: text[start..<(start + toLength)], as: UTF8.self)
    }
}

/// One message of a ladder, in words.
public struct MessageSummary: Hashable, Sendable {
    public var place: EvidencePlace
    public var time: Instant?
    public var source: Endpoint?
    public var destination: Endpoint?
    /// What an end without an address is called.
    public var sourceName: String?
    public var destinationName: String?
    /// As written where the bytes were kept, otherwise method or status alone.
    public var firstLine: String
    public var sequence: UInt32
    public var method: MessageMethod
    public var status: UInt16
    public var marks: MessageMarks
    /// The fields a ladder shows, in the message's order: Via, Contact, Authorization, challenges, Expires, SDP's c= and m=.
    public var fields: [MessageField]

    public var isRequest: Bool { status == 0 }
}

/// A header field or SDP line with its value as written.
public struct MessageField: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
