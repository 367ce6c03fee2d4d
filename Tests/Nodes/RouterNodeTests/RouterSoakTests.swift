import ALG
import Base
import NAT
import Packet
import RouterNode
import Testing

@Suite("Soak in virtual time: a router with its helper")
struct RouterSoakTests {
    /// Phones that register, call, talk and hang up for an hour, each from an endpoint of its own; a tenth of the packets
    /// lost, a fifth of them late and out of order.
    struct House {
        var bench: RouterBench
        var random: Entropy
        var late: [(due: Instant, interface: RouterInterface, from: Endpoint, to: Endpoint, text: String)] = []

        init(_ settings: RouterSettings, seed: UInt64) {
            bench = RouterBench(settings)
            bench.router.isTracing = false
            random = Entropy(labSeed: seed)
        }

        /// The next datagram that this phone's message became outside; nil: it came to nothing.
        mutating func out(_ from: Endpoint, _ text: String) -> Datagram? {
            guard let sent = cross(.lan, from, RouterBench.server, text), let seen = try? datagram(sent) else { return nil }
            return seen
        }

        mutating func back(_ to: Endpoint, _ text: String, from: Endpoint = RouterBench.server) {
            _ = cross(.wan, from, to, text)
        }

        private mutating func cross(_ interface: RouterInterface, _ from: Endpoint, _ to: Endpoint, _ text: String) -> [UInt8]? {
            let fate = Int.random(in: 0..<10, using: &random)
            guard fate > 0 else { return nil }
            if fate < 3 {
                late.append((bench.now + .milliseconds(Int.random(in: 1...900, using: &random)), interface, from, to, text))
                return nil
            }
            bench.sent = []
            try! bench.send(interface, from, to, text)
            return bench.sent.first { $0.interface == interface.other }?.bytes
        }

        /// Time passes; what was late arrives, the last one first.
        mutating func run(to milliseconds: Int) {
            bench.run(to: milliseconds)
            for flight in late.filter({ $0.due <= bench.now }).reversed() {
                try! bench.send(flight.interface, flight.from, flight.to, flight.text)
            }
            late.removeAll { $0.due <= bench.now }
            bench.sent = []
        }
    }

    static func call(_ number: Int, _ phone: Endpoint, _ method: String, _ body: String = "") -> String {
        Script.lines([
            "\(method) sip:600@203.0.113.20 SIP/2.0", "Via: SIP/2.0/UDP \(phone);branch=z9hG4bK\(number)",
            "Call-ID: \(number)@\(phone.address)",
            "CSeq: \(method == "BYE" ? 3 : 2) \(method)", "Contact: <sip:a@\(phone)>", "Content-Length: \(body.utf8.count)",
        ]) + body
    }

    static func sdp(_ host: String, _ port: Int) -> String {
        "v=0\r\no=- 1 1 IN IP4 \(host)\r\ns=-\r\nc=IN IP4 \(host)\r\nt=0 0\r\nm=audio \(port) RTP/AVP 0\r\n"
    }

    @Test(
        "an hour of calls with loss and reordering: not a mapping, pinhole, kept packet or timer is left",
        arguments: [RouterSettings.linux(wan: RouterBench.wan), .speedtouch780(wan: RouterBench.wan)])
    func turnover(_ settings: RouterSettings) throws {
        let calls = 2_000
        var house = House(settings, seed: 7)
        var answered = 0
        for number in 0..<calls {
            house.run(to: number * 3_600_000 / calls)
            let host = "192.168.1.\(2 + number % 200)"
            let phone = Endpoint("\(host):\(5060 + number / 200)")!
            let media = 20_000 + 2 * number
            guard let asked = house.out(phone, Script.register(1, contact: "\(phone)", via: "\(phone)")) else { continue }
            house.back(
                asked.source,
                Script.lines([
                    "SIP/2.0 200 OK", "Via: SIP/2.0/UDP \(asked.source);branch=z9hG4bK-1", "Call-ID: 3c2670-seed@snom300",
                    "CSeq: 1 REGISTER",
                    "Contact: <sip:snom@\(asked.source)>;expires=600", "Content-Length: 0",
                ]))
            guard let invited = house.out(phone, Self.call(number, phone, "INVITE", Self.sdp(host, media))) else { continue }
            answered += 1
            let body = Self.sdp("203.0.113.20", 30_000 + number % 10_000)
            house.back(
                invited.source,
                Script.lines([
                    "SIP/2.0 200 OK", "Via: SIP/2.0/UDP \(invited.source);branch=z9hG4bK\(number)", "Call-ID: \(number)@\(host)",
                    "CSeq: 2 INVITE",
                    "Content-Length: \(body.utf8.count)",
                ]) + body)
            let far = Endpoint("203.0.113.20:\(30_000 + number % 10_000)")!
            house.back(Endpoint(.v4(RouterBench.wan), UInt16(media)), "media", from: far)
            // A third of the calls never end.
            if number % 3 != 0 { _ = house.out(phone, Self.call(number, phone, "BYE")) }
        }
        #expect(answered > calls / 3)
        #expect(house.bench.router.mappings.count > 100)
        // What is late arrives; then the longest time is an hour, SIP's own in one of the two.
        for end in [3_602_000, 3_602_000 + 3_600_000] { house.run(to: end) }
        #expect(house.bench.router.mappings.isEmpty)
        #expect(house.bench.router.pinholes.isEmpty)
        #expect(house.bench.router.nextDeadline == nil)
        let snapshot = house.bench.router.snapshot(at: house.bench.now)
        #expect(snapshot.heldPackets == 0)
        #expect(snapshot.nat.created == snapshot.nat.expired + snapshot.nat.evicted)
    }
}
