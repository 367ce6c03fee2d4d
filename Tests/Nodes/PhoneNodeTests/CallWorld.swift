import Base
import Codecs
import MediaControl
import PhoneNode
import RTP
import SDP
import SIP

/// Phones on one network in virtual time: every datagram reaches whoever has its destination, later by the latency.
struct CallWorld {
    /// What a phone told its owner.
    struct Told {
        var at: Duration
        var call: PhoneCallID
        var event: CallEvent
    }

    static let start = Instant(seconds: 1_000_000)

    private(set) var phones: [PhoneNode] = []
    /// Their sockets.
    private var sockets: [Endpoint: Int] = [:]
    /// A scripted peer without a phone: what is sent to this endpoint ends up in `script`.
    var script: ((Datagram, Instant) -> [Datagram])?
    var scripted: Set<Endpoint> = []
    var now = CallWorld.start
    var latency = Duration.milliseconds(20)
    /// Counted over everything that is sent, from 0; which are lost.
    var drops: Set<Int> = []
    /// The same, counted over SIP messages alone.
    var sipDrops: Set<Int> = []
    /// Every SIP message arrives twice.
    var doubles = false
    /// Whether a datagram passes, and as what.
    var wire: (Datagram) -> Datagram? = { $0 }
    private(set) var carried = 0
    private(set) var told: [[Told]] = []
    private(set) var heard: [[PhoneCallID: [Int16]]] = []
    private(set) var texts: [[(from: String, text: String)]] = []
    private(set) var textsSent: [[(to: String, code: Int)]] = []
    private(set) var stoppedAt: [Duration?] = []
    private(set) var traces: [[String]] = []
    private(set) var sip: [(at: Duration, from: Endpoint, message: SIPMessage)] = []
    private(set) var media: [(at: Duration, datagram: Datagram)] = []
    private var queue: [(at: Instant, order: Int, datagram: Datagram)] = []
    private var orders = 0

    init(_ settings: [PhoneSettings], srtp: SRTPProvider? = nil, codecs: CodecRegistry = .g711) {
        for (index, setting) in settings.enumerated() {
            phones.append(
                PhoneNode(settings: setting, entropy: Entropy(labSeed: UInt64(index) + 7), codecs: codecs, srtp: srtp))
            told.append([])
            heard.append([:])
            texts.append([])
            textsSent.append([])
            stoppedAt.append(nil)
            traces.append([])
        }
        for index in phones.indices { input(index, .start) }
    }

    var elapsed: Duration { now - Self.start }

    mutating func input(_ phone: Int, _ input: PhoneNode.Input) {
        phones[phone].receive(input, at: now)
        switch input {
        case .start, .addressChanged:
            sockets = sockets.filter { $0.value != phone }
            for endpoint in phones[phone].localEndpoints { sockets[endpoint] = phone }
        default: break
        }
        collect(phone)
    }

    mutating func call(_ phone: Int, _ target: String, id: UInt64 = 1, play: PlaySource = .tone(440), lateOffer: Bool = false) {
        input(phone, .call(CallRequest(id: PhoneCallID(id), target: target, play: play, lateOffer: lateOffer)))
    }

    /// From outside, as if it had come off the network.
    mutating func inject(_ datagram: Datagram) { deliver(datagram) }

    mutating func run(for duration: Duration) {
        let limit = now + duration
        var steps = 0
        while true {
            steps += 1
            precondition(steps < 5_000_000, "the phones do not come to rest")
            let arrival = queue.first?.at
            let timers = phones.compactMap(\.nextDeadline).min()
            guard let at = [arrival, timers].compactMap({ $0 }).min(), at <= limit else { break }
            now = max(now, at)
            if let first = queue.first, first.at <= now {
                queue.removeFirst()
                deliver(first.datagram)
            } else {
                for index in phones.indices {
                    if let deadline = phones[index].nextDeadline, deadline <= now {
                        phones[index].advance(to: now)
                        collect(index)
                    }
                }
            }
        }
        now = max(now, limit)
    }

