import Base
import SIP
import SIPStack
import STUN

/// Registers one address of record and stays registered (RFC 3261 10.2, RFC 5626, RFC 3581): composes each REGISTER, answers its challenges,
/// keeps the path alive, and watches which address the path has.
///
/// It knows neither sockets, connections nor names: its owner carries datagrams and messages, and looks names up for it.
public struct RegistrationClient: Machine {
    public enum Input: Sendable {
        /// Registers; ignored while it does.
        case start
        /// Signs off: REGISTER with Expires 0, then `.stopped` (at once where nothing is registered, after 4 s at the latest).
        case stop
        /// Answers `.lookUpServer`; the best endpoint first.
        case foundServer([Endpoint])
        /// Answers it too. `reason` as a clause: "the name does not exist".
        case serverNotFound(name: String, reason: String)
        /// Answers `.lookUpSTUN`; empty where it has no address.
        case foundSTUN([Endpoint])
        /// A response that `awaits` said yes to.
        case response(SIPMessage, FlowID)
        /// STUN on one of our sockets that `awaits` said yes to.
        case received(Datagram)
        /// ICMP reported that nobody listens there.
        case unreachable(Endpoint)
        /// The connection to that peer is gone, or could not be made (then `livedFor` is nil).
        case connectionLost(Endpoint, livedFor: Duration?)
        /// The machine has other addresses now; they replace the SIP sockets.
        case addressChanged([Endpoint])
    }

    public enum Output: Hashable, Sendable {
        /// A SIP message, or a CRLF, from one of our sockets; over the connection to the destination where the transport has such.
        case signal(Datagram)
        /// A STUN request, which is a datagram whatever carries SIP.
        case ask(Datagram)
        /// The registrar, or the proxy before it, by RFC 3263.
        case lookUpServer(ServerAddress)
        /// The STUN server, by its addresses alone.
        case lookUpSTUN(RegistrationSettings.STUNServer)
        /// Sent whenever it differs from the last.
        case status(RegistrationStatus)
        case stopped
    }

    /// What was counted since it was made.
    public struct Counters: Hashable, Sendable {
        public var registersSent: UInt64 = 0
        public var retransmissions: UInt64 = 0
        public var challengesSeen: UInt64 = 0
        public var registrations: UInt64 = 0
        public var keepalivesSent: UInt64 = 0

        public init() {}
    }

