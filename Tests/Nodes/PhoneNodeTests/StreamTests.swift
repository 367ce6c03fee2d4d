import Base
import PhoneNode
import SIP
import Testing

/// A phone over TCP, and a server that answers on whatever connection a request came.
private struct StreamWorld {
    static let server = Endpoint("203.0.113.10:5060")!
    static let start = Instant(seconds: 1_000_000)

    var phone: PhoneNode
    var now = StreamWorld.start
    /// Whether a connection can be made.
    var accepts = true
    var answersPings = true
    /// Bytes a piece in which answers arrive.
    var piece = 4_000
    /// The response to a request: status, further lines, body; nil: none.
    var answer: (SIPMessage) -> (Int, String, String)? = { request in
        request.method == .ack ? nil : (200, "Contact: <sip:peer@203.0.113.10;transport=tcp>\r\n", "")
    }
    private(set) var connects: [(at: Duration, flow: FlowID)] = []
    private(set) var requests: [(at: Duration, flow: FlowID, message: SIPMessage)] = []
    private(set) var pings: [Duration] = []
    private(set) var statuses: [PhoneStatus] = []
    private(set) var events: [CallEvent] = []
    private(set) var disconnected: [FlowID] = []
    private(set) var datagrams: [Datagram] = []
    private var queue: [(at: Instant, input: PhoneNode.Input)] = []

    init(_ change: (inout PhoneSettings) -> Void = { _ in }) {
        var settings = PhoneSettings.test()
        settings.transport = .tcp
        settings.keepalive = .crlf
        settings.calls = CallSettings()
        change(&settings)
        phone = PhoneNode(settings: settings, entropy: Entropy(labSeed: 4))
        input(.start)
    }

    var elapsed: Duration { now - Self.start }

    mutating func input(_ input: PhoneNode.Input) {
        phone.receive(input, at: now)
        collect()
    }

    mutating func run(for duration: Duration) {
        let limit = now + duration
        while let at = [queue.first?.at, phone.nextDeadline].compactMap({ $0 }).min(), at <= limit {
            now = max(now, at)
            if let first = queue.first, first.at <= now {
                queue.removeFirst()
                input(first.input)
            } else {
                phone.advance(to: now)
                collect()
            }
        }
        now = max(now, limit)
    }

    private mutating func collect() {
        while let output = phone.nextOutput() {
            switch output {
            case .connect(var flow):
                connects.append((elapsed, flow))
                guard accepts else {
                    queue.append((now + .milliseconds(20), .closed(flow, reason: "connection refused")))
                    continue
                }
                flow.local.port = 40_000 + UInt16(connects.count)
                queue.append((now + .milliseconds(20), .connected(flow)))
            case .sendStream(let flow, let bytes): serve(bytes, flow)
            case .disconnect(let flow): disconnected.append(flow)
            case .send(let datagram): datagrams.append(datagram)
            case .status(let status): statuses.append(status)
            case .call(_, let event): events.append(event)
            case .stopped, .audio, .text, .textSent: break
            }
        }
        while phone.nextTrace() != nil {}
    }

