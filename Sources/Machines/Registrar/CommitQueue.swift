import Base

/// Changes of the registrar whose commit is awaited, in order, each with the reply it holds back.
struct CommitQueue: Sendable {
    struct Pending: Sendable {
        var sequence: UInt64
        /// Whose 200 leaves once its change is durable; it promises less where storage fails. nil where nobody waits: a binding expired.
        var reply: Registrar.Registered?
    }

    private var pending: [Pending] = []
    private var head = 0
    private(set) var lastSequence: UInt64 = 0

    var count: Int { pending.count - head }

    mutating func nextSequence() -> UInt64 {
        lastSequence &+= 1
        return lastSequence
    }

    mutating func append(_ change: Pending) { pending.append(change) }

    /// Takes the oldest out, if its sequence is not after `sequence`.
    mutating func popFirst(through sequence: UInt64) -> Pending? {
        guard head < pending.count, pending[head].sequence <= sequence else { return nil }
        let first = pending[head]
        pending[head].reply = nil
        head += 1
        if head >= 256, head >= pending.count - head {
            pending.removeFirst(head)
            head = 0
        } else if head == pending.count {
            pending.removeAll(keepingCapacity: true)
            head = 0
        }
        return first
    }
}
