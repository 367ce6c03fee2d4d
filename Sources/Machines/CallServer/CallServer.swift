import Base
import MediaControl
import SIP
import SIPStack

/// Calls as a back-to-back user agent has them (RFC 3261 6, 16, RFC 7092), with the media in the middle: forks, forwards, transfers, pick-up,
/// rooms and services, MESSAGEs between users.
///
/// It knows nothing of accounts, challenges and bindings: whoever owns it brings requests that are proved, with the party that sent them,
/// answers its look-ups in his own time, and runs the transactions of what it says.
public struct CallServer: Sendable {
    package enum Output: Sendable {
        /// Send a request; what comes of it is told by `came`.
        case ask(Request)
        /// Nobody wants the answer of that INVITE any more.
        case cancel(ClientToken, reason: SIPText?)
        /// Nothing can come back for that request any more.
        case forget(ClientToken)
        /// Outside of transactions: ACKs of 2xxs, copies of responses.
        case send(on: FlowID, [UInt8], SentMeaning)
        /// Begin the transaction of this user's INVITE.
        case open(ServerRequest, from: AddressOfRecord)
        /// A response to the INVITE with that key, by its transaction.
        case respond(UInt64, status: Int, [UInt8])
        /// There is nobody to be answered on the INVITE with that key.
        case abandon(UInt64)
        /// The final response to a request that is no INVITE with a transaction.
        case answer(ServerRequest, ReplyWriter.Reply)
        case refuse(ServerRequest, ReplyWriter.Reply, Refusal)
        case media(loop: Int, MediaCommand)
        case record(CallRecord)
        /// Who is meant, and where can he be reached? `found` is the answer, now or later; `waits`, now, that it will be later.
        case lookUp(LookUp)
        /// That target of the user is rung, and its connection is yet to be opened.
        case connect(AddressOfRecord, CallTarget)
        /// Whether the phone with that Contact takes SRTP alone, plain RTP alone, or nobody knows any more.
        case habit(AddressOfRecord, contact: SIPText, insistsOnSRTP: Bool?)
        /// A large INVITE drew nothing at all.
        case unanswered(call: UInt64, AddressOfRecord, FlowID, bytes: Int)
        /// Whoever needs not prove anything called over this connection.
        case called(over: FlowID)
        /// Something about the user's dialogs is another than before.
        case dialogsChanged(AddressOfRecord)
        /// What was noticed, where `isTracing`; of refusals always.
        case trace(Trace)
    }

    package typealias Request = ClientRequest<ClientToken, Purpose>

    package enum Trace: Sendable {
        case call(CallTrace)
        case refused(FlowID, status: Int, Refusal)
        case full(String)
    }

    /// What a request of ours is for.
    package enum Purpose: Sendable {
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
        /// A NOTIFY about that transfer of the call's.
        case referral(call: UInt32, transfer: Int)
        /// A MESSAGE to one instance; `alternates`: its other flows.
        case delivery(UInt32, alternates: [CallTarget])
    }

    /// Why a request is refused.
    package enum Refusal: Hashable, Sendable {
        case malformed(SIPParseError)
        case unknownAOR
        case foreignDomain(SIPText)
        case nobodyRegistered
        /// A `sips:` URI is asked for, and nobody is registered there over TLS.
        case onlyInClear
        case tablesFull
        case tooManyCalls(of: AddressOfRecord)
        case badContact
        case noDialog
        case noTransaction
        case notOfItsDialog(AddressOfRecord)
        case notInPickupGroup(AddressOfRecord)
        case outOfOrder(had: UInt32, got: UInt32)
        case session(SessionRefusal)
        case sessionTooSmall(UInt32)
        case glare
        case declinedThere(Int)
        case noAnswer
        case outsideCalls
        case badReferTo
        case badReplaces
        /// No call begins any more.
        case draining
    }

    /// May be exchanged while calls run: they go on, and what is decided from then on is decided by the new ones.
    package var settings: Settings
    let ways: ReplyWays
    let writer: ReplyWriter
    /// Whether `.trace` comes.
    package var isTracing = false
    /// Whether new calls are refused with 503, as the server is about to stop. Those that run go on.
    package var isDraining = false
    package var counters = Counters()
    var calls: CallTable
    var deliveries = DeliveryTable()
    var lookUps = LookUpTable()
    var entropy: Entropy
    var tokens: ClientTokens
    package internal(set) var outbox = Outbox<Output>()

    package init(settings: Settings, ways: ReplyWays, writer: ReplyWriter, entropy: Entropy, tokens: ClientTokens) {
        var entropy = entropy
        self.settings = settings
        self.ways = ways
        self.writer = writer
        self.tokens = tokens
        calls = CallTable(entropy: entropy.fork())
        self.entropy = entropy
    }

    // MARK: Outputs

    package mutating func nextOutput() -> Output? { outbox.next() }

    mutating func note(_ trace: @autoclosure () -> Trace) {
        if isTracing { outbox.append(.trace(trace())) }
    }

    /// Whoever owns this counts refusals, whether or not anybody traces.
    mutating func noteRefusal(_ flow: FlowID, status: Int, _ refusal: Refusal) {
        outbox.append(.trace(.refused(flow, status: status, refusal)))
    }

    mutating func send(_ bytes: [UInt8], on flow: FlowID, _ meaning: SentMeaning) {
        outbox.append(.send(on: flow, bytes, meaning))
    }

    mutating func answer(_ request: ServerRequest, _ reply: ReplyWriter.Reply) { outbox.append(.answer(request, reply)) }

    mutating func refuse(_ request: ServerRequest, _ reply: ReplyWriter.Reply, _ refusal: Refusal) {
        outbox.append(.refuse(request, reply, refusal))
    }

    mutating func refuse(_ request: ServerRequest, _ status: Int, _ refusal: Refusal) {
        var reply = ReplyWriter.Reply(status)
        if case .malformed(let error) = refusal { reply.reason = "Bad Request (\(error))" }
        if status == 503 { reply.add("Retry-After", number: 5) }
        refuse(request, reply, refusal)
    }

    // MARK: Queries

    /// Whether a call's leg uses this flow.
    package func uses(_ flow: FlowID) -> Bool { calls.uses(flow) }

    package var isEmpty: Bool { calls.count == 0 }

    /// What calls hold right now; all zero where none is.
    package var usage: CallUsage {
        var usage = calls.usage
        usage.deliveries = deliveries.count
        usage.lookUps = lookUps.count
        usage.deadlines += lookUps.pendingDeadlines
        return usage
    }

    /// The media ports by loop, once and before the first call.
    package mutating func setPorts(_ ports: [[UInt16]]) { calls.ports = PortPool(ports, entropy: entropy.fork()) }
}
