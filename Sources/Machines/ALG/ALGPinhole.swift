import Base

/// An opening for packets that nobody inside asked for by a packet of their own: an expectation, as Linux calls it.
public struct ALGPinhole: Hashable, Sendable, CustomStringConvertible {
    public enum Purpose: Hashable, Sendable { case signalling, audio, video, image }

    public enum End: Hashable, Sendable {
        case expired
        /// A packet came: what follows has a mapping.
        case used
        /// INVITE, BYE, a final response from 300, or a registration that ended.
        case flushed
        /// The flow opened a newer one.
        case superseded
        case evicted
    }

    public var id: UInt64
    public var purpose: Purpose
    /// The signalling flow that asked for it.
    public var flow: ALGFlow
    public var transport: SIPTransport
    /// Whose packets may come; nil: anyone's.
    public var from: IPAddress?
    /// Where they come to.
    public var external: Endpoint
    /// Where they go on to.
    public var inside: Endpoint
    public var until: Instant
    /// A signalling pinhole waits for the registrar's 200.
    public var isActive: Bool

    public var description: String {
        "\(purpose) \(external) to \(inside) from \(from?.description ?? "anyone")"
    }
}
