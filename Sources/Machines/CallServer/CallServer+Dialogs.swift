import Base
import SIP
import SIPStack

/// Whose dialog a request names, and where its phone is (RFC 3261 12.2.2).
extension CallServer {
    /// The leg whose dialog a request names: our tag, its Call-ID, its From tag.
    func leg(of request: ServerRequest) -> (call: UInt32, leg: Int)? {
        guard let tag = request.parts.to.tag?.tagNumber, case .leg(let key, let leg)? = calls.tags[tag],
            let call = calls.peek(key),
            call.legs.indices.contains(leg), call.legs[leg].callID == request.callID
        else { return nil }
        if let dialog = call.legs[leg].dialog, dialog.id.remoteTag != request.fromTag { return nil }
        return (key, leg)
    }

    /// Whom a request inside a dialog has to come from, and over which flow he was heard last; nil: it names no dialog of a call's.
    package func party(of request: ServerRequest) -> (party: CallParty, flow: FlowID)? {
        leg(of: request).flatMap { calls.leg($0.leg, of: $0.call) }.map { ($0.party, $0.flow) }
    }

    /// Whether a tag of ours names a leg, and over which flow that was heard last.
    package func flow(ofTag text: SIPText?) -> FlowID? {
        guard let tag = text?.tagNumber, case .leg(let key, let leg)? = calls.tags[tag] else { return nil }
        return calls.leg(leg, of: key)?.flow
    }

    /// The leg of a request that is its own phone's, if it comes in order. Its phone may speak from another place now: what we send follows it,
    /// as with REGISTERs. nil: it is refused already.
    mutating func enterDialog(_ request: ServerRequest) -> (call: UInt32, leg: Int)? {
        guard let (key, leg) = leg(of: request), var call = calls.take(key) else {
            refuse(request, 481, .noDialog)
            return nil
        }
        defer { calls.put(call) }
        if case .outOfOrder(let had, let got)? = call.legs[leg].dialog?.receive(request.method, sequence: request.cseq) {
            counters.outOfOrder &+= 1
            refuse(request, 500, .outOfOrder(had: had, got: got))
            return nil
        }
        move(leg, to: ways.home(request), &call)
        return (key, leg)
    }

    /// A phone registered from another place than before: its calls follow, or a BYE would go into a mapping that is gone.
    package mutating func moved(_ aor: AddressOfRecord, from former: FlowID, to flow: FlowID) {
        for found in calls.calls(of: aor) where found.legs.contains(where: { $0.flow == former && $0.party.address == aor }) {
            guard var call = calls.take(found.key) else { continue }
            for leg in call.legs.indices where call.legs[leg].flow == former && call.legs[leg].party.address == aor {
                guard !call.legs[leg].isEnded else { continue }
                move(leg, to: flow, &call)
            }
            calls.put(call)
        }
    }
}
