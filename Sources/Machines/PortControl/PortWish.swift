public import Base

/// What a host inside may ask its router for: an external port of its own for a while.
public struct PortWish: Hashable, Sendable {
    public var transport: SIPTransport
    public var inside: Endpoint
    /// 0: any.
    public var port: UInt16
    /// Whether another port than that is worse than none (RFC 6887 13.2).
    public var onlyThat: Bool
    public var until: Instant

    public init(transport: SIPTransport, inside: Endpoint, port: UInt16, onlyThat: Bool, until: Instant) {
        (self.transport, self.inside, self.port, self.onlyThat, self.until) = (transport, inside, port, onlyThat, until)
    }
}

/// What a port control server noticed.
public enum PortControlTrace: Hashable, Sendable {
    case opened(Endpoint, for: Endpoint, SIPTransport, until: Instant)
    case closed(Endpoint, for: Endpoint, SIPTransport)
    case refused(Endpoint, PortControlResult)
    case dropped(Drop)

    public enum Drop: UInt8, Hashable, Sendable, CaseIterable {
        /// Too short to be answered, or an answer.
        case malformed
    }
}

/// RFC 6887 7.4; NAT-PMP's are other numbers.
public enum PortControlResult: UInt8, Hashable, Sendable {
    case success = 0
    case unsupportedVersion = 1
    case notAuthorized = 2
    case malformedRequest = 3
    case unsupportedOpcode = 4
    case unsupportedOption = 5
    case networkFailure = 7
    case noResources = 8
    case unsupportedProtocol = 9
    case quotaExceeded = 10
    case cannotProvideExternal = 11
    case addressMismatch = 12

    /// RFC 6886 3.5.
    var natPMP: UInt16 {
        switch self {
        case .success: 0
        case .unsupportedVersion: 1
        case .notAuthorized, .addressMismatch, .malformedRequest, .unsupportedOption: 2
        case .networkFailure: 3
        case .noResources, .quotaExceeded, .cannotProvideExternal: 4
        case .unsupportedOpcode, .unsupportedProtocol: 5
        }
    }
}