    private mutating func serve(_ bytes: [UInt8], _ flow: FlowID) {
        if bytes == Array("\r\n\r\n".utf8) {
            pings.append(elapsed)
            if answersPings { queue.append((now + .milliseconds(20), .receivedStream(on: flow, [0x0d, 0x0a]))) }
            return
        }
        guard let message = try? SIPMessage(parsing: bytes), message.isRequest else { return }
        requests.append((elapsed, flow, message))
        guard let (status, lines, body) = answer(message) else { return }
        var text = "SIP/2.0 \(status) X\r\n"
        for name in [HeaderName.via, .from, .callID, .cseq] { text += "\(name.canonical): \(message.first(name)!.value)\r\n" }
        let to = message.first(.to)!.value.string
        text += "To: \(to)\(to.contains("tag=") ? "" : ";tag=s")\r\n\(lines)"
        if message.method == .register { text += "Contact: \(message.first(.contact)!.value);expires=3600\r\n" }
        if !body.isEmpty { text += "Content-Type: application/sdp\r\n" }
        let whole = Array((text + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
        for start in stride(from: 0, to: whole.count, by: piece) {
            queue.append(
                (now + .milliseconds(20), .receivedStream(on: flow, Array(whole[start..<min(whole.count, start + piece)]))))
        }
    }
}

@Suite("The phone over TCP")
struct StreamTests {
    @Test(
        "RFC 3261 18: it connects, registers with its transport in Via and Contact, and does not retransmit",
        arguments: [1, 7, 4_000])
    func registers(piece: Int) throws {
        var world = StreamWorld()
        world.piece = piece
        world.run(for: .seconds(10))
        #expect(world.connects.count == 1)
        #expect(world.phone.status.isRegistered)
        #expect(world.requests.count == 1)
        let register = try #require(world.requests.first?.message)
        #expect(try register.topVia.transport.string.uppercased().hasSuffix("TCP"))
        #expect(register.first(.contact)?.value.string.contains("transport=tcp") == true)
        #expect(world.datagrams.isEmpty)
    }

    @Test("RFC 5626 4.4.1: pings at 80 to 100 % of the interval; a pong in time, and the connection stays")
    func pings() {
        var world = StreamWorld()
        world.run(for: .seconds(200))
        #expect((8...10).contains(world.pings.count))
        let gaps = zip(world.pings.dropFirst(), world.pings).map { $0 - $1 }
        #expect(gaps.allSatisfy { $0 >= .seconds(20) && $0 <= .seconds(25) })
        #expect(world.connects.count == 1)
    }

    @Test("RFC 5626 4.4.1: no pong within 10 s: the connection is given up, and the phone registers over a new one at once")
    func noPong() {
        var world = StreamWorld()
        world.run(for: .seconds(1))
        world.answersPings = false
        world.run(for: .seconds(36))
        #expect(world.disconnected.count >= 1)
        #expect(world.connects.count >= 2)
        #expect(world.requests.last?.flow.connection == 2)
        #expect(world.phone.status.isRegistered)
    }

    @Test("A connection that the server closes is opened anew, and the phone registers over it")
    func closed() throws {
        var world = StreamWorld()
        world.run(for: .seconds(60))
        world.input(.closed(try #require(world.connects.first).flow, reason: "closed by the peer"))
        world.run(for: .seconds(1))
        #expect(world.connects.count == 2)
        #expect(world.phone.status.isRegistered)
        #expect(world.requests.filter { $0.message.method == .register }.count == 2)
    }

    @Test("A server that refuses connections is tried again after a pause, not in a loop")
    func refused() {
        var world = StreamWorld()
        world.accepts = false
        world.input(.closed(world.connects[0].flow, reason: "connection refused"))
        world.run(for: .seconds(100))
        #expect((2...6).contains(world.connects.count))
        #expect(!world.phone.status.isRegistered)
        world.accepts = true
        world.run(for: .seconds(400))
        #expect(world.phone.status.isRegistered)
    }

    private static let sdp =
        "v=0\r\no=- 1 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

    @Test("A call goes over the connection of the registration, its audio over UDP")
    func call() {
        var world = StreamWorld()
        world.answer = { request in
            switch request.method {
            case .some(.ack): nil
            case .some(.invite): (200, "Contact: <sip:peer@203.0.113.10;transport=tcp>\r\n", Self.sdp)
            default: (200, "", "")
            }
        }
        world.run(for: .seconds(1))
        world.input(.call(CallRequest(id: outgoing, target: "8000")))
        world.run(for: .seconds(3))
        let methods = world.requests.map { $0.message.method?.text.string ?? "" }
        #expect(methods == ["REGISTER", "INVITE", "ACK"])
        #expect(Set(world.requests.map(\.flow.connection)) == [1])
        #expect(world.requests[1].message.first(.contact)?.value.string.contains("transport=tcp") == true)
        #expect(world.datagrams.count > 100)
        #expect(Set(world.datagrams.map(\.destination)) == [Endpoint("203.0.113.10:4000"), Endpoint("203.0.113.10:4001")])
        world.input(.hangUp(outgoing))
        world.run(for: .seconds(1))
        #expect(world.requests.last?.message.method == .bye)
        #expect(world.phone.callCount == 0)
    }

    @Test("A call outlives the connection it was made over: its BYE opens another")
    func callOutlives() throws {
        var world = StreamWorld()
        world.answer = { request in
            switch request.method {
            case .some(.ack): nil
            case .some(.invite): (200, "Contact: <sip:peer@203.0.113.10;transport=tcp>\r\n", Self.sdp)
            default: (200, "", "")
            }
        }
        world.run(for: .seconds(1))
        world.input(.call(CallRequest(id: outgoing, target: "8000")))
        world.run(for: .seconds(10))
        world.input(.closed(try #require(world.connects.first).flow, reason: "reset"))
        world.run(for: .seconds(2))
        #expect(world.phone.callCount == 1)
        world.input(.hangUp(outgoing))
        world.run(for: .seconds(1))
        #expect(world.requests.last?.message.method == .bye)
        #expect(world.requests.last?.flow.connection == 2)
        #expect(world.phone.callCount == 0)
    }

    @Test("A request that comes over the connection is answered over it")
    func options() throws {
        var world = StreamWorld()
        world.run(for: .seconds(1))
        var flow = try #require(world.connects.first).flow
        flow.local.port = 40_001
        let options =
            "OPTIONS sip:100@192.168.1.100 SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.10;branch=z9hG4bKo\r\nMax-Forwards: 70\r\n"
            + "From: <sip:s@203.0.113.10>;tag=f\r\nTo: <sip:100@203.0.113.10>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        let before = world.phone.counters.requestsAnswered
        for byte in options.utf8 { world.input(.receivedStream(on: flow, [byte])) }
        #expect(world.phone.counters.requestsAnswered == before + 1)
    }

    @Test("Bytes that are no SIP end the connection, and hostile lengths do not trap")
    func garbage() throws {
        for text in [
            "GET / HTTP/1.1\r\n\r\n", "INVITE x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "INVITE x SIP/2.0\r\nContent-Length: -1\r\n\r\n", String(repeating: "a", count: 200_000),
            "SIP/2.0 200 OK\r\nContent-Length: 4294967295\r\n\r\n",
        ] {
            var world = StreamWorld()
            world.run(for: .seconds(1))
            let flow = try #require(world.connects.first).flow
            world.input(.receivedStream(on: flow, Array(text.utf8)))
            world.run(for: .seconds(60))
            #expect(world.phone.status.isRegistered, "\(text.prefix(40))")
        }
    }
}
