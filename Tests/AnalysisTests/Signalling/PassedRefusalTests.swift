import Analysis
import Base
import Testing

@Suite("A refusal that a PBX passes on is its provider's")
struct PassedRefusalTests {
    private static let provider = Endpoint("198.51.100.200:5060")!

    /// A phone's call, the PBX's own call for it to the provider and what came of both. `gap`: seconds between the two refusals.
    private func talk(_ status: Int, gap: Double = 0.02, others: Int = 0, phoneIsTold told: Int = 503) -> Talk {
        var talk = Talk()
        talk.call = "inner"
        let inner = talk.request("INVITE", "sip:200@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        talk.up(0, inner)
        talk.down(0.01, talk.response(100, to: inner))
        for number in 0...others {
            talk.call = "outer\(number)"
            let outer = talk.request("INVITE", "sip:0301234567@provider.example", 1, body: Talk.sdp("203.0.113.10"))
            talk.up(0.1, outer, from: talk.server, to: Self.provider)
            talk.down(0.4, talk.response(status, to: outer), to: talk.server, from: Self.provider)
            talk.up(0.41, talk.request("ACK", "sip:0301234567@provider.example", 1), from: talk.server, to: Self.provider)
        }
        talk.call = "inner"
        talk.down(0.4 + gap, talk.response(told, to: inner))
        talk.up(0.41 + gap, talk.request("ACK", "sip:200@pbx.example", 1))
        talk.later(60)
        return talk
    }

    @Test("403 of the provider, 503 of the PBX to the phone: one finding, at the provider")
    func passed() throws {
        let talk = talk(403)
        #expect(talk.accusations() == ["fault sip.refused"])
        let finding = try #require(talk.finding(.sipRefused))
        #expect(finding.culprit == .proved("198.51.100.200:5060"))
        #expect(finding.summary.hasSuffix("It passes on what 198.51.100.200:5060 answered to its own call for it: 403."))
        #expect(talk.result().findings.filter { $0.name == .sipRefused }.count == 1)
    }

    @Test("many calls of a PBX that its provider refuses are one finding, and what the phones are told hangs below it")
    func many() throws {
        var talk = Talk()
        for number in 0..<20 {
            let at = Double(number) * 10
            talk.call = "inner\(number)"
            let inner = talk.request("INVITE", "sip:200@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
            talk.up(at, inner)
            talk.call = "outer\(number)"
            let outer = talk.request("INVITE", "sip:0301234567@provider.example", 1, body: Talk.sdp("203.0.113.10"))
            talk.up(at + 0.1, outer, from: talk.server, to: Self.provider)
            talk.down(at + 0.4, talk.response(403, to: outer), to: talk.server, from: Self.provider)
            talk.down(at + 0.41, talk.response(503, to: inner))
        }
        talk.later(300)
        #expect(talk.accusations() == ["fault sip.refused"])
        let finding = try #require(talk.finding(.sipRefused))
        #expect(finding.subject.dialogs.count == 20)
        // The provider refuses each call of the PBX: what the phone is told hangs below that.
        #expect(finding.culprit == .between("203.0.113.10:5060", "198.51.100.200:5060"))
        #expect(finding.details.contains { $0.hasPrefix("What follows from it: The call of alice@pbx.example") })
    }

    @Test("busy, unknown or unavailable there is an everyday end, whatever the PBX makes of it", arguments: [486, 404, 480, 603])
    func everyday(status: Int) throws {
        let talk = talk(status)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.sipRefused)).culprit == .proved("198.51.100.200:5060"))
    }

    @Test("the PBX's own: it lost another call long before, or it is not to be told which of several it was", arguments: [0, 1])
    func own(others: Int) throws {
        let finding = try #require(talk(403, gap: others == 0 ? 20 : 0.02, others: others).finding(.sipRefused))
        #expect(finding.severity == .fault && finding.culprit == .unknown)
    }
}
