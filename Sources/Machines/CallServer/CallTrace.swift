import Base
import MediaControl
import SIP

/// What the server noticed about calls, one fact each. `call` is the number people know a call by, counted from 1.
public enum CallTrace: Hashable, Sendable {
    /// A caller was let in. `instances`: how many phones are rung; 0 for a service.
    case started(call: UInt64, from: String, to: String, instances: Int)
    /// Both accounts wish direct media, and the server carries them all the same.
    case relayed(call: UInt64, from: String, to: String, Relayed)
    /// One phone rings, or plays early media.
    case ringing(call: UInt64, party: String, FlowID, status: Int)
    case answered(call: UInt64, party: String, FlowID)
    /// One phone refused, or did not answer in time (408).
    case declined(call: UInt64, party: String, FlowID, status: Int, Decline)
    /// Another flow of the same instance is tried (RFC 5626 5.3).
    case nextFlow(call: UInt64, party: String, FlowID)
    /// A phone refused plain RTP and took SRTP when asked again; it is offered that from now on.
    case insistsOnSRTP(call: UInt64, party: String, user: String, FlowID)
    /// A phone refused SRTP and took plain RTP when asked again.
    case refusesSRTP(call: UInt64, party: String, user: String, FlowID)
    /// A phone's 3xx is followed.
    case forwarded(call: UInt64, by: String, to: String)
    /// It is not. `to`: its Contact; empty where there is none.
    case notForwarded(call: UInt64, by: String, to: String, ForwardRefusal)
    /// A phone answered, and refused every stream.
    case answeredNothing(call: UInt64, party: String, user: String, FlowID, offeredSRTP: Bool)
    /// A phone asked us for credentials: it gets none, ever.
    case challengedUs(call: UInt64, party: String, FlowID)
    /// Hold, resume, address change: an offer/answer round inside the call is over.
    case renegotiated(call: UInt64, by: String, status: Int)
    /// A party's requests come by another flow than before.
    case moved(call: UInt64, party: String, from: FlowID, to: FlowID)
    case transferring(call: UInt64, by: String, to: String)
    case transferred(call: UInt64, by: String, to: String, status: Int)
    /// SDP names a place that is neither where the phone's SIP comes from nor in a network shared with it.
    case mediaElsewhere(call: UInt64, party: String, Endpoint, FlowID)
    /// The media plane settled where a party's media come from.
    case mediaFrom(call: UInt64, party: String, MediaSource)
    /// A stream that neither the party's SIP nor its SDP vouches for, and nothing else from the party.
    case mediaDisbelieved(call: UInt64, party: String, Endpoint)
    case silent(call: UInt64, party: String, seconds: Int)
    /// What became of one stream of one party, in a sentence.
    case media(call: UInt64, party: String, kind: String, String)
    case ended(call: UInt64, reason: String)
    /// The media plane did not say in time what became of it.
    case verdictMissing(call: UInt64, streams: Int)
    case subscribed(String, event: String, by: FlowID, seconds: UInt32)
    case unsubscribed(String, event: String, reason: String)
    /// A request that would not fit one packet stays on the phone's UDP flow all the same.
    case largeRequest(FlowID, bytes: Int)
    /// It drew no answer, though the phone answers keepalives.
    case fragmentsLost(call: UInt64, party: String, FlowID, bytes: Int)

    public enum Relayed: Hashable, Sendable {
        /// Not both accounts wish anything else.
        case unwished
        case families
        /// A NAT stands between one of them and us.
        case translated
        /// Both come from one public address, and name it in SDP.
        case oneAddress
        /// Something on the way changes what a phone says of itself.
        case rewritten
    }

    public enum Decline: Hashable, Sendable {
        case refused
        case timedOut
        /// Its flow died, or could not be sent to.
        case flowDead
        /// Its SDP cannot be used.
        case session(SessionRefusal)
        /// Someone else answered first, or the caller gave up.
        case cancelled
    }

