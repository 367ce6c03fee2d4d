import Base
import PhoneNode
import SIP
import STUN

/// A phone, a wire with latency, something that maps addresses, and a scripted server, in virtual time.
struct World {
    /// A request as the server got it.
    struct Arrival {
        var at: Duration
        var source: Endpoint
        var message: SIPMessage

        var cseq: UInt32 { (try? message.cseq.number) ?? 0 }
        var authorization: String? { message.first(.authorization)?.value.string }
        var nonce: String? { authorization.flatMap { parameter("nonce", of: $0) } }
        var contact: Endpoint? {
            guard case .list(let list)? = try? message.contacts else { return nil }
            return list.first?.uri.sip?.endpoint
        }
        var expires: UInt32? { try? message.expires }
    }

    private enum Event {
        /// `local`: the phone's socket behind `datagram.source`.
        case toServer(Datagram, local: Endpoint)
        case toPhone(Datagram)
    }

    static let start = Instant(seconds: 1_000_000)
    static let phoneEndpoint = Endpoint(.v4(IPv4Address(192, 168, 1, 100)), 5060)
    static let server = Endpoint(.v4(IPv4Address(203, 0, 113, 10)), 5060)
    static let stunServer = Endpoint(.v4(IPv4Address(203, 0, 113, 11)), 3478)
    static let publicAddress = IPAddress.v4(IPv4Address(203, 0, 113, 2))

    var phone: PhoneNode
    var now = World.start
    var latency = Duration.milliseconds(20)
    /// Maps what leaves; nil swallows it.
    var nat: (Datagram, Instant) -> Endpoint? = { datagram, _ in datagram.source }
    /// How long a message towards the phone is held back on the way, and who is told when it passes.
    var hold: (Datagram, Instant) -> Duration = { _, _ in .zero }
    var onDelivery: (Datagram) -> Void = { _ in }
    /// The SIP server: a request and where it came from; the answers go back there.
    var registrar: (SIPMessage, Endpoint, Instant) -> [[UInt8]] = { _, _, _ in [] }
    var answersSTUN = true
    /// Whether the registrar answers STUN on its SIP port.
    var registrarAnswersSTUN = false
    /// DNS and whatever else is asked elsewhere.
    var other: (Datagram, Instant) -> [Datagram] = { _, _ in [] }
    /// Counted over both directions, from 0.
    var drops: Set<Int> = []
    private(set) var carried = 0
    private(set) var arrivals: [Arrival] = []
    private(set) var stunAsked: [(at: Duration, source: Endpoint, server: Endpoint)] = []
    private(set) var crlfs = 0
    private(set) var statuses: [(at: Duration, status: PhoneStatus)] = []
    private(set) var traces: [(at: Duration, trace: PhoneTrace)] = []
    private(set) var responses: [(at: Duration, message: SIPMessage)] = []
    private(set) var stoppedAt: Duration?
    private var queue: [(at: Instant, order: Int, event: Event)] = []
    private var orders = 0

    init(_ settings: PhoneSettings = .test(), seed: UInt64 = 1) {
        phone = PhoneNode(settings: settings, entropy: Entropy(labSeed: seed))
    }

    var registers: [Arrival] { arrivals.filter { $0.message.method == .register } }
    var elapsed: Duration { now - Self.start }
    var panel: String { phone.status.panel }
    var decisions: [PhoneTrace.Decision] {
        traces.compactMap { if case .decided(let decision) = $0.trace { decision } else { nil } }
    }

    mutating func input(_ input: PhoneNode.Input) {
        phone.receive(input, at: now)
        collect()
    }

    /// From somebody on the public side straight into the phone's socket.
    mutating func inject(_ text: String, from source: Endpoint = World.server, to destination: Endpoint = World.phoneEndpoint) {
        input(.received(Datagram(from: source, to: destination, Array(text.utf8))))
    }

    mutating func run(for duration: Duration) { run(until: elapsed + duration) }

