import Base

/// Whom to send what the server hears and says, as Homer's agents do (HEPv3).
public struct HEPSettings: Hashable, Sendable {
    /// A name or an address.
    public var host: String
    public var port: UInt16
    /// What tells this server's packets from others' at the collector (chunk 12).
    public var captureID: UInt32 = 2001
    /// What the collector asks for (chunk 14), in clear; nil: nothing.
    public var password: String?
    /// Digests, keys and people's texts as well.
    public var showsSecrets = false

    public init(host: String, port: UInt16 = 9060) {
        self.host = host
        self.port = port
    }
}

/// One thing that is told.
public struct HEPItem: Sendable {
    public enum Payload: Sendable {
        /// As it came or left.
        case sip([UInt8])
        /// A compound RTCP packet, decrypted.
        case rtcp([UInt8], callID: String)
        /// What became of one stream.
        case verdict(StreamVerdict)
    }

    public var payload: Payload
    public var source: Endpoint
    public var destination: Endpoint
    /// Whether it was TCP's, on its own or below TLS or WebSocket; otherwise UDP's.
    public var isStream: Bool
    /// As the wall clock shows it.
    public var time: Instant

    public init(_ payload: Payload, from source: Endpoint, to destination: Endpoint, isStream: Bool = false, at time: Instant) {
        self.payload = payload
        self.source = source
        self.destination = destination
        self.isStream = isStream
        self.time = time
    }
}
