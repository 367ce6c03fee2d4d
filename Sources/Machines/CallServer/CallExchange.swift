import Base
import SIP
import SIPStack

/// One offer/answer round inside a call that is up (RFC 3264 8, RFC 3311, RFC 6337): at most one at a time, a second gets 491.
struct CallExchange: Sendable {
    /// Who waits for its outcome.
    enum Asker: Sendable {
        /// A re-INVITE of that leg.
        case invite(leg: Int, ServerRequest)
        /// The INVITE of that new leg, which takes the place of another (RFC 3891).
        case replacement(leg: Int, ServerRequest, of: Int)
        /// An UPDATE of that leg.
        case update(leg: Int, ServerRequest)
        /// Ourselves, after a transfer.
        case us
    }

    enum Step: Sendable {
        /// `target` was sent the request; its answer is awaited.
        case asked(client: ClientToken)
        /// `target` sent its offer in a 2xx, which was handed to the asker: the answer comes in the ACK. Then `target` gets its own ACK.
        case awaitingACK
        /// As before, but the offer went to `second` in a re-INVITE of ours: its 2xx brings the answer.
        case relayed(client: ClientToken)
    }

    /// What a leg was before, should the round come to nothing.
    struct Former: Sendable {
        var leg: Int
        var session: CallLeg.Session
        var streams: [LegStream?]
    }

    var asker: Asker
    /// The leg that is asked.
    var target: Int
    /// The leg its answer or offer goes to.
    var second: Int
    /// Whether the request to `target` carried an offer; otherwise its 2xx brings one.
    var hasOffer: Bool
    var step: Step
    var former: [Former]
    /// When it counts as failed, whatever the transactions say.
    var deadline: Instant

    /// The request of ours whose answer is awaited.
    var client: ClientToken? {
        switch step {
        case .asked(let client), .relayed(let client): client
        case .awaitingACK: nil
        }
    }
}

/// A transfer under way (RFC 3515): who asked, who stays, who is rung.
struct CallTransfer: Sendable {
    /// Counted in its call, from 1.
    let number: Int
    /// The leg that sent REFER.
    var transferor: Int
    /// The leg that stays.
    var transferee: Int
    /// The first of the legs that are rung for it.
    var firstTarget: Int
    /// The subscription by which the transferor hears of it; nil: it wants none (RFC 4488), or is gone.
    var referral: Subscription?
    var targetName: String
    /// The transferor, for Referred-By (RFC 3892).
    var referrer: CallParty
}
