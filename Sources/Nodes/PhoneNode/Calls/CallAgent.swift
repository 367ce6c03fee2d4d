import Base
import Codecs
import ICE
import MediaControl
import RTP
import SDP
import RegistrationClient
import SIP
import SIPStack
import STUN
import STUNStack

/// The phone's calls: user agent client and server of INVITE with all that follows (RFC 3261, 3262, 3264, 3311, 3515, 3891, 4028),
/// and the audio of each.
struct CallAgent: Sendable {
    enum Action: Sendable {
        /// SIP over a flow.
        case signal(FlowID, [UInt8], SIPMeaning)
        /// RTP, RTCP or STUN from an audio port.
        case media(Datagram)
        case event(PhoneCallID, CallEvent)
        case audio(PhoneCallID, [Int16], rate: Int)
        case resolve(PhoneCallID, ServerAddress)
        case resolveSTUN(PhoneSettings.STUNServer)
        /// Answered by `opened`.
        case open(PhoneCallID, Endpoint)
        case trace(PhoneTrace)
        case made
        case taken
        case turnedAway
        case dropped(from: Endpoint, reason: String)
        case text(from: String, String)
        case textSent(to: String, code: Int, reason: String)
        /// No call is left.
        case quiet
    }

    /// What a request of ours is for.
    enum Purpose: Sendable {
        case invite
        case reinvite(isRefresh: Bool)
        case update(isRefresh: Bool)
        case prack
        case bye
        /// Of a branch of a fork that is not the call.
        case strayBye
        case cancel
        case info
        case refer
        case notify
    }

    /// A request inside a dialog, kept so that it can be sent anew with credentials.
    struct Draft: Sendable {
        var method: SIPMethod
        var headers: [(name: HeaderName, value: SIPText)] = []
        var type: SIPText?
        var body: [UInt8] = []
    }

    struct Sent: Sendable {
        var call: PhoneCallID
        var purpose: Purpose
        var draft: Draft
        var sequence: UInt32
        var rounds = 0
        /// The early dialog it was sent in, by its remote tag.
        var tag: SIPText?
    }

    enum Timer: Hashable, Sendable {
        case call(PhoneCallID)
        case media(PhoneCallID)
        case ice(PhoneCallID)
        case stun(STUNTransactionID)
    }

    struct MappingQuery: Sendable {
        var call: PhoneCallID
        var isRTCP: Bool
        var request: STUNClientRequest
    }

    static let allowedMethods = "INVITE, ACK, CANCEL, OPTIONS, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE"
    static let extensions = "100rel, timer, replaces"
    static let understood = ["path", "outbound", "100rel", "timer", "replaces", "norefersub"]
    static let mostCalls = 64
    static let mappingRefresh = Duration.seconds(15)
    /// Of goodbyes while the phone is switched off.
    static let stopPatience = Duration.seconds(4)

    let settings: PhoneSettings
    let wishes: CallSettings
    let registrar: ServerAddress?
    let proxy: ServerAddress?
    let registry: CodecRegistry
    let srtp: SRTPProvider?
    let timers: TransactionTimers
    /// What our Contact names.
    var contact: Endpoint
    /// Where requests go that are for our own server: the flow of the registration, nil while there is none.
    var server: Endpoint?
    var locals: [Endpoint]
    var layer: TransactionLayer
    var calls: [PhoneCallID: Call] = [:]
    var media: [PhoneCallID: CallMedia] = [:]
    var ice: [PhoneCallID: ICEAgent] = [:]
    var portOwners: [UInt16: PhoneCallID] = [:]
    /// Even ports, the one that was freed first in front.
    var freePorts: [UInt16]
    var dialogs: [DialogID: PhoneCallID] = [:]
    var sent: [ClientTransactionID: Sent] = [:]
    var texts: [ClientTransactionID: (Text, FlowID)] = [:]
    var invitations: [ServerTransactionID: PhoneCallID] = [:]
    var queries: [STUNTransactionID: MappingQuery] = [:]
    var deadlines = DeadlineQueue<Timer>()
    var digest: DigestClient
    var proxyDigest: DigestClient
    var lastIncoming: UInt64 = PhoneCallID.firstIncoming
    var lastReferred: UInt64 = 1 << 31
    var stopBy: Instant?
    var entropy: Entropy
    private var outbox = Outbox<Action>()

