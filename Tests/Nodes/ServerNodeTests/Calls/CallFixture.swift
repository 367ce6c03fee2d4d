import Base
import MediaControl
import SIP
import ServerNode
import Testing

/// Alice behind a NAT and Bob with a public address, registered, and a server with media ports.
final class CallFixture {
    let h: Harness
    let alice: UA
    let bob: UA
    /// The INVITE that Bob got.
    var invite: SIPMessage?

    init(
        _ change: (inout ServerSettings) -> Void = { _ in }, ports: [[UInt16]] = [Array(stride(from: 20_000, to: 20_200, by: 2))],
        alice aliceAt: String = "203.0.113.7:40000", bob bobAt: String = "198.51.100.77:5070", _ transport: SIPTransport = .udp
    ) throws {
        var settings = ServerSettings()
        settings.keepalive.interval = nil
        change(&settings)
        h = Harness(settings, accounts: [("alice", "secret"), ("bob", "word"), ("carol", "word"), ("dave", "word")])
        h.input(.mediaPorts(ports))
        alice = UA(h, "alice", at: aliceAt, transport)
        bob = UA(h, "bob", at: bobAt, transport)
        try alice.register()
        try bob.register()
    }

    /// Alice calls Bob up to the INVITE that Bob gets.
    @discardableResult
    func ring(body: String = UA.offer("192.168.1.10", 16_384), extra: String = "") throws -> SIPMessage {
        let out = try alice.invite("bob", body: body, extra: extra)
        let invites = try bob.mine(out)
        let invite = try #require(invites.first)
        self.invite = invite
        try bob.called(by: invite)
        return invite
    }

    /// ... and Bob's answer, and both ACKs: the 200 that Alice got.
    @discardableResult
    func talk(body: String = UA.offer("192.168.1.10", 16_384), extra: String = "") throws -> SIPMessage {
        try ring(body: body, extra: extra)
        let out = bob.respond(200, extra: "Supported: timer\r\n", body: UA.offer("198.51.100.77", 30_000, formats: "0 101"))
        let ok = try #require(try alice.mine(out).first { $0.statusCode == 200 })
        try alice.take(ok)
        alice.ack()
        return ok
    }

    /// Nothing of any call is left, once all transactions have had their time.
    func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) {
        h.advance(.seconds(70))
        #expect(h.server.callUsage == CallUsage(), sourceLocation: sourceLocation)
    }

    func statuses(_ out: [(flow: FlowID, bytes: [UInt8])], _ phone: UA) throws -> [Int] {
        try phone.mine(out).compactMap(\.statusCode)
    }

    func methods(_ out: [(flow: FlowID, bytes: [UInt8])], _ phone: UA) throws -> [String] {
        try phone.mine(out).compactMap { message in message.isRequest ? message.method?.description : nil }
    }

    /// Of the leg with that number: ports come in no order.
    func port(_ leg: UInt64) -> UInt16 { h.ports[MediaLegID(leg)] ?? 0 }

    var commands: [String] { h.media.map { Self.name($0.command) } }

    static func name(_ command: MediaCommand) -> String {
        switch command {
        case .open(let id, let setup): "open \(id.value) port \(setup.port)"
        case .remote(let id, let remote): "remote \(id.value) \(remote.rtp.map { "\($0)" } ?? "nowhere")"
        case .follow(let id, let address): "follow \(id.value) \(address)"
        case .bridge(let a, let b): "bridge \(a.value) \(b.value)"
        case .serve(let id, let service): "serve \(id.value) \(service)"
        case .room(let name, _): "room \(name)"
        case .digit(let id, let digit): "digit \(id.value) \(digit)"
        case .close(let id): "close \(id.value)"
        }
    }
}
