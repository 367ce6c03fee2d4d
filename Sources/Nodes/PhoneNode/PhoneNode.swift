import Base
import Codecs
import MediaControl
import RegistrationClient
import SIP
import SIPStack

/// A SIP phone: it registers and stays registered by a `RegistrationClient`, makes and takes calls, carries their audio, and answers what
/// others ask of it (RFC 3261, 5626, 3581). What is here is the wiring.
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
        public var registration = RegistrationClient.Counters()
        public var requestsAnswered: UInt64 = 0
        public var dropped: UInt64 = 0
        public var callsMade: UInt64 = 0
        public var callsTaken: UInt64 = 0
        /// INVITEs turned away because no audio port or place was free.
        public var callsTurnedAway: UInt64 = 0
    }

    /// What this phone lets others ask of it where it takes no calls, as in Allow.
    static let allowedMethods = RegistrationSettings.defaultAllow

    public private(set) var settings: PhoneSettings
    public private(set) var status = PhoneStatus(.starting)
    public internal(set) var counters = Counters()
    /// Whether traces are kept; nobody listening costs nothing.
    public var tracing: Bool {
        get { traces.isOn }
        set {
            traces.isOn = newValue
            client?.tracing = newValue
            names.tracing = newValue
        }
    }

    private(set) var isOn = false
    /// Signed off, but a BYE or CANCEL is still waiting for its answer.
    var isStopping = false
    /// Why the settings cannot work; nil where they can.
    let misconfiguration: String?
    /// nil where the settings cannot work.
    var client: RegistrationClient?
    var names: NameLookups
    var connections: PhoneConnections
    var calls: CallAgent?
    var incoming = IncomingRequests()
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
        let (registering, naming, connecting, calling) = (seed.fork(), seed.fork(), seed.fork(), seed.fork())
        tags = seed.fork()
        names = NameLookups(
            servers: settings.dnsServers, locals: settings.locals, transport: settings.transport, port: settings.dnsPort,
            entropy: naming)
        connections = PhoneConnections(
            transport: settings.transport, pingInterval: settings.keepalive == .none ? nil : settings.keepaliveInterval,
            entropy: connecting)
        var fault: String?
        do {
            client = try RegistrationClient(settings: settings.registration, entropy: registering)
        } catch {
            fault = error.phoneText
        }
        misconfiguration = fault ?? settings.calls.flatMap(CallAgent.misconfiguration)
        guard misconfiguration == nil, let client else { return }
        if settings.calls != nil {
            calls = CallAgent(
                settings: settings, registrar: client.registrar, proxy: client.proxy, codecs: codecs, srtp: srtp,
                timers: settings.timers.transactions, entropy: calling)
        }
    }

    /// Where the phone sends from: the SIP sockets, the audio port where STUN is asked about it, and the ports of DNS queries.
    public var localEndpoints: [Endpoint] {
        var endpoints = settings.locals
        if settings.behaviour == .seed, settings.stunServer != nil {
            endpoints += settings.locals.map { Endpoint($0.address, settings.rtpPort) }
        }
        for local in settings.locals where settings.dnsServers.contains(where: { $0.address.isIPv6 == local.address.isIPv6 }) {
            endpoints += names.ports.map { Endpoint(local.address, $0) }
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
            client?.nextDeadline, incoming.nextDeadline, names.nextDeadline, connections.nextDeadline, calls?.nextDeadline,
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
        names.advance(to: now)
        settle(at: now)
        client?.advance(to: now)
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
        if let misconfiguration { return show(PhoneStatus(.misconfigured(misconfiguration))) }
        isOn = true
        if settings.registers { tell(.start, at: now) }
    }

    private mutating func stop(at now: Instant) {
        guard isOn else {
            outbox.append(.stopped)
            return
        }
        calls?.hangUpAll(at: now)
        // A phone that never registered has only its calls to end.
        if settings.registers { tell(.stop, at: now) } else { turnOff(at: now) }
    }

    private mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        guard !locals.isEmpty, locals != settings.locals else { return }
        settings.locals = locals
        look(.addressChanged(locals), at: now)
        connections.closeAll()
        tell(.addressChanged(locals), at: now)
        settle(at: now)
        let contact = contact
        calls?.addressChanged(to: locals, contact: contact, at: now)
    }

    private mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        guard isOn else { return }
        look(.unreachable(endpoint), at: now)
        settle(at: now)
        tell(.unreachable(endpoint), at: now)
        settle(at: now)
        calls?.unreachable(endpoint, at: now)
    }

    // MARK: Following up

    /// Carries out what the parts have decided, until none has anything left to say.
    mutating func settle(at now: Instant) {
        takeTraces()
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let output = client?.nextOutput() {
                isQuiet = false
                take(output, at: now)
            }
            while let output = names.nextOutput() {
                isQuiet = false
                take(output, at: now)
            }
            while let event = connections.nextEvent() {
                isQuiet = false
                take(event, at: now)
            }
            let (contact, server) = (contact, status.server)
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
        look(.cancelAll, at: now)
        outbox.append(.stopped)
    }

    mutating func show(_ new: PhoneStatus) {
        guard new != status else { return }
        status = new
        outbox.append(.status(new))
    }
}

extension RegistrationFault {
    /// What the phone's panel says of it.
    fileprivate var phoneText: String {
        switch self {
        case .noUser: "The user name is empty."
        case .badRegistrar(let text): "The registrar '\(text)' is neither a name, an address nor a SIP URI."
        case .badProxy(let text): "The outbound proxy '\(text)' is neither a name, an address nor a SIP URI."
        case .noLocalAddress: "The phone has no local address."
        case .noLocalPort: "A local SIP port is 0; it must be the port that is bound."
        case .foreignTransport(let transport): "This phone speaks SIP over UDP, TCP and TLS, not \(transport.viaToken)."
        case .otherTransport(let wanted, let set):
            "The server asks for \(wanted.viaToken); this phone is set to SIP over \(set.viaToken)."
        case .noExpiry: "An expiry of 0 seconds would never register."
        }
    }
}