    mutating func run(until end: Duration) {
        let limit = Self.start + end
        var steps = 0
        while true {
            steps += 1
            precondition(steps < 1_000_000, "the phone does not come to rest")
            let next = queue.min { ($0.at, $0.order) < ($1.at, $1.order) }
            guard let at = [next?.at, phone.nextDeadline].compactMap({ $0 }).min(), at <= limit else { break }
            now = max(now, at)
            if let next, next.at <= now {
                queue.removeAll { $0.order == next.order }
                deliver(next.event)
            } else {
                phone.advance(to: now)
                collect()
            }
        }
        now = max(now, limit)
    }

    private mutating func deliver(_ event: Event) {
        switch event {
        case .toPhone(let datagram):
            onDelivery(datagram)
            input(.received(datagram))
        case .toServer(let datagram, let local): serve(datagram, local)
        }
    }

    private mutating func serve(_ datagram: Datagram, _ local: Endpoint) {
        if isSTUN(datagram.payload) {
            let answers = datagram.destination == Self.server ? registrarAnswersSTUN : answersSTUN
            guard answers, let request = try? STUNMessage(datagram.payload) else { return }
            var writer = STUNWriter(.bindingSuccess, request.transactionID)
            writer.add(request.transactionID.hasCookie ? .xorMappedAddress(datagram.source) : .mappedAddress(datagram.source))
            back(writer.bytes, from: datagram.destination, to: local)
            return
        }
        guard datagram.destination == Self.server || !datagram.payload.isEmpty && datagram.destination.port == 5060 else {
            for answer in other(datagram, now) { back(answer.payload, from: answer.source, to: local) }
            return
        }
        guard let message = try? SIPMessage(parsing: datagram.payload) else {
            crlfs += 1
            return
        }
        guard message.isRequest else {
            responses.append((elapsed, message))
            return
        }
        arrivals.append(Arrival(at: elapsed - latency, source: datagram.source, message: message))
        for answer in registrar(message, datagram.source, now) { back(answer, from: datagram.destination, to: local) }
    }

    private mutating func back(_ payload: [UInt8], from source: Endpoint, to local: Endpoint) {
        defer { carried += 1 }
        guard !drops.contains(carried) else { return }
        let datagram = Datagram(from: source, to: local, payload)
        let held = hold(datagram, now + latency)
        post(.toPhone(datagram), at: now + latency + held)
    }

    private mutating func collect() {
        while let output = phone.nextOutput() {
            switch output {
            case .send(let datagram):
                defer { carried += 1 }
                if isSTUN(datagram.payload) { stunAsked.append((elapsed, datagram.source, datagram.destination)) }
                guard let mapped = nat(datagram, now), !drops.contains(carried) else { continue }
                post(
                    .toServer(Datagram(from: mapped, to: datagram.destination, datagram.payload), local: datagram.source),
                    at: now + latency)
            case .status(let status): statuses.append((elapsed, status))
            case .stopped: stoppedAt = elapsed
            // Calls and streams have worlds of their own.
            case .call, .audio, .text, .textSent, .connect, .sendStream, .disconnect: break
            }
        }
        while let trace = phone.nextTrace() { traces.append((elapsed, trace)) }
    }

    private mutating func post(_ event: Event, at instant: Instant) {
        orders += 1
        queue.append((instant, orders, event))
    }
}

extension PhoneSettings {
    static func test(
        behaviour: Behaviour = .modern, password: String = "secret100", registrar: String = "203.0.113.10", stun: Bool = false,
        keepalive: Keepalive = .none, expires: UInt32 = 3600,
        instanceID: String? = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
    ) -> PhoneSettings {
        PhoneSettings(
            identity: Identity(user: "100", displayName: "A \"B\"", password: password, registrar: registrar),
            behaviour: behaviour,
            locals: [World.phoneEndpoint], expires: expires, stunServer: stun ? STUNServer("203.0.113.11:3478") : nil,
            keepalive: keepalive, instanceID: instanceID)
    }
}

/// The value of a digest parameter, quotes taken off.
func parameter(_ name: String, of header: String) -> String? {
    for part in header.dropFirst("Digest ".count).split(separator: ",") {
        let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
        if pair.count == 2, pair[0] == name { return String(pair[1].filter { $0 != "\"" }) }
    }
    return nil
}
