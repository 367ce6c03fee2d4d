import Analysis
import Base
import Testing

@Suite("sip.retransmit: many requests in a row that nobody answers, each sent once")
struct TriesTests {
    private static let phone = Endpoint("198.51.100.7:40000")!

    /// Ten OPTIONS of the server to the phone, half a minute apart, of which the first so many are answered.
    private func talk(answered: Int, also method: String? = nil, both: Bool = true, count: Int = 10, moved: Bool = false) -> Talk
    {
        var talk = Talk()
        talk.server = Endpoint("203.0.113.10:5060")!
        if both { talk.registers() }
        for number in 0..<count {
            var ping = talk
            ping.call = "ping\(number)"
            let at = 30 + Double(number) * 30
            let options = ping.request("OPTIONS", "sip:alice@192.168.1.20", 1, branch: "ping\(number)")
            talk.down(at, options)
            if number < answered { talk.up(at + 0.03, ping.response(200, to: options)) }
            if moved, number >= answered {
                let other = ping.request("OPTIONS", "sip:alice@192.168.1.20", 1, branch: "moved\(number)", tag: "m")
                    .replacing("ping\(number)\r", with: "moved\(number)\r")
                talk.down(at + 1, other, port: 40_002)
                talk.up(at + 1.03, ping.response(200, to: other), port: 40_002)
            }
        }
        if let method {
            var other = talk
            other.call = "other"
            let request = other.request(method, "sip:alice@192.168.1.20", 1, branch: "other")
            talk.down(250, request)
            talk.up(250.03, other.response(200, to: request))
        }
        if both { talk.later(400) }
        return talk
    }

    @Test("a phone that answered pings and then none of many is told once, with how many")
    func silent() throws {
        let finding = try #require(talk(answered: 3).finding(.sipRetransmit))
        #expect(finding.severity == .fault)
        #expect(
            finding.summary
                == "198.51.100.7:40000 no longer answers 203.0.113.10:5060: 7 OPTIONS in a row, over 180 s, stayed without an answer, though 3 before were answered."
        )
    }

    @Test(
        "answered at last, few, answers to something else meanwhile, another port that is asked instead, never one where it does all else, or one direction alone accuse nobody"
    )
    func innocent() {
        #expect(talk(answered: 10).accusations() == [])
        #expect(talk(answered: 6).accusations() == [])
        #expect(talk(answered: 3, also: "MESSAGE").accusations() == [])
        #expect(talk(answered: 3, moved: true).accusations() == [])
        #expect(talk(answered: 0, also: "MESSAGE").accusations() == [])
        #expect(!talk(answered: 0, both: false).accusations().contains("fault sip.retransmit"))
    }
}