    public private(set) var settings: RegistrationSettings
    public private(set) var status = RegistrationStatus(.starting)
    public private(set) var counters = Counters()
    /// Whether traces are kept; nobody listening costs nothing.
    public var tracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }
    /// Where REGISTER goes and whom its Request-URI names.
    public let registrar: ServerAddress
    /// Where requests go instead; nil: to the registrar itself.
    public let proxy: ServerAddress?

    private let timers: TransactionTimers
    private var registration: Registration
    private let composer: RegisterComposer
    private var digest: DigestClient
    private var proxyDigest: DigestClient
    private var requests = OutgoingRequests()
    private var stun: STUNQueries
    private var optionsCSeq: UInt32 = 0
    private var entropy: Entropy
    private var outbox = Outbox<Output>()
    private var traces = TraceBox<RegistrationTrace>()

    /// - Throws: what makes the settings unusable.
    public init(settings: RegistrationSettings, entropy seed: Entropy) throws(RegistrationFault) {
        (registrar, proxy) = try settings.servers()
        var entropy = seed
        self.settings = settings
        timers = settings.timers.transactions
        let local = settings.locals[0]
        let own = entropy.fork()
        registration =
            switch settings.behaviour {
            case .modern:
                .modern(
                    ModernRegistration(
                        settings: settings.transport.isReliable ? ModernRegistration.overStream(settings) : settings,
                        local: local, entropy: own))
            case .seed: .seed(SeedRegistration(settings: settings, local: local))
            }
        digest = settings.identity.digest(entropy.fork())
        proxyDigest = settings.identity.digest(entropy.fork())
        stun = STUNQueries(isClassic: settings.behaviour == .seed, t1: timers.t1, entropy: entropy.fork())
        composer = RegisterComposer(settings: settings, registrar: registrar, proxy: proxy, entropy: &entropy)
        self.entropy = entropy
    }

    /// The address that our Contact names.
    public var contact: Endpoint { registration.contact }

    /// Whether a response with that branch and method answers a request of ours that still waits.
    public func awaits(branch: String, _ method: SIPMethod) -> Bool { requests.awaits(branch, method) }

    /// Whether a STUN message on one of our sockets answers a request of ours.
    public func awaits(_ datagram: Datagram) -> Bool { stun.awaits(datagram) }

    // MARK: Machine

    public var nextDeadline: Instant? {
        [registration.nextDeadline, requests.nextDeadline, stun.nextDeadline].compactMap { $0 }.min()
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .start: registration.start(at: now)
        case .stop: registration.stop(at: now)
        case .foundServer(let endpoints): registration.resolved(endpoints, at: now)
        case .serverNotFound(let name, let reason): registration.unresolvable(name: name, reason: reason, at: now)
        case .foundSTUN(let servers): askSTUN(servers, at: now)
        case .response(let message, let flow): receive(message, flow, at: now)
        case .received(let datagram): stun.receive(datagram, at: now)
        case .unreachable(let endpoint): unreachable(endpoint, at: now)
        case .connectionLost(let remote, let livedFor):
            for purpose in requests.fail(to: remote) { failed(purpose, isUnreachable: true, at: now) }
            registration.connectionLost(remote, livedFor: livedFor, at: now)
        case .addressChanged(let locals):
            settings.locals = locals
            stun.cancelAll()
            registration.addressChanged(to: locals, at: now)
        }
        settle(at: now)
    }

    public mutating func advance(to now: Instant) {
        while let event = requests.due(at: now) {
            switch event {
            case .retransmit(let request):
                counters.retransmissions += 1
                let meaning = SIPMeaning.retransmits(method: request.purpose.method, cseq: request.purpose.cseq)
                send(request, meaning)
            case .timedOut(let purpose):
                failed(purpose, isUnreachable: false, at: now)
                settle(at: now)
            }
        }
        stun.advance(to: now)
        settle(at: now)
        registration.advance(to: now)
        settle(at: now)
    }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> RegistrationTrace? { traces.next() }

    // MARK: News

    private mutating func receive(_ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        guard case .response(let status, _) = message.startLine, let via = try? message.topVia, let branch = via.branch?.string,
            let method = try? message.cseq.method
        else { return }
        let meaning: SIPMeaning
        switch requests.receive(status: status, branch: branch, method: method, at: now) {
        case .none, .copy: meaning = .strayResponse(code: status)
        case .delivered(.keepalive):
            let seen = RegisterResponse.seen(via)
            meaning = .keepaliveAnswered(code: status, seenAs: seen)
            // A 100 has come through as well, but the final answer is on its way.
            if status >= 200 { registration.keepaliveAnswered(seenAs: seen, at: now) }
        case .delivered(.register(let cseq, let contact)):
            let chooser = status == 407 ? proxyDigest : digest
            var response = RegisterResponse(
                message, status: status, contact: contact, user: settings.identity.user, instanceID: settings.instanceID
            ) { chooser.choose($0) }
            // What a registrar sees of a connection is no address that anybody could reach us at.
            if flow.transport.isReliable { response.seenAs = nil }
            switch response.verdict {
            case .challenged: counters.challengesSeen += 1
            case .accepted: counters.registrations += 1
            case .provisional, .tooBrief, .refused: break
            }
            meaning = registration.response(to: cseq, response, at: now)
        }
        traces.note(
            .received(
                RegistrationTrace.Message(
                    bytes: message.bytes, local: flow.local, remote: flow.remote, meaning: meaning, transport: flow.transport)))
    }

    private mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        for purpose in requests.fail(to: endpoint) { failed(purpose, isUnreachable: true, at: now) }
        settle(at: now)
        stun.unreachable(endpoint, at: now)
        settle(at: now)
        registration.unreachable(endpoint, at: now)
    }

    private mutating func failed(_ purpose: OutgoingRequests.Purpose, isUnreachable: Bool, at now: Instant) {
        switch purpose {
        case .register(let cseq, _): registration.noAnswer(to: cseq, isUnreachable: isUnreachable, at: now)
        case .keepalive: if isUnreachable { registration.keepaliveInterrupted() } else { registration.keepaliveFailed(at: now) }
        }
    }

    // MARK: Following up

    /// Carries out what the parts have decided, until none has anything left to say.
    private mutating func settle(at now: Instant) {
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
        }
    }

    private mutating func perform(_ action: RegistrationAction, at now: Instant) {
        switch action {
        case .resolve: outbox.append(.lookUpServer(proxy ?? registrar))
        case .register(let plan): register(plan, at: now)
        case .abandon(let cseq): requests.abandon { if case .register(cseq, _) = $0 { true } else { false } }
        case .askSTUN: if let server = settings.stunServer { outbox.append(.lookUpSTUN(server)) }
        case .keepalive(let kind, let target): keepAlive(kind, target, at: now)
        case .stopKeepalive:
            stun.cancel(.keepalive)
            requests.abandon { if case .keepalive = $0 { true } else { false } }
        case .decided(let decision): traces.note(.decided(decision))
        case .status(let new):
            guard new != status else { return }
            status = new
            outbox.append(.status(new))
        case .stopped:
            requests.abandon { _ in true }
            stun.cancelAll()
            outbox.append(.stopped)
        }
    }

    private mutating func register(_ plan: RegisterPlan, at now: Instant) {
        let branch = "z9hG4bK\(entropy.hex(20))"
        let subject = DigestSubject(
            method: Array("REGISTER".utf8)[...], uri: Array(composer.requestURI.utf8)[...],
            callID: Array(composer.callIDText.utf8)[...], sequence: plan.cseq)
        var authorization: [(name: String, value: [UInt8])] = []
        for answer in plan.credentials {
            if answer.isProxy {
                if let value = proxyDigest.answer([answer.challenge], for: subject) {
                    authorization.append(("Proxy-Authorization", value))
                }
            } else if let value = digest.answer([answer.challenge], for: subject) {
                authorization.append(("Authorization", value))
            }
        }
        let request = OutgoingRequests.Request(
            purpose: .register(cseq: plan.cseq, contact: plan.contact),
            bytes: composer.register(plan, branch: branch, authorization: authorization), local: plan.local, remote: plan.target,
            transaction: ClientNonInviteTransaction(isReliable: settings.transport.isReliable, timers: timers, at: now))
        counters.registersSent += 1
        requests.begin(request, branch: branch)
        send(request, plan.meaning)
    }

    private mutating func keepAlive(_ kind: RegistrationSettings.Keepalive, _ target: Endpoint, at now: Instant) {
        guard let local = settings.local(for: target) else { return }
        counters.keepalivesSent += 1
        switch kind {
        case .none: break
        case .crlf:
            traces.note(.crlfSent(local: local, remote: target))
            outbox.append(.signal(Datagram(from: local, to: target, Array("\r\n\r\n".utf8))))
        case .stun:
            guard !stun.isUnderWay(.keepalive) else { return }
            traces.note(.stunAsked(.keepalive, local: local, server: target))
            stun.ask(.keepalive, from: local, to: target, at: now)
        case .options:
            optionsCSeq = optionsCSeq &+ 1 & 0x7fff_ffff
            let branch = "z9hG4bK\(entropy.hex(20))"
            let request = OutgoingRequests.Request(
                purpose: .keepalive(cseq: optionsCSeq), bytes: composer.options(cseq: optionsCSeq, sentBy: local, branch: branch),
                local: local, remote: target,
                transaction: ClientNonInviteTransaction(isReliable: settings.transport.isReliable, timers: timers, at: now))
            requests.begin(request, branch: branch)
            send(request, .keepaliveOptions(cseq: optionsCSeq))
        }
    }

    private mutating func send(_ request: OutgoingRequests.Request, _ meaning: SIPMeaning) {
        traces.note(
            .sent(
                RegistrationTrace.Message(
                    bytes: request.bytes, local: request.local, remote: request.remote, meaning: meaning,
                    transport: settings.transport)))
        outbox.append(.signal(Datagram(from: request.local, to: request.remote, request.bytes)))
    }

    // MARK: STUN

    private mutating func askSTUN(_ servers: [Endpoint], at now: Instant) {
        guard let server = servers.first(where: { settings.local(for: $0) != nil }), let local = settings.local(for: server)
        else {
            registration.stunSilent(at: now)
            return
        }
        var questions: [(RegistrationTrace.STUNPurpose, Endpoint)] = [(.sip, local)]
        if settings.behaviour == .seed { questions.append((.rtp, Endpoint(local.address, settings.rtpPort))) }
        for (purpose, source) in questions where !stun.isUnderWay(purpose) {
            traces.note(.stunAsked(purpose, local: source, server: server))
            stun.ask(purpose, from: source, to: server, at: now)
        }
    }

    private mutating func take(_ event: STUNQueries.Event, at now: Instant) {
        switch event {
        case .send(let datagram): outbox.append(.ask(datagram))
        case .mapped(let purpose, let local, let server, let mapped):
            traces.note(.stunObserved(purpose, local: local, server: server, mapped: mapped))
            switch purpose {
            case .sip: registration.stunSaw(mapped, of: local, at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveMapped(mapped, at: now)
            }
        case .silent(let purpose, let server):
            traces.note(.stunSilent(purpose, server: server))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveFailed(at: now)
            }
        case .unreachable(let purpose, let server):
            traces.note(.stunRefused(purpose, server: server, reason: "nobody listens there"))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveInterrupted()
            }
        case .refused(let purpose, let server, let reason):
            traces.note(.stunRefused(purpose, server: server, reason: reason))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            // Even a refusal has come through: the path is open.
            case .keepalive: registration.keepaliveAnswered(seenAs: nil, at: now)
            }
        }
    }
}
