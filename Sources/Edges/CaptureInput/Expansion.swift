/// Why an input gave less than it says it holds.
public enum Shortfall: Hashable, Sendable {
    /// The compressed data is damaged, or ends too early.
    case damaged
    /// It expands to more than is believed: `octets` were read.
    case bomb(octets: UInt64)
}

/// How far compressed input is believed. A few octets can stand for more than any disk holds.
public struct ExpansionLimits: Sendable {
    /// Expanded octets that are free, whatever they came from.
    public var free: UInt64 = 256 << 20
    /// Beyond them, expanded octets for each compressed one. Captures and logs stay below 100.
    public var ratio: UInt64 = 250
    /// Expanded octets of an archive that are kept on disk at once, all its members together.
    public var kept: UInt64 = 64 << 30
    /// Archives within archives.
    public var depth = 4
    public var members = 10_000

    public init() {}

    func allow(_ expanded: UInt64, of compressed: UInt64) -> Bool { expanded <= free || expanded / ratio <= compressed }
}
