import Analysis
import Base
import ServerNode

extension LiveAnalysis {
    /// Tells the tap what a server noticed: the messages that came and went, what keeps a way open, and nothing that the server concluded.
    public mutating func observe(_ trace: ServerTrace, at now: Instant) {
        switch trace {
        case .received(let flow, let message, let meaning): received(message, on: flow, isProved: meaning.isProof, at: now)
        case .sent(let flow, let message, _): sent(message, on: flow, at: now)
        case .stunAnswered(let flow), .dropped(let flow, .crlfOverUDP, _): keepalive(on: flow, at: now)
        default: return
        }
    }
}

extension ServerTrace.Meaning {
    fileprivate var isProof: Bool {
        switch self {
        case .answers(_, .accepted), .credentials(.accepted), .signed(.accepted): true
        default: false
        }
    }
}
