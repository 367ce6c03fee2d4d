import Base
import MediaControl
import SIP
import SIPStack

/// What becomes of one leg, whatever its call does: its end, its moves.
extension CallServer {
    /// Nothing is left to be said on the leg.
    mutating func endLeg(_ leg: Int, _ call: inout Call) {
        guard !call.legs[leg].isEnded else { return }
        call.legs[leg].state = .ended
        call.legs[leg].dialog?.terminate()
        call.legs[leg].caller?.provisionals = nil
        call.legs[leg].caller?.held = nil
        if call.legs[leg].client != nil { call.legs[leg].callee?.invite = .withdrawn }
        calls.tags[call.legs[leg].tag] = nil
        if let callee = call.legs[leg].callee { calls.tags[callee.pickUpID] = nil }
        // Its connection is gone: there is nobody to be answered.
        if let invite = call.legs[leg].invite {
            call.legs[leg].caller?.invite = nil
            calls.invites[invite.key] = nil
            outbox.append(.abandon(invite.key))
        }
        closeStreams(leg, &call)
    }

    /// The phone is spoken to over another flow from now on. Never down from a secret transport.
    mutating func move(_ leg: Int, to flow: FlowID, _ call: inout Call) {
        let former = call.legs[leg].flow
        guard former != flow, flow.transport.isSecure || !former.transport.isSecure else { return }
        note(.call(.moved(call: call.number, party: call.legs[leg].party.address.description, from: former, to: flow)))
        calls.leave(former, call.key)
        call.legs[leg].flow = flow
        for stream in call.legs[leg].streams where former.remote.address != flow.remote.address {
            if let stream { outbox.append(.media(loop: stream.port.loop, .follow(stream.id, flow.remote.address))) }
        }
        for other in call.legs where !other.isEnded { calls.enter(other.flow, call.key) }
    }

    /// Something about the call's dialogs changed that watchers are to hear. `level`: 0 over, 1 early, 2 confirmed.
    func announce(_ call: inout Call, _ level: Int) {
        guard call.announced != level || level == 2 else { return }
        call.announced = level
        call.isNews = true
    }
}
