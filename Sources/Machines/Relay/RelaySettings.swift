/// What every leg is held to.
public struct RelaySettings: Hashable, Sendable {
    /// Packets a second a leg may receive in the long run; more is a flood. 10 ms of sound a packet make 100.
    public var packetsPerSecond = 1_000
    /// Packets that may come at once beyond that.
    public var burst = 500
    /// Packets sent to a signalled address from which nothing came and which signalling did not prove. 0: none, so that naming a third
    /// party's address in SDP does nothing to it.
    public var unproven = 0
    /// Whether a stream from an address that neither SIP nor SDP names may become a party's: whoever sprays our ports then gets the media of
    /// who is silent.
    public var believesAnyone = false
    /// `.silent` is said after this many seconds without a packet.
    public var silence = 10
    /// Whether what RTCP says in passing is told, by `nextPassingReport`.
    public var tellsReports = false
    /// The most legs at a time.
    public var legs = 20_000

    public init() {}
}
