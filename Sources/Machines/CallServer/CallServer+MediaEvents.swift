import Base
import MediaControl

/// What the media plane says.
extension CallServer {
    package mutating func media(_ event: MediaEvent, at now: Instant) {
        switch event {
        case .closed(let id, let verdict):
            guard let owner = calls.disown(id) else { return }
            calls.ports.giveBack(owner.port)
            guard var call = calls.take(owner.call) else { return }
            // One who said that its media ended was not asked: the rest of the call goes on without the stream.
            if let place = call.verdicts.firstIndex(where: { $0.id == id }) {
                call.verdicts[place].verdict = verdict
            } else if let stream = call.legs[owner.leg].streams.element(owner.stream), stream.id == id {
                // It closed by itself.
                call.legs[owner.leg].streams[owner.stream] = nil
                call.verdicts.append(
                    .init(
                        leg: owner.leg, stream: owner.stream, id: id, other: stream.bridgedTo, kind: stream.kind,
                        signalled: stream.signalled, isAgreed: stream.isAgreed, verdict: verdict))
            }
            call.openMedia -= 1
            settle(call, at: now)
        case .finished(let id, let reason):
            guard let owner = calls.media[id], var call = calls.take(owner.call) else { return }
            hangUp(&call, "the server: \(reason.rawValue)", cause: 16, text: reason.rawValue, at: now)
            settle(call, at: now)
        case .silent(let id, let seconds):
            guard isTracing, let (call, party) = mediaParty(id) else { return }
            note(.call(.silent(call: call, party: party, seconds: seconds)))
        case .locked(let id, let source):
            guard isTracing, let (call, party) = mediaParty(id) else { return }
            note(.call(.mediaFrom(call: call, party: party, source)))
        case .disbelieved(let id, let place):
            guard isTracing, let (call, party) = mediaParty(id) else { return }
            note(.call(.mediaDisbelieved(call: call, party: party, place)))
        case .digit, .room: break
        }
    }

    private func mediaParty(_ id: MediaLegID) -> (call: UInt64, party: String)? {
        guard let owner = calls.media[id], let call = calls.peek(owner.call), call.legs.indices.contains(owner.leg) else {
            return nil
        }
        return (call.number, call.legs[owner.leg].party.address.description)
    }
}
