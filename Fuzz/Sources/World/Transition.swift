import Base
import Lab

/// One thing that befalls the small world.
package enum Transition: Hashable, Sendable {
    /// Time passes.
    case wait(Duration)
    /// Time passes until something happens by itself, so many times.
    case deadlines(Int)
    /// A person does something at one of the phones.
    case phone(Int, PhoneDeed)
    case router(Int, RouterDeed)
    case linkDown(Int, Bool)
    /// Something befalls a packet on its way, the soonest being the first.
    case packet(Int, PacketFate)
    case server(ServerDeed)
    case media(MediaDeed)
    /// The scripted SIP endpoint does something.
    case endpoint(EndpointDeed)
    case stranger(StrangerDeed)
}

package enum PhoneDeed: Hashable, Sendable {
    case start, stop, restart
    /// To another address, of the same link or of another.
    case roam(Int)
    case call(Int, lateOffer: Bool)
    case answer, hold, resume, hangUp
    case reject(Int)
    case transfer(Int)
    case transferAttended
    case digits
    case text(Int)
}

package enum RouterDeed: Hashable, Sendable {
    case reboot
    /// Every mapping is forgotten.
    case forget
    case helper(Bool)
}

package enum PacketFate: Hashable, Sendable {
    case drop, duplicate
    case delay(milliseconds: Int)
    case mutate(Mutation)
}

package enum ServerDeed: Hashable, Sendable {
    case restart
    case storage(LabWorld.StorageState)
    /// One account less, by its place; with all of them back for none.
    case withoutAccount(Int)
    case wallClock(seconds: Int)
    case probe(Int)
}

package enum MediaDeed: Hashable, Sendable {
    /// Verdicts of closed legs are held back, or all given.
    case holdVerdicts(Bool)
    case silent(Int)
    case finished(Int)
    /// The leg closes by itself.
    case closed(Int)
    case locked(Int)
    case disbelieved(Int)
    case digit(Int)
    /// Of a leg that never was.
    case unknownLeg
}

/// What the scripted endpoint does; it has a dialog for each call it made or was offered, and uses the one of that place.
package enum EndpointDeed: Hashable, Sendable {
    case register(seconds: Int)
    case unregister(everybody: Bool)
    case options
    case invite(Int, Offer)
    case respond(dialog: Int, status: Int)
    case ack(dialog: Int)
    case cancel(dialog: Int)
    case bye(dialog: Int)
    case reinvite(dialog: Int, Offer)
    case update(dialog: Int)
    case info(dialog: Int)
    case prack(dialog: Int)
    case refer(dialog: Int, to: Int)
    /// REFER that names another dialog of the endpoint to be replaced.
    case referReplaces(dialog: Int, other: Int)
    /// INVITE that replaces a dialog of its own, or one that rings at others.
    case inviteReplaces(dialog: Int)
    case subscribe(Int, event: Int, seconds: Int)
    case message(Int)
    /// Whether requests inside dialogs, OPTIONS and NOTIFY draw answers.
    case answersByItself(Bool)
    case acknowledgesByItself(Bool)

    package enum Offer: Int, Hashable, Sendable, CaseIterable {
        case audio, hold, none, video, srtp, broken, port0
    }
}

/// What somebody without an account does; he has seen every message there was.
package enum StrangerDeed: Hashable, Sendable {
    case junk(Int)
    /// A message seen before, once more: from his own address or in the name of who sent it, as it was or changed.
    case replay(Int, forged: Bool, Mutation?)
    /// A request without credentials.
    case request(Int, target: Int)
    /// The same with a made-up answer to a challenge of another.
    case guess(Int, target: Int)
    /// A response to a request of the server that was meant for somebody else.
    case response(Int, status: Int)
    /// A request inside somebody's dialog.
    case intrude(Int, method: Int)
    /// So many requests at once, each from another port.
    case flood(Int)
}

/// How a message is changed on its way.
package struct Mutation: Hashable, Sendable {
    package enum Kind: Int, Hashable, Sendable, CaseIterable {
        case flipByte, dropByte, cutShort, dropLine, repeatLine, branch, toTag, fromTag, callID, cseq, expires, contact,
            contentLength
        case maxForwards, method, longLine, uri, session
    }

    package var kind: Kind
    /// Which place, line or value.
    package var choice: Int

    package init(_ kind: Kind, _ choice: Int) {
        self.kind = kind
        self.choice = choice
    }
}