    /// All ports the audio of calls needs.
    let ports: [UInt16]
    let portSet: Set<UInt16>

    init(
        settings: PhoneSettings, registrar: ServerAddress?, proxy: ServerAddress?, codecs: CodecRegistry, srtp: SRTPProvider?,
        timers: TransactionTimers, entropy seed: Entropy
    ) {
        var entropy = seed
        self.settings = settings
        let wishes = settings.calls ?? CallSettings()
        self.wishes = wishes
        self.registrar = registrar
        self.proxy = proxy
        self.srtp = srtp
        self.timers = timers
        registry = CodecRegistry(
            wishes.codecs.compactMap { name in codecs.codecs.first { $0.encoding.lowercased() == name.lowercased() } })
        contact = settings.locals.first ?? Endpoint(.v4(.any), 5060)
        locals = settings.locals
        layer = TransactionLayer(
            settings: TransactionLayer.Settings(timers: timers, responsePath: .via, clientCap: 1024, serverCap: 1024),
            entropy: &entropy)
        layer.traces.isOn = false
        freePorts = wishes.rtpPorts
        ports = wishes.rtpPorts.flatMap { [$0, $0 + 1] }
        portSet = Set(ports)
        digest = settings.identity.digest(entropy.fork())
        proxyDigest = settings.identity.digest(entropy.fork())
        self.entropy = entropy
    }

    /// Why call settings cannot work; nil where they can.
    static func misconfiguration(_ settings: CallSettings) -> String? {
        if settings.rtpPorts.isEmpty { return "The phone has no port for audio." }
        if settings.rtpPorts.count > mostCalls { return "The phone has more than \(mostCalls) ports for audio." }
        if settings.rtpPorts.contains(where: { $0 == 0 || $0 % 2 == 1 }) {
            return "A port for audio is 0 or odd; RTP takes even ports."
        }
        if Set(settings.rtpPorts).count < settings.rtpPorts.count { return "A port for audio stands twice." }
        if settings.codecs.isEmpty { return "The phone has no codec." }
        if let interval = settings.sessionExpires, interval < 90 { return "A session timer of less than 90 s is not allowed." }
        return nil
    }

    var count: Int { calls.values.reduce(0) { $0 + ($1.isAlive ? 1 : 0) } }
    var hasGoodbyesToSay: Bool { !calls.isEmpty }

    func heard(of id: PhoneCallID) -> (samples: [Int16], rate: Int)? { media[id].map { ($0.heard, $0.heardRate) } }

    // MARK: Machine

    var nextDeadline: Instant? { [deadlines.nextDeadline, layer.nextDeadline, stopBy].compactMap { $0 }.min() }

    mutating func nextAction() -> Action? {
        pump()
        return outbox.next()
    }

    mutating func advance(to now: Instant) {
        layer.advance(to: now)
        drainLayer(at: now)
        while let timer = deadlines.popDue(at: now) {
            switch timer {
            case .call(let id): advance(id, to: now)
            case .media(let id): advanceMedia(id, to: now)
            case .ice(let id): advanceICE(id, to: now)
            case .stun(let id): advanceQuery(id, to: now)
            }
            drainLayer(at: now)
        }
        if let stopBy, stopBy <= now { dropAll(at: now) }
    }

    // MARK: Messages

    /// Whether a request is ours rather than the rest of the phone's.
    func takes(_ message: SIPMessage, _ method: SIPMethod) -> Bool {
        switch method {
        case .invite, .ack, .cancel, .bye, .prack, .update, .info, .refer, .notify, .message: true
        case .options: DialogID(request: message).map { dialogs[$0] != nil } ?? false
        default: false
        }
    }

    /// Whether a response to that method may be ours.
    func expects(_ method: SIPMethod) -> Bool {
        switch method {
        case .invite, .cancel, .bye, .prack, .update, .info, .refer, .notify, .message: true
        default: false
        }
    }

    mutating func receive(_ message: SIPMessage, over flow: FlowID, at now: Instant) {
        layer.receive(.received(message, flow), at: now)
        drainLayer(at: now)
    }

