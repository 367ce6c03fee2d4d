import Base
import Registrar
import SIP
import SIPStack

/// The requests of ours that wait for answers (RFC 3261 17.1), found by the number in their branch.
struct ClientTransactions: Sendable {
    /// Whose request it is.
    enum Purpose: Sendable {
        /// The INVITE of a callee's leg.
        case fork(call: UInt32, leg: Int)
        /// A re-INVITE or UPDATE of an exchange, to that leg.
        case exchange(call: UInt32, leg: Int)
        /// A session refresh of ours.
        case refresh(call: UInt32, leg: Int)
        /// BYE, PRACK: only a 481 or silence would matter, and the dialog is over or will be found out.
        case courtesy
        /// A request of someone that was passed on; its response goes back.
        case relay(ServerRequest)
        case notify(subscription: UInt32)
        /// A MESSAGE to one instance; `alternates`: its other flows.
        case delivery(UInt32, alternates: [Binding], party: CallLeg.Party, aor: AddressOfRecord)
    }

    enum Machine: Sendable {
        case invite(ClientInviteTransaction)
        case nonInvite(ClientNonInviteTransaction)

        var nextDeadline: Instant? {
            switch self {
            case .invite(let machine): machine.nextDeadline
            case .nonInvite(let machine): machine.nextDeadline
            }
        }

        var isTerminated: Bool {
            switch self {
            case .invite(let machine): machine.state == .terminated
            case .nonInvite(let machine): machine.state == .terminated
            }
        }
    }

    /// An INVITE nobody wants any more (RFC 3261 9.1).
    enum Cancelling: Sendable {
        case no
        /// A CANCEL may only follow a provisional response.
        case wanted(reason: SIPText?)
        case sent(ClientNonInviteTransaction, [UInt8], until: Instant)
    }

    struct Entry: Sendable {
        var machine: Machine
        let number: UInt32
        let flow: FlowID
        let bytes: [UInt8]
        let purpose: Purpose
        /// On whose behalf it was sent; nil: on our own. Strangers are one, without a name.
        let account: SIPText?
        var cancelling = Cancelling.no
        /// The ACK of its refusal.
        var ack: [UInt8] = []

        var nextDeadline: Instant? {
            guard case .sent(let cancel, _, let until) = cancelling else { return machine.nextDeadline }
            var next = until
            for deadline in [cancel.nextDeadline, machine.nextDeadline] { if let deadline { next = min(next, deadline) } }
            return next
        }
    }

    private var entries: [UInt32: Entry] = [:]
    private var perAccount: [SIPText: Int] = [:]
    private var lastID: UInt32 = 0
    let cap: Int

    init(cap: Int) { self.cap = cap }

    var count: Int { entries.count }
    var isFull: Bool { entries.count >= cap }
    /// Accounts on whose behalf something is asked.
    var accounts: Int { perAccount.count }

    func count(of account: SIPText) -> Int { perAccount[account, default: 0] }

    /// The branch of a request to be sent.
    mutating func nextToken(_ entropy: inout Entropy) -> ClientToken {
        lastID &+= 1
        return ClientToken(.call, place: lastID, number: UInt32(truncatingIfNeeded: entropy.next()))
    }

    subscript(id: UInt32) -> Entry? {
        _read { yield entries[id] }
        _modify {
            let former = entries[id]?.account
            yield &entries[id]
            let account = entries[id]?.account
            guard account != former else { return }
            if let former, let place = perAccount.index(forKey: former) {
                perAccount.values[place] -= 1
                if perAccount.values[place] == 0 { perAccount.remove(at: place) }
            }
            if let account { perAccount[account, default: 0] += 1 }
        }
    }
}
