/// Why bytes are no session description that can be used, and where (RFC 8866).
public struct SDPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Reason: String, Hashable, Sendable {
        case empty = "nothing is there"
        case tooLarge = "longer than 65,535 bytes"
        case tooManyLines = "more than 2,000 lines"
        case tooManyMedia = "more than 64 media descriptions"
        case notALine = "a line that is not a letter, an equals sign and a value"
        case nul = "a NUL byte"
        case bareCarriageReturn = "a carriage return without a line feed"
        case version = "the description does not start with v=0"
        case origin = "o= does not hold user, session, version, network, address type and address"
        case connection = "c= does not hold network, address type and address"
        case address = "an address that is none of its type"
        case mediaLine = "m= does not hold media, port, protocol and a format"
        case port = "a port that is no number from 0 to 65535"
    }

    public var reason: Reason
    /// From 1.
    public var line: Int
    /// Bytes from the start of the description to the start of the line (or to the byte itself).
    public var offset: Int

    public init(_ reason: Reason, line: Int, offset: Int) {
        self.reason = reason
        self.line = line
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) (line \(line), byte \(offset))" }
}

/// Something that RFC 8866 forbids and that is tolerated because phones do it.
public struct SDPFlaw: Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Reason: String, Hashable, Sendable {
        case lineFeedOnly = "a line ends with LF alone"
        case lastLineOpen = "the last line has no end"
        case blankLines = "empty lines at the end"
        case originMissing = "o= is missing"
        case nameMissing = "s= is missing"
        case timeMissing = "t= is missing"
        case order = "a line stands where RFC 8866 section 5 does not place its type"
        case repeated = "a line stands twice"
        case unknownType = "a line of an unknown type"
        case originUser = "the user name in o= holds a space"
        case originNumber = "session or version in o= is no number"
        case connectionMissing = "a stream has no c= line, nor has the session"
        case payloadType = "a payload type that is no number from 0 to 127"
        case mappingMissing = "a dynamic payload type without a=rtpmap"
        case bracketedAddress = "an IPv6 address in brackets"
    }

    public var reason: Reason
    /// From 1; 0: of the whole.
    public var line: Int

    public init(_ reason: Reason, line: Int) {
        self.reason = reason
        self.line = line
    }

    public var description: String { line == 0 ? reason.rawValue : "\(reason.rawValue) (line \(line))" }
}

/// What a description may hold before it counts as hostile.
public enum SDPLimits {
    public static let bytes = 65_535
    public static let lines = 2_000
    public static let media = 64
}
