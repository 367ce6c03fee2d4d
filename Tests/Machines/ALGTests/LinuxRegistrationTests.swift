import ALG
import Base
import Testing

@Suite("linux: registrations and the signalling pinhole")
struct LinuxRegistrationTests {
    private func register(_ cseq: Int, contact: String = "192.168.1.100:5060", expires: Int = 120, parameters: String = "")
        -> String
    {
        lines(
            "REGISTER sip:203.0.113.20 SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "CSeq: \(cseq) REGISTER",
            "Contact: <sip:100@\(contact)\(parameters)>", "Expires: \(expires)", "Content-Length: 0", "")
    }

    private func response(_ code: Int, _ cseq: Int, contact: String?, expires: Int = 120) -> String {
        let contact = contact.map { "Contact: <sip:100@\($0)>;expires=\(expires)\r\n" } ?? ""
        return
            "SIP/2.0 \(code) X\r\nVia: SIP/2.0/UDP 203.0.113.2:5060\r\nCSeq: \(cseq) REGISTER\r\n\(contact)Content-Length: 0\r\n\r\n"
    }

    @Test("opened by REGISTER, active only with the registrar's 2xx, for as long as granted, for the registrar alone")
    func activation() {
        var bench = GatewayBench()
        _ = bench.pass(register(1))
        #expect(bench.gateway.openPinholes.map(\.isActive) == [false])
        #expect(bench.requests().isEmpty)
        _ = bench.pass(response(200, 1, contact: "203.0.113.2:5060", expires: 90), .inbound)
        guard case .open(let pinhole)? = bench.requests().first else {
            Issue.record("nothing opened")
            return
        }
        #expect(pinhole.external == Endpoint("203.0.113.2:5060"))
        #expect(pinhole.inside == Endpoint("192.168.1.100:5060"))
        #expect(pinhole.from == IPAddress("203.0.113.20"))
        #expect(pinhole.until == bench.now + .seconds(90))
        bench.now += .seconds(90)
        bench.gateway.advance(to: bench.now)
        #expect(bench.gateway.openPinholes.isEmpty)
    }

    @Test("one a flow: a second REGISTER's takes the place of the first's")
    func onlyOne() {
        var bench = GatewayBench()
        _ = bench.pass(register(1))
        _ = bench.pass(register(2, contact: "192.168.1.100:5070"))
        #expect(bench.gateway.openPinholes.map(\.external) == [Endpoint("203.0.113.2:5070")])
    }

    @Test("a Contact with another port than the flow's keeps its port outside; the flow's own port becomes the mapped one")
    func contactPort() {
        var bench = GatewayBench()
        bench.flow.mapped = Endpoint("203.0.113.2:61000")!
        #expect(bench.pass(register(1))?.contains("<sip:100@203.0.113.2:61000>") == true)
        #expect(bench.pass(register(2, contact: "192.168.1.100:5070"))?.contains("<sip:100@203.0.113.2:5070>") == true)
    }

    @Test("the port goes up by one while it is taken, so that the Contact's differs from the flow's")
    func increments() {
        var bench = GatewayBench()
        bench.taken = [Endpoint("203.0.113.2:5060")!, Endpoint("203.0.113.2:5061")!]
        #expect(bench.pass(register(1))?.contains("<sip:100@203.0.113.2:5062>") == true)
        var other = GatewayBench()
        other.gateway = bench.gateway
        other.flow.inside = Endpoint("192.168.1.101:5062")!
        other.flow.mapped = Endpoint("203.0.113.2:5062")!
        #expect(other.pass(register(1, contact: "192.168.1.101:5062"))?.contains("<sip:100@203.0.113.2:5063>") == true)
    }

    @Test("no port left: dropped")
    func noPort() {
        var bench = GatewayBench()
        bench.flow.inside = Endpoint("192.168.1.100:65535")!
        bench.flow.mapped = Endpoint("203.0.113.2:65535")!
        bench.taken = [bench.flow.mapped]
        #expect(bench.verdict(register(1, contact: "192.168.1.100:65535")) == .drop(.noFreePort(bench.flow.mapped)))
    }

    @Test(
        "no pinhole: expires 0 or none, another's address, another transport",
        arguments: [
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.100:5060>", "Expires: 0", ""),
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.100:5060>", ""),
            lines(
                "REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.100:5060>;expires=0", "Expires: 60", ""),
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.99:5060>", "Expires: 60", ""),
            lines(
                "REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.100;transport=tcp>", "Expires: 60", ""),
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: *", "Expires: 60", ""),
        ])
    func none(text: String) {
        var bench = GatewayBench()
        #expect(bench.pass(text) != nil)
        #expect(bench.gateway.openPinholes.isEmpty)
    }

    @Test("a final response from 300 closes it, a late response to an earlier REGISTER does not, a provisional one neither")
    func flush() {
        var bench = GatewayBench()
        _ = bench.pass(register(1))
        _ = bench.pass(register(2))
        _ = bench.pass(response(401, 1, contact: nil), .inbound)
        _ = bench.pass(response(100, 2, contact: nil), .inbound)
        #expect(bench.gateway.openPinholes.count == 1)
        _ = bench.pass(response(401, 2, contact: nil), .inbound)
        #expect(bench.gateway.openPinholes.isEmpty)
    }

    @Test("a 200 without our Contact, or with expires 0, closes it")
    func gone() {
        for answer in [response(200, 1, contact: nil), response(200, 1, contact: "203.0.113.2:5060", expires: 0)] {
            var bench = GatewayBench()
            _ = bench.pass(register(1))
            _ = bench.pass(answer, .inbound)
            #expect(bench.gateway.openPinholes.isEmpty)
        }
    }

    @Test("a flow that came through the pinhole cannot register")
    func expectedFlow() {
        var bench = GatewayBench()
        bench.gateway.expected(bench.flow, at: bench.now)
        _ = bench.pass(register(1))
        #expect(bench.gateway.openPinholes.isEmpty)
    }
}
