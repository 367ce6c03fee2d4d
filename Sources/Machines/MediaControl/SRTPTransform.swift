import RTP

/// A pair of SRTP contexts (RFC 3711), supplied by the edge: the core links no C library.
///
/// Each call works on one packet; nil: the packet must be dropped (authentication failed, replayed, too short).
public protocol SRTPTransform: AnyObject, Sendable {
    func protect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]?
    func unprotect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]?
}

/// Makes transforms; where there is none, signalling neither offers nor accepts SRTP.
public struct SRTPProvider: Sendable {
    public var make: @Sendable (SRTPParameters) -> (any SRTPTransform)?

    public init(make: @escaping @Sendable (SRTPParameters) -> (any SRTPTransform)?) { self.make = make }
}
