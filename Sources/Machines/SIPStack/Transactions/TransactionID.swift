/// Names a client transaction of a `TransactionLayer`.
public struct ClientTransactionID: Hashable, Sendable, CustomStringConvertible {
    let key: TransactionKey
    /// Counted from 1: an old name never means a new thing.
    let number: UInt64
    public var description: String { "client \(number)" }
}

/// Names a server transaction of a `TransactionLayer`.
public struct ServerTransactionID: Hashable, Sendable, CustomStringConvertible {
    let key: TransactionKey
    /// Counted from 1: an old name never means a new thing.
    let number: UInt64
    public var description: String { "server \(number)" }
}