    mutating func drainLayer(at now: Instant) {
        while let output = layer.nextOutput() {
            switch output {
            case .send(let flow, let bytes): emit(.signal(flow, bytes, Self.meaning(of: bytes)))
            case .request(let id, let message, let flow): received(id, message, flow, at: now)
            case .cancel(let id, let invite, let message, let flow): cancelled(id, invite, message, flow, at: now)
            case .ack(let message, _, _): acknowledged(message, at: now)
            case .response(let id, let message, let flow): answered(id, message, flow, at: now)
            case .strayResponse(let message, let flow): strayAnswer(message, flow, at: now)
            case .timeout(let id): failed(id, isUnreachable: false, "no answer", at: now)
            case .transportError(let id): failed(id, isUnreachable: true, "nobody is there", at: now)
            case .unacknowledged(let id): invitations[id] = nil
            case .responseUndeliverable, .started, .refused: break
            }
        }
    }

    /// ICMP reported that nobody listens at `endpoint`.
    mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        for local in locals { layer.receive(.transportFailed(FlowID(.udp, local: local, remote: endpoint)), at: now) }
        drainLayer(at: now)
        for query in queries.values where query.request.server == endpoint {
            tell(query.request.transactionID, at: now) { $0.receive(.unreachable, at: now) }
        }
        unreachableForICE(endpoint, at: now)
    }

    mutating func lost(_ flow: FlowID, _ reason: String, at now: Instant) {
        // Connections are known to transactions by the name they were opened with.
        for call in calls.values where call.flow?.connection == flow.connection && call.flow?.transport == flow.transport {
            guard let own = call.flow else { continue }
            layer.receive(.transportFailed(own), at: now)
        }
        layer.receive(.transportFailed(flow), at: now)
        drainLayer(at: now)
    }

    // MARK: The table

    mutating func emit(_ action: Action) { outbox.append(action) }

    mutating func note(_ id: PhoneCallID, _ text: @autoclosure () -> String) {
        emit(.trace(.call(id, text())))
    }

    /// Puts a call back after work on a copy of it.
    mutating func store(_ call: Call) {
        if case .gone = call.state {
            calls[call.id] = nil
            deadlines.set(.call(call.id), to: nil)
            for (id, owner) in dialogs where owner == call.id { dialogs[id] = nil }
            if calls.isEmpty { emit(.quiet) }
            return
        }
        calls[call.id] = call
        deadlines.set(.call(call.id), to: call.deadlines.compactMap { $0 }.min())
    }

    /// Tells the owner how the call ended, once, and frees its audio port.
    mutating func report(_ call: inout Call, _ end: CallEnd, at now: Instant) {
        guard !call.isReported else { return }
        call.isReported = true
        call.timer = nil
        (call.dtmfAt, call.hangUpAt, call.mappingRefreshAt) = (nil, nil, nil)
        var report = CallReport(id: call.id, remote: call.remote, startedAt: call.startedAt, endedAt: now, end: end)
        report.answeredAt = call.answeredAt
        if case .known(let rtp, _) = call.mapping { report.mapped = rtp }
        if var audio = media[call.id] {
            audio.sayGoodbye(at: now)
            media[call.id] = audio
            drainMedia(call.id, at: now)
            audio.fill(&report)
            deadlines.set(.media(call.id), to: nil)
            freePort(of: call.id)
            ice[call.id] = nil
            deadlines.set(.ice(call.id), to: nil)
        }
        for (key, query) in queries where query.call == call.id {
            queries[key] = nil
            deadlines.set(.stun(key), to: nil)
        }
        emit(.event(call.id, .ended(report)))
        reportReferral(&call, end, at: now)
    }

    private static func meaning(of bytes: [UInt8]) -> SIPMeaning {
        let line = bytes.prefix { $0 != 0x0D }
        if line.starts(with: "SIP/2.0 ".utf8) {
            let code = SIPText(line.dropFirst(8).prefix(3)).decimal.map(Int.init) ?? 0
            let method = SIPText(bytes).method ?? ""
            return .answers(code: code, method: method)
        }
        let method = String(decoding: line.prefix { $0 != 0x20 }, as: UTF8.self)
        return .callRequest(method: method, cseq: (try? SIPMessage(salvaging: bytes).cseq.number) ?? 0, again: false)
    }

    private mutating func pump() {
        while let trace = layer.nextTrace() { _ = trace }
    }
}

extension SIPText {
    /// Of a whole response: the method in its CSeq.
    fileprivate var method: String? { (try? SIPMessage(salvaging: Array(bytes)))?.method?.text.string }
}
