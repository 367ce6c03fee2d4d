/// How much a server remembers of those who ask, proved or not: each has its cap in `ServerLimits`.
package struct ServerMemory: Hashable, Sendable {
    /// Requests whose answers are kept to absorb copies, and the octets of those.
    package var transactions: Int
    package var replyOctets: Int
    /// Call-IDs whose attempts are remembered.
    package var attempts: Int
    /// Sources whose rates are tracked.
    package var sources: Int
    /// Addresses that were asked whether they are the phone that a Contact says.
    package var questions: Int
    /// OPTIONS to bindings that were asked for from outside.
    package var probes: Int
}

extension ServerNode {
    package var memory: ServerMemory {
        ServerMemory(
            transactions: replies.count, replyOctets: replies.octets, attempts: attempts.count, sources: sources.count,
            questions: registrar.questionCount, probes: registrar.probeCount)
    }
}
