import Base
import Codecs
import MediaControl
import SIP
import SIPStack
import STUN
import STUNStack

/// A SIP phone: it looks up its registrar, registers, stays registered, says what it sees (RFC 3261 10.2, 5626, 3581), makes and takes
/// calls, and carries their audio.
///
/// Drive it like any machine. It sends from the endpoints in `localEndpoints`; the edge binds a socket for each.
public struct PhoneNode: Machine {
    public enum Input: Hashable, Sendable {
        /// Switches the phone on; ignored while it is on.
        case start
        /// Signs off: REGISTER with Expires 0, then `.stopped` (at once where nothing is registered, after 4 s at the latest).
        case stop
        /// `destination` is the local endpoint it arrived at.
        case received(Datagram)
        /// ICMP reported that nobody listens there.
        case unreachable(Endpoint)
        /// The machine has other addresses now; they replace the SIP sockets.
        case addressChanged([Endpoint])

        case call(CallRequest)
        /// Answers a call that rings.
        case answer(PhoneCallID, play: PlaySource)
        /// Refuses a call that rings, with a status of 400 to 699.
        case reject(PhoneCallID, status: Int)
        /// Ends a call, whatever its state: CANCEL, BYE, or 603 to one that rings.
        case hangUp(PhoneCallID)
        case hold(PhoneCallID)
        case resume(PhoneCallID)
        /// Silence goes out in place of what is played.
        case mute(PhoneCallID, Bool)
        /// 0-9, *, #, A-D; others are passed over.
        case dtmf(PhoneCallID, String)
        /// Asks the other side to call `to` instead of us (RFC 3515).
        case transfer(PhoneCallID, to: String)
        /// Asks the other side to take the place of our call `with` (RFC 3891).
        case transferAttended(PhoneCallID, with: PhoneCallID)
        case play(PhoneCallID, PlaySource)
        /// Mono samples for a call that plays `.microphone`; at most a second waits.
        case microphone(PhoneCallID, [Int16], rate: Int)
        /// A short text (RFC 3428) to `to` at our own server; answered by `.textSent`.
        case sendText(to: String, String)

        /// Answers `.connect`: the connection of that number stands; `local` is now its real address.
        case connected(FlowID)
        /// Bytes as they come; the phone finds the messages in them.
        case receivedStream(on: FlowID, [UInt8])
        /// The connection is gone, or could not be made.
        case closed(FlowID, reason: String)
    }

    public enum Output: Hashable, Sendable {
        /// `source` is one of `localEndpoints`.
        case send(Datagram)
        /// Sent whenever it differs from the last.
        case status(PhoneStatus)
        case stopped
        case call(PhoneCallID, CallEvent)
        /// What is heard of a call, 20 ms at a time, mono.
        case audio(PhoneCallID, [Int16], rate: Int)
        /// Somebody's short text.
        case text(from: String, String)
        /// What became of ours; `code` 0: it was not even sent.
        case textSent(to: String, code: Int, reason: String)
        /// Open a connection; the flow's number is the phone's, its local port unknown (0).
        case connect(FlowID)
        case sendStream(on: FlowID, [UInt8])
        case disconnect(FlowID)
    }

    /// What was counted since the phone was made.
    public struct Counters: Hashable, Sendable {
        public var registersSent: UInt64 = 0
        public var retransmissions: UInt64 = 0
        public var challengesSeen: UInt64 = 0
        public var registrations: UInt64 = 0
        public var keepalivesSent: UInt64 = 0
        public var requestsAnswered: UInt64 = 0
        public var dropped: UInt64 = 0
        public var callsMade: UInt64 = 0
        public var callsTaken: UInt64 = 0
        /// INVITEs turned away because no audio port or place was free.
        public var callsTurnedAway: UInt64 = 0
    }

    enum Registration: Sendable {
        case modern(ModernRegistration)
        case seed(SeedRegistration)
    }

