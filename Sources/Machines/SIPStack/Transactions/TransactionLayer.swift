import Base
import SIP

/// All transactions of one element (RFC 3261 17): matches messages with transactions, runs their timers, and stands between
/// the transport (flows and bytes) and the transaction user (requests and responses).
///
/// Requests of the user must carry a top Via with a branch of their own (`Entropy.branch()`); its responses are written with
/// `SIPMessageBuilder.response(to:status:toTag:source:)`.
public struct TransactionLayer: Machine {
    public struct Settings: Hashable, Sendable {
        public var timers: TransactionTimers
        public var responsePath: ResponsePath
        /// Client transactions at once; further requests are refused.
        public var clientCap: Int
        /// Server transactions at once. When full, those that only wait for retransmissions of an answered request are
        /// forgotten, oldest first; when there is none of those either, further requests get 503.
        public var serverCap: Int
        /// Whether a request that arrives a second time by another way gets 482 (RFC 3261 8.2.2.2).
        public var refusesMerged: Bool

        public init(
            timers: TransactionTimers = TransactionTimers(), responsePath: ResponsePath = .flow, clientCap: Int = 100_000,
            serverCap: Int = 200_000, refusesMerged: Bool = true
        ) {
            self.timers = timers
            self.responsePath = responsePath
            self.clientCap = clientCap
            self.serverCap = serverCap
            self.refusesMerged = refusesMerged
        }
    }

    public enum Input: Sendable {
        /// A message came over a flow.
        case received(SIPMessage, FlowID)
        /// The user begins a client transaction; answered by `.started` or `.refused`. The method `send` answers directly.
        case send(SIPMessage, FlowID)
        /// The user answers. Bytes are those of the whole response.
        case respond(ServerTransactionID, status: Int, [UInt8])
        /// A flow is gone, or an ICMP error says that nobody is there.
        case transportFailed(FlowID)
    }

    public enum Output: Sendable {
        /// Hand these bytes to the transport.
        case send(FlowID, [UInt8])
        /// A new request for the user, who answers it with `respond`.
        case request(ServerTransactionID, SIPMessage, FlowID)
        /// A CANCEL; `of` is the INVITE it means, nil where none is known. The user answers 200 to the CANCEL and 487 to the
        /// INVITE, or 481 to the CANCEL (RFC 3261 9.2).
        case cancel(ServerTransactionID, of: ServerTransactionID?, SIPMessage, FlowID)
        /// An ACK for a 2xx (or for nothing we know): `of` is the INVITE where the ACK shares its branch.
        case ack(SIPMessage, FlowID, of: ServerTransactionID?)
        /// A response to a request of the user.
        case response(ClientTransactionID, SIPMessage, FlowID)
        /// A 2xx to an INVITE whose transaction is over, or that another branch of a fork sent: ACK it anew or hang up.
        case strayResponse(SIPMessage, FlowID)
        /// Nobody answered (Timer B or F): counts as 408.
        case timeout(ClientTransactionID)
        /// The request could not be sent: counts as 503.
        case transportError(ClientTransactionID)
        /// Nobody acknowledged the refusal of an INVITE (Timer H).
        case unacknowledged(ServerTransactionID)
        /// A response could not be sent.
        case responseUndeliverable(ServerTransactionID)
        /// Answers `Input.send`: the transaction's name.
        case started(ClientTransactionID)
        /// Answers `Input.send`: nothing was sent.
        case refused(SIPMessage, SendRefusal)
    }

    /// Why a request of the user was not sent.
    public enum SendRefusal: Error, Hashable, Sendable {
        /// No request, or without a readable Via and branch.
        case malformed
        /// A transaction with this branch and method is under way.
        case branchInUse
        case tableFull
    }

    let settings: Settings
    public private(set) var counts = TransactionCounts()
    public var traces: TraceBox<TransactionTrace>
    let keys: TransactionKeys

    var clients: ClientTransactions<TransactionKey, ClientTransactionID>
    var servers: ServerTransactions<TransactionKey, ServerRecord>
    /// Who may have the same request by another way (RFC 3261 8.2.2.2).
    var mergePlaces: [TransactionKey: TransactionKey] = [:]
    private var outbox = Outbox<Output>()

    public init(settings: Settings = Settings(), entropy: inout Entropy, traces: TraceBox<TransactionTrace> = TraceBox()) {
        self.settings = settings
        self.traces = traces
        keys = TransactionKeys(entropy: &entropy)
        clients = ClientTransactions(cap: settings.clientCap, timers: settings.timers)
        servers = ServerTransactions(timers: settings.timers)
    }

    public var clientCount: Int { clients.count }
    public var serverCount: Int { servers.count }

    // MARK: Machine

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .received(let message, let flow): receive(message, over: flow, at: now)
        case .send(let request, let flow):
            do throws(SendRefusal) {
                // The name first, then the bytes.
                emit(.started(try start(request, over: flow, at: now)))
                drainClients()
            } catch {
                emit(.refused(request, error))
            }
        case .respond(let id, let status, let bytes): respond(id, status: status, bytes, at: now)
        case .transportFailed(let flow): fail(flow, at: now)
        }
    }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> TransactionTrace? { traces.next() }

    public var nextDeadline: Instant? {
        guard let client = clients.nextDeadline else { return servers.nextDeadline }
        return servers.nextDeadline.map { min($0, client) } ?? client
    }

    public mutating func advance(to now: Instant) {
        while let due = nextDeadline, due <= now {
            if clients.nextDeadline == due {
                _ = clients.advanceOnce(to: now)
                drainClients()
            } else {
                _ = servers.advanceOnce(to: now)
                drainServers(at: now)
            }
        }
    }

    // MARK: For the user, in place of inputs

    /// Begins a client transaction: `.send` follows, then one of `.response`, `.timeout` and `.transportError`.
    public mutating func send(
        _ request: SIPMessage, over flow: FlowID, at now: Instant
    ) throws(SendRefusal) -> ClientTransactionID {
        let id = try start(request, over: flow, at: now)
        drainClients()
        return id
    }

    /// Sends outside of any transaction: the ACK of a 2xx, a repeated 2xx after its transaction, a stateless answer.
    public mutating func sendStatelessly(_ bytes: [UInt8], over flow: FlowID) { emit(.send(flow, bytes)) }

    /// Ends a client transaction without waiting for its outcome.
    public mutating func abandon(_ id: ClientTransactionID) {
        if clients.user(id.key) == id { clients.forget(id.key) }
    }

    // MARK: For the parts of this type

    mutating func emit(_ output: Output) { outbox.append(output) }

    mutating func note(_ event: TransactionTrace, _ count: WritableKeyPath<TransactionCounts, UInt64>) {
        counts[keyPath: count] &+= 1
        traces.note(event)
    }

    mutating func countClientStart() { counts.clientsStarted &+= 1 }
    mutating func countServerStart() { counts.serversStarted &+= 1 }

    private mutating func receive(_ message: SIPMessage, over flow: FlowID, at now: Instant) {
        switch message.startLine {
        case .request(let method, _): receiveRequest(message, method, over: flow, at: now)
        case .response(let status, _): receiveResponse(message, status, over: flow, at: now)
        }
    }

    private mutating func fail(_ flow: FlowID, at now: Instant) {
        clients.fail(flow)
        drainClients()
        servers.fail(flow)
        drainServers(at: now)
    }
}
