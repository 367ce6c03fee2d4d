/// A protocol as a value: told what happened and when, it says what to do next.
///
/// The driver's loop is always the same: `receive` or `advance`, then `nextOutput` until nil, then sleep until `nextDeadline`.
/// A late or early `advance` is harmless. A machine owns no socket, clock, task or file.
public protocol Machine: Sendable {
    associatedtype Input: Sendable
    associatedtype Output: Sendable
    /// What the machine noticed; for logs, ladders and findings. Dropped unless someone listens.
    associatedtype Trace: Sendable

    /// When `advance(to:)` next has work; nil means never.
    var nextDeadline: Instant? { get }
    mutating func receive(_ input: Input, at now: Instant)
    mutating func advance(to now: Instant)
    mutating func nextOutput() -> Output?
    mutating func nextTrace() -> Trace?
}
