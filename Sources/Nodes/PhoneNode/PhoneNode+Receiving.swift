import Base
import SIP
import SIPStack
import STUN

extension PhoneNode {
    mutating func receive(_ datagram: Datagram, at now: Instant) {
        if lookups.receive(datagram, at: now) { return }
        if STUN.isSTUN(datagram.payload) {
            if !stun.receive(datagram, at: now) { drop(datagram, "a STUN message that answers nothing of ours") }
            return
        }
        guard settings.locals.contains(datagram.destination) else {
            drop(datagram, "nothing is expected at \(datagram.destination)")
            return
        }
        // A keepalive of the other side, or the answer to ours (RFC 5626 4.4.1).
        if datagram.payload.count <= 4, datagram.payload.allSatisfy({ $0 == 0x0d || $0 == 0x0a || $0 == 0 }) { return }
        let message: SIPMessage
        do {
            message = try SIPMessage(salvaging: datagram.payload)
        } catch {
            noteReceived(datagram, .malformed(reason: "\(error)"))
            counters.dropped += 1
            return
        }
        switch message.startLine {
        case .request(let method, _): receive(request: message, method, datagram, at: now)
        case .response(let status, _): receive(response: message, status, datagram, at: now)
        }
    }

    // MARK: Responses

    private mutating func receive(response message: SIPMessage, _ status: Int, _ datagram: Datagram, at now: Instant) {
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
            noteReceived(datagram, .malformed(reason: "\(error)"))
            counters.dropped += 1
            return
        }
        guard isOn, let branch = via.branch?.string else {
            noteReceived(datagram, .strayResponse(code: status))
            return
        }
        switch requests.receive(status: status, branch: branch, method: method, from: datagram.source, at: now) {
        case .none, .copy: noteReceived(datagram, .strayResponse(code: status))
        case .delivered(.keepalive):
            let seen = RegisterResponse.seen(via)
            noteReceived(datagram, .keepaliveAnswered(code: status, seenAs: seen))
            // A 100 has come through as well, but the final answer is on its way.
            if status >= 200 { registration.keepaliveAnswered(seenAs: seen, at: now) }
        case .delivered(.register(let cseq, let contact)):
            let chooser = status == 407 ? proxyDigest : digest
            let response = RegisterResponse(
                message, status: status, contact: contact, user: settings.identity.user, instanceID: settings.instanceID
            ) { chooser.choose($0) }
            switch response.verdict {
            case .challenged: counters.challengesSeen += 1
            case .accepted: counters.registrations += 1
            case .provisional, .tooBrief, .refused: break
            }
            noteReceived(datagram, registration.response(to: cseq, response, at: now))
        }
    }

    // MARK: Requests

    private mutating func receive(request message: SIPMessage, _ method: SIPMethod, _ datagram: Datagram, at now: Instant) {
        guard let key = IncomingRequests.Key(message) else {
            noteReceived(datagram, .malformed(reason: message.flaw.map { "\($0)" } ?? "without a readable Via and CSeq"))
            counters.dropped += 1
            return
        }
        if method == .ack {
            noteReceived(datagram, incoming.acknowledge(key, at: now) ? .request(method: "ACK") : .repeatedRequest(method: "ACK"))
            return
        }
        let name = printable(method.text.bytes, atMost: 32)
        switch incoming.arrive(key) {
        case .copy(let response, let to):
            noteReceived(datagram, .repeatedRequest(method: name))
            if !response.isEmpty { outbox.append(.send(Datagram(from: datagram.destination, to: to, response))) }
        case .full: drop(datagram, "\(IncomingRequests.cap) requests are being answered already")
        case .fresh:
            noteReceived(datagram, .request(method: name))
            let verdict = RequestVerdict(message, method, cancels: method == .cancel && incoming.holds(key.ofInvite))
            guard
                let answer = RequestAnswer(
                    to: message, from: datagram.source, verdict, userAgent: settings.userAgent, tag: entropy.hex(8))
            else {
                counters.dropped += 1
                return
            }
            counters.requestsAnswered += 1
            incoming.answer(
                key, status: verdict.status, answer.bytes, from: datagram.destination, to: answer.target,
                timers: transactionTimers, at: now)
            let sent = PhoneTrace.Message(
                bytes: answer.bytes, local: datagram.destination, remote: answer.target,
                meaning: .answers(code: verdict.status, method: name))
            traces.note(.sent(sent))
            outbox.append(.send(Datagram(from: datagram.destination, to: answer.target, answer.bytes)))
        }
    }

    private mutating func noteReceived(_ datagram: Datagram, _ meaning: SIPMeaning) {
        traces.note(
            .received(
                PhoneTrace.Message(
                    bytes: datagram.payload, local: datagram.destination, remote: datagram.source, meaning: meaning)))
    }

    private mutating func drop(_ datagram: Datagram, _ reason: String) {
        counters.dropped += 1
        traces.note(.dropped(from: datagram.source, reason: reason))
    }
}
