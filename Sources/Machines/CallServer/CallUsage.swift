/// What calls hold at one moment, of each kind. All of it is zero again once the last call and its transactions are over.
public struct CallUsage: Hashable, Sendable {
    public var calls = 0
    /// Tags of ours that name a dialog.
    public var tags = 0
    /// Media ports in use.
    public var ports = 0
    /// Media legs whose `.closed` is awaited.
    public var mediaLegs = 0
    /// Requests of ours that wait for their answers, or absorb late ones.
    public var clientTransactions = 0
    /// INVITEs of phones that wait for their answers, or absorb late copies.
    public var serverTransactions = 0
    public var subscriptions = 0
    /// MESSAGEs on their way.
    public var deliveries = 0
    /// Look-ups of whom to ring.
    public var lookUps = 0
    public var deadlines = 0
    /// Accounts with a call.
    public var accounts = 0
    /// Entries that find calls by user or connection.
    public var indexes = 0

    public init() {}
}
