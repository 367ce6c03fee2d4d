import Analysis
import Base
import Testing

@Suite("Phones that got another address, let their registration run out, or take calls from their registrar alone")
struct MovedTests {
    private static let other = Endpoint("198.51.100.200:40000")!

    /// A registration, a call to where it came from that nobody answers, and a registration from another address.
    private func moved(isHeard: Bool = false) -> Talk {
        var talk = Talk()
        talk.registers()
        var call = talk
        call.call = "in"
        let invite = call.request("INVITE", "sip:alice@192.168.1.20", 1, body: Talk.sdp("203.0.113.10"))
        for at in [1_500, 1_500.5, 1_501.5, 1_503.5, 1_507.5, 1_515.5] { talk.down(at, invite) }
        let again = talk.register(3, nonce: "n1")
        talk.up(3_420, again, from: Self.other)
        talk.down(
            3_420.03, talk.response(200, to: again, ["Contact: <sip:alice@192.168.1.20:5060>;expires=3600"]), to: Self.other)
        if isHeard {
            var options = talk
            options.call = "o"
            let request = options.request("OPTIONS", "sip:alice@192.168.1.20", 1)
            talk.down(3_500, request)
            talk.up(3_500.03, options.response(200, to: request))
        }
        talk.later(3_600)
        return talk
    }

    @Test(
        "a call to the old address of a phone that registers from a new one tells of the change; one that is heard there has not moved"
    )
    func address() throws {
        let finding = try #require(moved().finding(.sipRetransmit))
        #expect(finding.summary.hasSuffix(" alice@pbx.example has moved to another address, 198.51.100.200."))
        #expect(finding.culprit == .proved("alice@pbx.example (198.51.100.7, then 198.51.100.200)"))
        #expect(moved(isHeard: true).finding(.sipRetransmit)?.summary.contains("has moved") == false)
    }

    /// A registration of five minutes, and a call at 900 s that its registrar refuses.
    private func lapsed(renewed: Bool = false, speaks: Bool = false) -> Talk {
        var talk = Talk()
        talk.registers(expires: 300)
        if renewed { talk.registers(at: 250, nonce: "n1", from: 3, expires: 3_600) }
        if speaks {
            var options = talk
            options.call = "o"
            let request = options.request("OPTIONS", "sip:pbx.example", 1)
            talk.up(800, request)
            talk.down(800.03, options.response(200, to: request))
            let ping = options.request("OPTIONS", "sip:alice@192.168.1.20", 2)
            talk.down(850, ping)
            talk.up(850.03, options.response(200, to: ping))
        }
        var call = talk
        call.call = "in"
        call.user = "carol"
        let from = Endpoint("198.51.100.99:5060")!
        let invite = call.request(
            "INVITE", "sip:alice@pbx.example", 1, body: Talk.sdp("198.51.100.99"), peer: "<sip:alice@pbx.example>")
        talk.up(900, invite, from: from)
        talk.down(900.01, call.response(480, to: invite), to: from)
        talk.later(1_000)
        return talk
    }

    @Test("a registration that ran out before a call is a note, for a phone may be off; a fault where the phone goes on speaking")
    func ranOut() throws {
        let finding = try #require(lapsed().finding(.regLapsed))
        #expect(finding.severity == .note && finding.culprit == .unknown)
        #expect(
            finding.summary.hasPrefix("alice@pbx.example did not renew its registration: granted 300 s, it ran out 600 s before"))
        #expect(lapsed(speaks: true).finding(.regLapsed)?.severity == .fault)
        #expect(lapsed(renewed: true).finding(.regLapsed) == nil)
    }

    /// Calls to a registered phone from another address than its registrar's, and how it answers them.
    private func fromAnother(_ statuses: [Int], rings: Bool = false) -> Talk {
        var talk = Talk()
        talk.registers()
        let second = Endpoint("203.0.113.14:5060")!
        for (number, status) in statuses.enumerated() {
            var call = talk
            call.call = "in\(number)"
            call.user = "carol\(number)"
            let invite = call.request("INVITE", "sip:alice@192.168.1.20", 1, body: Talk.sdp("203.0.113.14"))
            talk.down(20 + Double(number) * 30, invite, from: second)
            if rings { talk.up(20.05 + Double(number) * 30, call.response(180, to: invite), to: second) }
            talk.up(
                20.1 + Double(number) * 30,
                call.response(status, to: invite, body: status == 200 ? Talk.sdp("198.51.100.7") : ""),
                to: second)
        }
        talk.later(200)
        return talk
    }

    @Test(
        "a phone that refuses each call from another address than its registrar's is told, whoever calls; one such call, or one that it took or rang for, is not"
    )
    func registrarAlone() throws {
        let finding = try #require(fromAnother([403, 403]).finding(.sipRefused))
        #expect(finding.severity == .fault)
        #expect(
            finding.summary.hasPrefix(
                "198.51.100.7:40000 refuses the calls that come from 203.0.113.14:5060: it registered with 203.0.113.10"))
        #expect(fromAnother([403]).finding(.sipRefused)?.severity == .note)
        #expect(fromAnother([403, 403, 200]).finding(.sipRefused)?.severity != .fault)
        #expect(fromAnother([403, 403], rings: true).finding(.sipRefused)?.severity != .fault)
    }
}
