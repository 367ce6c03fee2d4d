import Base
import SIP

/// What leaves, counted and told.
extension ServerNode {
    mutating func send(_ bytes: [UInt8], on flow: FlowID, _ meaning: ServerTrace.Meaning) {
        tally.sent &+= 1
        tally.sentBytes &+= UInt64(bytes.count)
        if traces.isOn, let message = try? SIPMessage(parsing: bytes) {
            traces.note(.sent(flow, message, meaning: meaning))
        }
        outbox.append(.send(on: flow, bytes))
    }

    mutating func drop(_ flow: FlowID, _ reason: DropReason, _ error: SIPParseError? = nil) {
        tally.dropped(reason)
        traces.note(.dropped(flow, reason, error: error))
    }

    /// Counts and sends a response that is already put together.
    mutating func transmit(_ bytes: [UInt8], on way: FlowID, _ status: Int, _ meaning: ServerTrace.Meaning) {
        tally.replied(status)
        if way.transport == .udp, bytes.count > 1_300 { traces.note(.notice(.largeReply(way, bytes: bytes.count))) }
        send(bytes, on: way, meaning)
    }
}