    /// What this phone lets others ask of it, as in Allow.
    static let allowedMethods = "INVITE, ACK, CANCEL, OPTIONS, BYE"

    public private(set) var settings: PhoneSettings
    public private(set) var status = PhoneStatus(.starting)
    public internal(set) var counters = Counters()
    /// Whether traces are kept; nobody listening costs nothing.
    public var tracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    private(set) var isOn = false
    /// Signed off, but a BYE or CANCEL is still waiting for its answer.
    var isStopping = false
    /// Why the settings cannot work; nil where they can.
    let misconfiguration: String?
    let registrar: ServerAddress?
    let proxy: ServerAddress?
    let transactionTimers: TransactionTimers
    var registration: Registration
    var composer: RegisterComposer?
    var digest: DigestClient
    var proxyDigest: DigestClient
    var requests = OutgoingRequests()
    var incoming = IncomingRequests()
    var stun: STUNQueries
    var lookups: NameLookups
    var connections: PhoneConnections
    var calls: CallAgent?
    var optionsCSeq: UInt32 = 0
    /// Draws the branches of our own requests.
    var branches: Entropy
    /// Draws the tags of our answers.
    var tags: Entropy
    var outbox = Outbox<Output>()
    var traces = TraceBox<PhoneTrace>()

    /// - Parameters:
    ///   - codecs: what audio can be coded in; the settings choose among them.
    ///   - srtp: makes SRTP contexts; without it the phone neither offers nor takes encrypted audio.
    public init(settings: PhoneSettings, entropy seed: Entropy, codecs: CodecRegistry = .g711, srtp: SRTPProvider? = nil) {
        self.settings = settings
        // A stream of its own for each part, whether it is there or not: what one draws does not shift another's.
        var seed = seed
        var registering = seed.fork()
        var naming = seed.fork()
        let (connecting, calling) = (seed.fork(), seed.fork())
        tags = seed.fork()
        let registrar = ServerAddress(settings.identity.registrar)
        let proxy = settings.identity.outboundProxy.flatMap { ServerAddress($0) }
        misconfiguration = Self.misconfiguration(settings, registrar, proxy)
        self.registrar = registrar
        self.proxy = proxy
        let dnsPort = settings.dnsPort ?? UInt16(49_152 + naming.next() % 16_000)
        let timers = settings.timers
        let t1 = max(timers.t1, .milliseconds(1))
        transactionTimers = TransactionTimers(t1: t1, t2: max(timers.t2, t1), t4: max(timers.t4, .zero))
        let local = settings.locals.first ?? Endpoint(.v4(.any), 5060)
        let own = registering.fork()
        registration =
            switch settings.behaviour {
            case .modern:
                .modern(
                    ModernRegistration(
                        settings: settings.transport.isReliable ? ModernRegistration.overStream(settings) : settings,
                        local: local,
                        entropy: own))
            case .seed: .seed(SeedRegistration(settings: settings, local: local))
            }
        let name = settings.identity.authUser ?? settings.identity.user
        digest = DigestClient(username: name, password: .text(settings.identity.password), entropy: registering.fork())
        proxyDigest = DigestClient(username: name, password: .text(settings.identity.password), entropy: registering.fork())
        stun = STUNQueries(isClassic: settings.behaviour == .seed, t1: t1, entropy: registering.fork())
        lookups = NameLookups(
            servers: settings.dnsServers, locals: settings.locals, transport: settings.transport, port: dnsPort,
            entropy: naming)
        if let registrar, misconfiguration == nil {
            composer = RegisterComposer(settings: settings, registrar: registrar, proxy: proxy, entropy: &registering)
        }
        connections = PhoneConnections(
            transport: settings.transport, pingInterval: settings.keepalive == .none ? nil : settings.keepaliveInterval,
            entropy: connecting)
        if settings.calls != nil, misconfiguration == nil {
            calls = CallAgent(
                settings: settings, registrar: registrar, proxy: proxy, codecs: codecs, srtp: srtp, timers: transactionTimers,
                entropy: calling)
        }
        branches = registering
    }

