import Base
import RegistrationClient
import SIP
import SIPStack
import STUN

extension PhoneNode {
    mutating func receive(_ datagram: Datagram, at now: Instant) {
        if names.owns(datagram) { return look(.received(datagram), at: now) }
        if let calls, calls.owns(datagram.destination) {
            self.calls?.receive(datagram, at: now)
            return
        }
        if STUN.isSTUN(datagram.payload) {
            guard client?.awaits(datagram) ?? false else {
                return drop(datagram, "a STUN message that answers nothing of ours")
            }
            return tell(.received(datagram), at: now)
        }
        guard settings.locals.contains(datagram.destination), settings.transport == .udp else {
            drop(datagram, "nothing is expected at \(datagram.destination)")
            return
        }
        // A keepalive of the other side, or the answer to ours (RFC 5626 4.4.1).
        if datagram.payload.count <= 4, datagram.payload.allSatisfy({ $0 == 0x0d || $0 == 0x0a || $0 == 0 }) { return }
        receive(datagram.payload, over: FlowID(.udp, local: datagram.destination, remote: datagram.source), at: now)
    }

    /// A whole message, off a datagram or cut from a stream.
    mutating func receive(_ bytes: [UInt8], over flow: FlowID, at now: Instant) {
        let message: SIPMessage
        do {
            message = try SIPMessage(salvaging: bytes)
        } catch {
            noteReceived(bytes, flow, .malformed(reason: "\(error)"))
            counters.dropped += 1
            return
        }
        switch message.startLine {
        case .request(let method, _): receive(request: message, method, flow, at: now)
        case .response(let status, _): receive(response: message, status, flow, at: now)
        }
    }

    // MARK: Responses

    private mutating func receive(response message: SIPMessage, _ status: Int, _ flow: FlowID, at now: Instant) {
        let via: Via
        let method: SIPMethod
        do {
            if let flaw = message.flaw { throw flaw }
            via = try message.topVia
            method = try message.cseq.method
            // A second Via means that the response was on its way to somebody else (RFC 3261 18.1.2).
            guard try message.vias.count == 1 else {
                throw SIPParseError(.foreignVia, at: message.first(.via)?.range.lowerBound ?? 0)
            }
        } catch {
            noteReceived(message.bytes, flow, .malformed(reason: "\(error)"))
            counters.dropped += 1
            return
        }
        guard isOn, let branch = via.branch?.string else {
            noteReceived(message.bytes, flow, .strayResponse(code: status))
            return
        }
        if client?.awaits(branch: branch, method) ?? false {
            tell(.response(message, flow), at: now)
        } else if calls?.expects(method) ?? false {
            noteReceived(message.bytes, flow, .callResponse(code: status, method: printable(method.text.bytes, atMost: 32)))
            calls?.receive(message, over: flow, at: now)
        } else {
            noteReceived(message.bytes, flow, .strayResponse(code: status))
        }
    }

    // MARK: Requests

    private mutating func receive(request message: SIPMessage, _ method: SIPMethod, _ flow: FlowID, at now: Instant) {
        guard let key = IncomingRequests.Key(message) else {
            noteReceived(
                message.bytes, flow, .malformed(reason: message.flaw.map { "\($0)" } ?? "without a readable Via and CSeq"))
            counters.dropped += 1
            return
        }
        if isOn, let calls, calls.takes(message, method) {
            noteReceived(message.bytes, flow, .request(method: printable(method.text.bytes, atMost: 32)))
            self.calls?.receive(message, over: flow, at: now)
            return
        }
        if method == .ack {
            noteReceived(
                message.bytes, flow,
                incoming.acknowledge(key, at: now) ? .request(method: "ACK") : .repeatedRequest(method: "ACK"))
            return
        }
        let name = printable(method.text.bytes, atMost: 32)
        switch incoming.arrive(key) {
        case .copy(let response, let back):
            noteReceived(message.bytes, flow, .repeatedRequest(method: name))
            if !response.isEmpty { transmit(response, over: back, at: now) }
        case .full:
            counters.dropped += 1
            traces.note(.dropped(from: flow.remote, reason: "\(IncomingRequests.cap) requests are being answered already"))
        case .fresh:
            noteReceived(message.bytes, flow, .request(method: name))
            let verdict = RequestVerdict(
                message, method, cancels: method == .cancel && incoming.holds(key.ofInvite), takesCalls: calls != nil)
            guard
                let answer = RequestAnswer(
                    to: message, over: flow, verdict, userAgent: settings.userAgent, tag: tags.hex(8))
            else {
                counters.dropped += 1
                return
            }
            counters.requestsAnswered += 1
            incoming.answer(
                key, status: verdict.status, answer.bytes, over: answer.flow, timers: settings.timers.transactions, at: now)
            noteSent(answer.bytes, answer.flow, .answers(code: verdict.status, method: name))
            transmit(answer.bytes, over: answer.flow, at: now)
        }
    }

    mutating func noteReceived(_ bytes: @autoclosure () -> [UInt8], _ flow: FlowID, _ meaning: SIPMeaning) {
        traces.note(
            .received(
                PhoneTrace.Message(
                    bytes: bytes(), local: flow.local, remote: flow.remote, meaning: meaning, transport: flow.transport)))
    }

    mutating func noteSent(_ bytes: @autoclosure () -> [UInt8], _ flow: FlowID, _ meaning: SIPMeaning) {
        traces.note(
            .sent(
                PhoneTrace.Message(
                    bytes: bytes(), local: flow.local, remote: flow.remote, meaning: meaning, transport: flow.transport)))
    }

    private mutating func drop(_ datagram: Datagram, _ reason: String) {
        counters.dropped += 1
        traces.note(.dropped(from: datagram.source, reason: reason))
    }
}
