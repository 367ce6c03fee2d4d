import Base
import PhoneNode
import SIP
import Testing

@Suite("Requests to the phone")
struct RequestTests {
    private static func request(
        _ method: String, lines: String = "", cseq: String? = nil, branch: String = "z9hG4bKabc",
        uri: String = "sip:100@192.168.1.100",
        to: String = "<sip:100@203.0.113.10>", rport: String = ";rport"
    ) -> String {
        "\(method) \(uri) SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=\(branch)\(rport)\r\n"
            + "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKfar\r\nMax-Forwards: 70\r\nFrom: <sip:200@203.0.113.10>;tag=f\r\nTo: \(to)\r\n"
            + "Call-ID: c\r\nCSeq: \(cseq ?? "7 \(method)")\r\n\(lines)Content-Length: 0\r\n\r\n"
    }

    private func world() -> World {
        let registrar = TestRegistrar()
        var world = World()
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(1))
        return world
    }

    @Test(
        "Each request gets its due",
        arguments: [
            ("OPTIONS", 200), ("INVITE", 486), ("BYE", 481), ("CANCEL", 481), ("MESSAGE", 405), ("NOTIFY", 405),
            ("REGISTER", 405), ("FLY", 501),
        ])
    func verdicts(method: String, status: Int) throws {
        var world = world()
        world.inject(Self.request(method))
        world.run(for: .milliseconds(30))
        #expect(world.responses.map(\.message.statusCode) == [status])
        let response = try #require(world.responses.first?.message)
        #expect(try response.vias.count == 2)
        #expect(try response.topVia.branch == "z9hG4bKabc")
        #expect(try response.topVia.received == World.server.address)
        #expect(try response.topVia.rport == .port(5060))
        #expect(try response.to.tag != nil)
        #expect(try response.callID == "c")
        #expect(try response.cseq == CSeq(7, SIPMethod(SIPText(method))))
        if [200, 405, 501].contains(status), method != "CANCEL" { #expect(try response.allow.contains(.options)) }
    }

    @Test("RFC 3261 8.2.2.3: an unknown requirement is 420 with Unsupported; a foreign scheme is 416; another version 505")
    func refusals() throws {
        var world = world()
        world.inject(Self.request("OPTIONS", lines: "Require: 100rel, outbound\r\n"))
        world.inject(Self.request("OPTIONS", branch: "z9hG4bK2", uri: "http://x/"))
        world.inject(Self.request("OPTIONS", branch: "z9hG4bK3").replacing("198.51.100.1;branch", with: "198.51.100.1:x;branch"))
        world.inject(Self.request("OPTIONS", cseq: "7 INVITE", branch: "z9hG4bK4"))
        world.inject(
            Self.request("OPTIONS", branch: "z9hG4bK5").replacing(
                " SIP/2.0\r\nVia: SIP/2.0/UDP 203", with: " SIP/7.0\r\nVia: SIP/2.0/UDP 203"))
        world.run(for: .milliseconds(30))
        #expect(world.responses.map(\.message.statusCode) == [420, 416, 200, 400, 505])
        #expect(try world.responses[0].message.unsupported.map(\.string) == ["100rel"])
    }

    @Test("RFC 3261 17.2: copies of a request get the same answer; the refusal of an INVITE is repeated until the ACK")
    func copies() {
        var world = world()
        world.inject(Self.request("OPTIONS"))
        world.inject(Self.request("OPTIONS"))
        world.run(for: .milliseconds(30))
        #expect(world.responses.count == 2)
        #expect(world.responses[0].message == world.responses[1].message)
        world.inject(Self.request("INVITE", branch: "z9hG4bKinv"))
        world.run(for: .milliseconds(1600))
        #expect(world.responses.count == 5)
        world.inject(Self.request("ACK", cseq: "7 ACK", branch: "z9hG4bKinv"))
        world.run(for: .seconds(40))
        #expect(world.responses.count == 5)
    }

    @Test("RFC 3261 9.2: a CANCEL of a known INVITE is 200")
    func cancel() {
        var world = world()
        world.inject(Self.request("INVITE"))
        world.inject(Self.request("CANCEL"))
        world.run(for: .milliseconds(30))
        #expect(world.responses.map(\.message.statusCode) == [486, 200])
    }

    @Test("RFC 3261 18.2.2: without rport the answer goes to the port in Via")
    func withoutRport() {
        var world = world()
        world.inject(Self.request("OPTIONS", rport: ""), from: Endpoint(World.server.address, 7777))
        world.run(for: .milliseconds(30))
        #expect(world.responses.count == 1)
    }

    @Test("A flood beyond the cap is dropped and counted, and the table empties again")
    func flood() {
        var world = world()
        for number in 0..<400 { world.inject(Self.request("OPTIONS", branch: "z9hG4bKx\(number)")) }
        #expect(world.phone.counters.requestsAnswered == 256)
        #expect(world.phone.counters.dropped == 144)
        world.run(for: .seconds(33))
        world.inject(Self.request("OPTIONS", branch: "z9hG4bKlater"))
        #expect(world.phone.counters.requestsAnswered == 257)
    }
}