    /// Where the phone sends from: the SIP sockets, the audio port where STUN is asked about it, and the ports of DNS queries.
    public var localEndpoints: [Endpoint] {
        var endpoints = settings.locals
        if settings.behaviour == .seed, settings.stunServer != nil {
            endpoints += settings.locals.map { Endpoint($0.address, settings.rtpPort) }
        }
        for local in settings.locals where settings.dnsServers.contains(where: { $0.address.isIPv6 == local.address.isIPv6 }) {
            endpoints += lookups.ports.map { Endpoint(local.address, $0) }
        }
        for port in calls?.ports ?? [] where !endpoints.contains(where: { $0.port == port }) {
            endpoints += settings.locals.map { Endpoint($0.address, port) }
        }
        return endpoints
    }

    /// The calls there are, with the last second heard of each.
    public func heard(of id: PhoneCallID) -> (samples: [Int16], rate: Int)? { calls?.heard(of: id) }

    /// How many calls there are, those that ring included.
    public var callCount: Int { calls?.count ?? 0 }

    // MARK: Machine

    public var nextDeadline: Instant? {
        guard isOn else { return incoming.nextDeadline }
        return [
            registration.nextDeadline, requests.nextDeadline, incoming.nextDeadline, stun.nextDeadline, lookups.nextDeadline,
            connections.nextDeadline, calls?.nextDeadline,
        ].compactMap { $0 }.min()
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .start: start(at: now)
        case .stop: stop(at: now)
        case .received(let datagram): receive(datagram, at: now)
        case .unreachable(let endpoint): unreachable(endpoint, at: now)
        case .addressChanged(let locals): addressChanged(to: locals, at: now)
        case .connected(let flow): connections.connected(flow, at: now)
        case .receivedStream(let flow, let bytes): connections.received(bytes, on: flow, at: now)
        case .closed(let flow, let reason): connections.closed(flow, reason, at: now)
        case .call, .answer, .reject, .hangUp, .hold, .resume, .mute, .dtmf, .transfer, .transferAttended, .play, .microphone,
            .sendText:
            command(input, at: now)
        }
        settle(at: now)
    }

    public mutating func advance(to now: Instant) {
        while let repeated = incoming.due(at: now) { transmit(repeated.bytes, over: repeated.flow, at: now) }
        guard isOn else { return }
        while let event = requests.due(at: now) {
            switch event {
            case .retransmit(let request):
                counters.retransmissions += 1
                note(request, .retransmits(method: request.purpose.method, cseq: request.purpose.cseq))
                transmit(request.bytes, from: request.local, to: request.remote, at: now)
            case .timedOut(let purpose):
                failed(purpose, isUnreachable: false, at: now)
                settle(at: now)
            }
        }
        stun.advance(to: now)
        lookups.advance(to: now)
        settle(at: now)
        registration.advance(to: now)
        settle(at: now)
        connections.advance(to: now)
        calls?.advance(to: now)
        settle(at: now)
    }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> PhoneTrace? { traces.next() }

    // MARK: Commands

    private mutating func start(at now: Instant) {
        guard !isOn else { return }
        guard misconfiguration == nil else {
            show(PhoneStatus(.misconfigured(misconfiguration ?? "")))
            return
        }
        isOn = true
        if settings.registers { registration.start(at: now) }
    }

    private mutating func stop(at now: Instant) {
        guard isOn else {
            outbox.append(.stopped)
            return
        }
        calls?.hangUpAll(at: now)
        if settings.registers { registration.stop(at: now) } else { stopUnregistered(at: now) }
    }

    private mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        guard !locals.isEmpty, locals != settings.locals else { return }
        settings.locals = locals
        stun.cancelAll()
        lookups.addressChanged(to: locals, at: now)
        connections.closeAll()
        if settings.registers { registration.addressChanged(to: locals, at: now) }
        settle(at: now)
        let contact = contact
        calls?.addressChanged(to: locals, contact: contact, at: now)
    }

    private mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        guard isOn else { return }
        for purpose in requests.fail(to: endpoint) { failed(purpose, isUnreachable: true, at: now) }
        settle(at: now)
        stun.unreachable(endpoint, at: now)
        lookups.unreachable(endpoint, at: now)
        settle(at: now)
        registration.unreachable(endpoint, at: now)
        calls?.unreachable(endpoint, at: now)
    }

    mutating func failed(_ purpose: OutgoingRequests.Purpose, isUnreachable: Bool, at now: Instant) {
        switch purpose {
        case .register(let cseq, _): registration.noAnswer(to: cseq, isUnreachable: isUnreachable, at: now)
        case .keepalive: if isUnreachable { registration.keepaliveInterrupted() } else { registration.keepaliveFailed(at: now) }
        }
    }

    // MARK: Following up

    /// Carries out what the parts have decided, until none has anything left to say.
    mutating func settle(at now: Instant) {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let action = registration.nextAction() {
                isQuiet = false
                perform(action, at: now)
            }
            while let event = stun.nextEvent() {
                isQuiet = false
                take(event, at: now)
            }
            while let event = lookups.nextEvent() {
                isQuiet = false
                take(event, at: now)
            }
            while let event = connections.nextEvent() {
                isQuiet = false
                take(event, at: now)
            }
            let (contact, server) = (contact, serverInUse)
            calls?.contact = contact
            calls?.server = server
            while let action = calls?.nextAction() {
                isQuiet = false
                take(action, at: now)
            }
        }
    }

    mutating func turnOff(at now: Instant) {
        if calls?.hasGoodbyesToSay ?? false {
            isStopping = true
            return
        }
        isStopping = false
        isOn = false
        connections.closeAll()
        while let event = connections.nextEvent() { take(event, at: now) }
        calls?.dropAll(at: now)
        while let action = calls?.nextAction() { take(action, at: now) }
        requests.abandon { _ in true }
        stun.cancelAll()
        lookups.cancelAll(at: now)
        outbox.append(.stopped)
    }

    mutating func show(_ new: PhoneStatus) {
        guard new != status else { return }
        status = new
        outbox.append(.status(new))
    }

    mutating func note(_ request: OutgoingRequests.Request, _ meaning: SIPMeaning) {
        traces.note(
            .sent(PhoneTrace.Message(bytes: request.bytes, local: request.local, remote: request.remote, meaning: meaning)))
    }

    private static func misconfiguration(_ settings: PhoneSettings, _ registrar: ServerAddress?, _ proxy: ServerAddress?)
        -> String?
    {
        let identity = settings.identity
        if identity.user.isEmpty { return "The user name is empty." }
        if registrar == nil { return "The registrar '\(identity.registrar)' is neither a name, an address nor a SIP URI." }
        if let text = identity.outboundProxy, proxy == nil {
            return "The outbound proxy '\(text)' is neither a name, an address nor a SIP URI."
        }
        if settings.locals.isEmpty { return "The phone has no local address." }
        if settings.locals.contains(where: { $0.port == 0 }) {
            return "A local SIP port is 0; it must be the port that is bound."
        }
        switch settings.transport {
        case .udp, .tcp, .tls: break
        case .ws, .wss: return "This phone speaks SIP over UDP, TCP and TLS, not \(settings.transport.viaToken)."
        }
        if let wanted = (proxy ?? registrar)?.transport, wanted != settings.transport {
            return "The server asks for \(wanted.viaToken); this phone is set to SIP over \(settings.transport.viaToken)."
        }
        if let fault = settings.calls.flatMap(CallAgent.misconfiguration) { return fault }
        if settings.expires == 0 { return "An expiry of 0 seconds would never register." }
        return nil
    }
}
