import Base

/// What came of an OPTIONS sent to one binding.
public struct ProbeOutcome: Hashable, Sendable {
    public enum Result: Hashable, Sendable {
        /// A final response, whatever its status: the phone can be reached.
        case answered(status: Int, after: Duration)
        /// Retransmitted for 32 s (timer F) without an answer.
        case timedOut
        /// Nothing was sent, as the flow is known to be dead or its connection gone.
        case unreachable
        /// Nothing was sent: the Contact as written is no address, or not one this transport reaches.
        case unroutable
        /// Nothing was sent: too many probes are under way.
        case refused
    }

    /// The binding's Contact URI.
    public var contact: String
    /// Where the OPTIONS went or would have gone.
    public var flow: FlowID
    public var result: Result

    public init(contact: String, flow: FlowID, result: Result) {
        self.contact = contact
        self.flow = flow
        self.result = result
    }

    public var isAnswered: Bool { if case .answered = result { true } else { false } }
}