    private mutating func deliver(_ datagram: Datagram) {
        if scripted.contains(datagram.destination), let script {
            for answer in script(datagram, now) { post(answer) }
            return
        }
        if let index = sockets[datagram.destination] { input(index, .received(datagram)) }
    }

    private mutating func collect(_ phone: Int) {
        while let output = phones[phone].nextOutput() {
            switch output {
            case .send(let datagram): post(datagram)
            case .call(let id, let event): told[phone].append(Told(at: elapsed, call: id, event: event))
            case .audio(let id, let samples, _): heard[phone][id, default: []] += samples
            case .text(let from, let text): texts[phone].append((from, text))
            case .textSent(let to, let code, _): textsSent[phone].append((to, code))
            case .stopped: stoppedAt[phone] = elapsed
            case .status, .connect, .sendStream, .disconnect: break
            }
        }
        while let trace = phones[phone].nextTrace() { traces[phone].append(trace.text) }
    }

    mutating func post(_ datagram: Datagram) {
        defer { carried += 1 }
        // What begins with a letter is SIP.
        if datagram.payload.first.map({ $0 >= 0x41 && $0 < 0x7f }) ?? false,
            let message = try? SIPMessage(parsing: datagram.payload)
        {
            sip.append((elapsed, datagram.source, message))
            guard !sipDrops.contains(sip.count - 1) else { return }
        } else {
            media.append((elapsed, datagram))
        }
        guard !drops.contains(carried), let passing = wire(datagram) else { return }
        orders += 1
        let at = now + latency
        let place = queue.firstIndex { $0.at > at } ?? queue.count
        queue.insert((at, orders, passing), at: place)
        if doubles, passing.payload.first.map({ $0 >= 0x41 }) ?? false { queue.insert((at, orders, passing), at: place) }
    }

    // MARK: What happened

    func events(_ phone: Int, _ call: UInt64? = nil) -> [CallEvent] {
        told[phone].filter { call == nil || $0.call.value == call }.map(\.event)
    }

    func report(_ phone: Int, _ call: PhoneCallID? = nil) -> CallReport? {
        for told in told[phone] where call == nil || told.call == call {
            if case .ended(let report) = told.event { return report }
        }
        return nil
    }

    func incoming(_ phone: Int) -> PhoneCallID? {
        told[phone].first { if case .incoming = $0.event { true } else { false } }?.call
    }

    func wasAnswered(_ phone: Int) -> Bool { events(phone).contains { if case .answered = $0 { true } else { false } } }

    /// Of the last second heard in a call: how much of it is that tone, as the median of fifths, so that one packet that the jitter
    /// buffer left out, and with it a jump in phase, does not count.
    func share(of frequency: Int, _ phone: Int, _ call: PhoneCallID) -> Double {
        guard let samples = heard[phone][call], samples.count >= 8_000 else { return 0 }
        let last = Array(samples.suffix(8_000))
        let fifths = (0..<5).map {
            ToneMeter.share(of: frequency, in: last[($0 * 1_600)..<($0 * 1_600 + 1_600)], sampleRate: 8_000)
        }
        return fifths.sorted()[2]
    }

    func requests(_ method: SIPMethod) -> [SIPMessage] { sip.map(\.message).filter { $0.isRequest && $0.method == method } }
    func responses(_ status: Int, to method: SIPMethod) -> [SIPMessage] {
        sip.map(\.message).filter { $0.statusCode == status && (try? $0.cseq.method) == method }
    }
}

extension PhoneSettings {
    static func caller(_ number: Int, calls: CallSettings = CallSettings()) -> PhoneSettings {
        PhoneSettings(
            identity: Identity(user: "\(100 + number)", password: "secret", registrar: "192.0.2.250"),
            locals: [Endpoint(.v4(IPv4Address(192, 0, 2, UInt8(number))), 5060)], keepalive: .none, registers: false, calls: calls
        )
    }
}

extension CallSettings {
    static func auto(_ play: PlaySource = .tone(880), after: Duration = .seconds(1)) -> CallSettings {
        CallSettings(answers: .auto(after: after), answerPlay: play)
    }
}

let outgoing = PhoneCallID(1)
