import Base
import RTP
import RegistrationClient
import SIP
import SIPStack
import STUN
import STUNStack

/// The audio of calls: what comes and goes at its ports, and what a STUN server sees of them.
extension CallAgent {
    /// Whether an endpoint of ours belongs to the audio of calls.
    func owns(_ endpoint: Endpoint) -> Bool {
        portSet.contains(endpoint.port) && !locals.contains(endpoint)
    }

    mutating func receive(_ datagram: Datagram, at now: Instant) {
        defer { drainLayer(at: now) }
        guard let id = portOwners[datagram.destination.port] else {
            emit(.dropped(from: datagram.source, reason: "no call uses the audio port \(datagram.destination.port)"))
            return
        }
        if MediaPacketKind(datagram.payload) == .stun {
            receiveSTUN(datagram, id, at: now)
            return
        }
        // In place: a copy would bring a copy of every buffer with it, fifty times a second.
        media[id]?.receive(datagram, at: now)
        drainMedia(id, at: now)
    }

    mutating func advanceMedia(_ id: PhoneCallID, to now: Instant) {
        media[id]?.advance(to: now)
        drainMedia(id, at: now)
    }

    mutating func drainMedia(_ id: PhoneCallID, at now: Instant) {
        while let event = media[id]?.nextEvent() {
            switch event {
            case .send(let datagram): emit(.media(datagram))
            case .audio(let samples, let rate): emit(.audio(id, samples, rate: rate))
            case .digit(let digit): emit(.event(id, .digit(digit)))
            case .digitsSent: emit(.event(id, .digitsSent))
            case .refused(let from, let reason): emit(.dropped(from: from, reason: "call \(id): \(reason)"))
            case .hears(let from): note(id, "hears audio from \(from)")
            }
        }
        deadlines.set(.media(id), to: media[id]?.nextDeadline)
    }

    // MARK: The mapped address (RFC 8489)

    /// Asks the STUN server how it sees the call's ports.
    mutating func startMapping(_ call: inout Call, at now: Instant) {
        call.wasMapped = true
        guard let server = settings.stunServer else { return settleMapping(&call, nil, nil, at: now) }
        call.mapping = .asking(until: now + max(.zero, wishes.stunPatience), rtp: nil, rtcp: nil)
        emit(.resolveSTUN(server))
    }

    mutating func foundSTUN(_ endpoints: [Endpoint], at now: Instant) {
        for id in calls.keys.sorted() {
            guard var call = calls[id], let audio = media[id], case .asking(_, let rtp, let rtcp) = call.mapping,
                !queries.values.contains(where: { $0.call == id })
            else { continue }
            if let server = endpoints.first(where: { $0.address.isIPv6 == audio.local.isIPv6 }) {
                call.stunServer = server
                ask(server, audio, call.id, at: now)
            } else {
                settleMapping(&call, rtp, rtcp, at: now)
            }
            store(call)
        }
        drainLayer(at: now)
    }

    private mutating func ask(_ server: Endpoint, _ audio: CallMedia, _ id: PhoneCallID, at now: Instant) {
        for (local, isRTCP) in [(audio.localRTP, false), (audio.localRTCP, true)] {
            let writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
            let request = STUNClientRequest(writer, from: local, to: server, schedule: .rfc8489(rto: timers.t1), at: now)
            queries[request.transactionID] = MappingQuery(call: id, isRTCP: isRTCP, request: request)
            tell(request.transactionID, at: now) { _ in }
        }
    }

    /// Works on a query and carries out what it decided.
    mutating func tell(_ id: STUNTransactionID, at now: Instant, _ work: (inout STUNClientRequest) -> Void) {
        guard var query = queries[id] else { return }
        work(&query.request)
        var outcome: STUNOutcome?
        while let output = query.request.nextOutput() {
            switch output {
            case .send(let datagram): emit(.media(datagram))
            case .finished(let result): outcome = result
            }
        }
        guard let outcome else {
            queries[id] = query
            deadlines.set(.stun(id), to: query.request.nextDeadline)
            return
        }
        queries[id] = nil
        deadlines.set(.stun(id), to: nil)
        var mapped: Endpoint?
        if case .success(let response) = outcome { mapped = response.message.reflexiveEndpoint }
        took(mapped, query, at: now)
    }

    mutating func advanceQuery(_ id: STUNTransactionID, to now: Instant) { tell(id, at: now) { $0.advance(to: now) } }

    private mutating func took(_ mapped: Endpoint?, _ query: MappingQuery, at now: Instant) {
        guard var call = calls[query.call] else { return }
        if let mapped {
            let local = query.isRTCP ? media[call.id]?.localRTCP : media[call.id]?.localRTP
            note(
                call.id, "the STUN server sees \(local?.description ?? "the \(query.isRTCP ? "RTCP" : "RTP") port") as \(mapped)")
        }
        switch call.mapping {
        case .asking(let until, var rtp, var rtcp):
            if query.isRTCP { rtcp = mapped ?? rtcp } else { rtp = mapped ?? rtp }
            call.mapping = .asking(until: until, rtp: rtp, rtcp: rtcp)
            if !queries.values.contains(where: { $0.call == call.id }) { settleMapping(&call, rtp, rtcp, at: now) }
        case .known(let rtp, let rtcp):
            // A refresh: a port that moved is told, unless nobody was told of the old one.
            guard let mapped, !query.isRTCP, mapped != rtp else { break }
            call.mapping = .known(rtp: mapped, rtcp: rtcp)
            if case .confirmed = call.state { renegotiate(&call, at: now) }
        case .none: break
        }
        store(call)
    }

    mutating func settleMapping(_ call: inout Call, _ rtp: Endpoint?, _ rtcp: Endpoint?, at now: Instant) {
        for (key, query) in queries where query.call == call.id {
            queries[key] = nil
            deadlines.set(.stun(key), to: nil)
        }
        if let rtp {
            call.mapping = .known(rtp: rtp, rtcp: rtcp)
            call.mappingRefreshAt = now + Self.mappingRefresh
        } else {
            call.mapping = .none
            if settings.stunServer != nil { note(call.id, "no STUN server said how it sees the audio port") }
        }
        gathered(&call, at: now)
        proceed(&call, at: now)
    }

    /// Keeps the mapping while no audio does: before the answer, and on hold.
    mutating func refreshMapping(_ call: inout Call, at now: Instant) {
        call.mappingRefreshAt = now + Self.mappingRefresh
        guard let audio = media[call.id], audio.lastSent.map({ now - $0 >= Self.mappingRefresh }) ?? true,
            let server = call.stunServer, !queries.values.contains(where: { $0.call == call.id })
        else { return }
        ask(server, audio, call.id, at: now)
    }

    private mutating func receiveSTUN(_ datagram: Datagram, _ id: PhoneCallID, at now: Instant) {
        for query in queries.values where query.call == id && query.request.isAnswered(by: datagram.payload) {
            tell(query.request.transactionID, at: now) { $0.receive(.received(datagram), at: now) }
            return
        }
        guard ice[id] != nil else {
            emit(.dropped(from: datagram.source, reason: "call \(id): STUN that nobody asked for"))
            return
        }
        receiveCheck(datagram, id, at: now)
    }
}