    /// One plain English line.
    public var text: String {
        switch self {
        case .started(let call, let from, let to, let instances):
            "call \(call): \(from) calls \(to)\(instances == 0 ? "" : ", \(instances) phone\(instances == 1 ? "" : "s") rung")"
        case .relayed(let call, let from, let to, let why):
            "call \(call): \(from) and \(to) wish direct media; they are relayed, because \(why.text)"
        case .ringing(let call, let party, let flow, let status):
            "call \(call): \(party) at \(flow.remote) \(status == 183 ? "plays early media" : "rings") (\(status))"
        case .answered(let call, let party, let flow): "call \(call): \(party) at \(flow.remote) answers"
        case .declined(let call, let party, let flow, let status, let why):
            "call \(call): \(party) at \(flow.remote) \(why.text(status: status))"
        case .nextFlow(let call, let party, let flow): "call \(call): tries another flow of \(party), \(flow.remote)"
        case .insistsOnSRTP(let call, let party, let user, let flow):
            "call \(call): \(party) at \(flow.remote) refused plain RTP and took SRTP, and is offered that from now on; "
                + "to settle it: pinhole account srtp \(user) required"
        case .refusesSRTP(let call, let party, let user, let flow):
            "call \(call): \(party) at \(flow.remote) refused SRTP and took plain RTP; if it never takes SRTP: pinhole account srtp \(user) off"
        case .forwarded(let call, let by, let target): "call \(call): \(by) forwards to \(target)"
        case .notForwarded(let call, let by, let target, let why):
            "call \(call): \(by) forwards\(target.isEmpty ? "" : " to \(target)"): not followed, \(why.text)"
        case .answeredNothing(let call, let party, let user, let flow, let offeredSRTP):
            "call \(call): \(party) at \(flow.remote) answers and takes no stream of "
                + (offeredSRTP
                    ? "SRTP; if it never takes SRTP: pinhole account srtp \(user) off"
                    : "plain RTP; the next call offers SRTP; to settle it: pinhole account srtp \(user) required")
        case .challengedUs(let call, let party, let flow):
            "call \(call): \(party) at \(flow.remote) asks us for a password; nobody's is given away"
        case .renegotiated(let call, let party, let status):
            "call \(call): \(party) \(status < 300 ? "changes the session" : "would change the session, and may not"): \(status) \(SIPStatus.phrase(status))"
        case .moved(let call, let party, let from, let to):
            "call \(call): \(party) now comes from \(to.remote) instead of \(from.remote)"
        case .transferring(let call, let party, let target): "call \(call): \(party) transfers to \(target)"
        case .transferred(let call, let party, let target, let status):
            "call \(call): the transfer by \(party) to \(target) ends: \(status) \(SIPStatus.phrase(status))"
        case .mediaElsewhere(let call, let party, let place, let flow):
            "call \(call): the SDP of \(party) names \(place), its SIP comes from \(flow.remote.address): media for it wait until it sends"
        case .mediaFrom(let call, let party, let source):
            "call \(call): media of \(party) come from \(source.endpoint) (\(source.means.rawValue), packet \(source.packet))"
        case .mediaDisbelieved(let call, let party, let place):
            "call \(call): RTP for \(party) comes from \(place), which is neither where its SIP comes from nor what its SDP says: not taken; "
                + "if it is the phone's, SRTP, ICE or media.source: any lets it in"
        case .silent(let call, let party, let seconds): "call \(call): nothing heard from \(party) for \(seconds) s"
        case .media(let call, let party, let kind, let sentence): "call \(call): \(kind) of \(party): \(sentence)"
        case .ended(let call, let reason): "call \(call) ends: \(reason)"
        case .verdictMissing(let call, let streams):
            "call \(call): what became of \(streams) media stream\(streams == 1 ? "" : "s") was not told in time"
        case .subscribed(let who, let event, let flow, let seconds): "\(flow.remote) watches \(event) of \(who) for \(seconds) s"
        case .unsubscribed(let who, let event, let reason): "the watch on \(event) of \(who) ends: \(reason)"
        case .largeRequest(let flow, let bytes):
            "a request of \(bytes) bytes stays on the UDP flow to \(flow.remote) and may be fragmented"
        case .fragmentsLost(let call, let party, let flow, let bytes):
            "call \(call): an INVITE of \(bytes) bytes to \(party) at \(flow.remote) drew no answer, though its keepalives are answered: "
                + "the way may drop fragments"
        }
    }
}

extension CallTrace.Relayed {
    var text: String {
        switch self {
        case .unwished: "not both accounts wish it"
        case .families: "one speaks IPv4, the other IPv6"
        case .translated: "a NAT stands between them"
        case .oneAddress:
            "both name the one public address they come from: their packets would have to turn round in their router"
        case .rewritten: "a helper in a router (SIP ALG) changes what one of them says of itself"
        }
    }
}

extension CallTrace.Decline {
    func text(status: Int) -> String {
        switch self {
        case .refused: "refuses: \(status) \(SIPStatus.phrase(status))"
        case .timedOut: "does not answer at all"
        case .flowDead: "cannot be reached over its flow"
        case .session(let refusal): "sent an SDP that cannot be used: \(refusal.text)"
        case .cancelled: "is not rung any more"
        }
    }
}
