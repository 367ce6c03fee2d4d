import Analysis
import Base
import Testing

@Suite("Challenges, answers and calls that take another way than was meant")
struct SplitWayTests {
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    private static let otherLine = Endpoint("192.0.2.133:5060")!
    private static let otherServer = Endpoint("203.0.113.11:5060")!

    /// Rounds of REGISTER, challenge, credentials and what they get.
    private func rounds(
        _ count: Int, answersFrom line: Endpoint? = nil, to server: Endpoint? = nil, succeeds: Bool = false
    ) -> Talk {
        var talk = Talk()
        for round in 0..<count {
            let at = Double(round) * 20
            let first = talk.register(round * 2 + 2)
            talk.up(at, first)
            talk.down(at + 0.02, talk.challenge(to: first, nonce: "n\(round)"))
            let second = talk.register(round * 2 + 3, nonce: "n\(round)", response: "\(round)123456789abcdef0123456789abcdef")
            talk.up(at + 0.05, second, from: line, to: server)
            let answer =
                succeeds
                ? talk.response(200, to: second, ["Contact: <sip:alice@192.168.1.20:5060>;expires=3600"])
                : talk.challenge(to: second, nonce: "m\(round)")
            talk.down(at + 0.07, answer, to: line, from: server)
        }
        talk.later(400)
        return talk
    }

    @Test("challenges to one public address, answers from another, refused each time: two lines in turn")
    func twoLines() throws {
        let talk = rounds(5, answersFrom: Self.otherLine)
        #expect(talk.accusations() == ["fault nat.port-jump"])
        let finding = try #require(talk.finding(.natPortJump))
        #expect(
            finding.summary
                == "alice@pbx.example cannot register: its requests leave by two lines in turn. The challenge goes to 198.51.100.7, the answer "
                + "comes from 192.0.2.133, and 203.0.113.10:5060 refuses it, 5 times.")
        #expect(finding.remedies.first?.actor == .router)
    }

    @Test("two lines whose answers the server takes are not what keeps a phone from registering")
    func twoLinesThatWork() {
        let talk = rounds(5, answersFrom: Self.otherLine, succeeds: true)
        #expect(talk.finding(.natPortJump)?.summary.contains("two lines") != true)
    }

    @Test("a request and its next try by two lines, or to two servers, are no two sides of a router")
    func noTwoSides() {
        for talk in [rounds(5, answersFrom: Self.otherLine), rounds(5, to: Self.otherServer)] {
            var analyzer = Analyzer(sources: [SourceSummary(name: "talk", kind: .capture)])
            for observation in talk.seen { analyzer.observe(observation) }
            #expect(analyzer.splitting() == nil)
        }
    }

    @Test("challenges of one server answered to another, refused each time: servers that do not share nonces")
    func twoServers() throws {
        let talk = rounds(5, to: Self.otherServer)
        #expect(talk.accusations() == ["fault auth.stale-loop"])
        let finding = try #require(talk.finding(.authStaleLoop))
        #expect(finding.summary.contains("comes from 203.0.113.10:5060, the answer goes to 203.0.113.11:5060"))
    }

    @Test("servers that share nonces accuse nobody; one line and one server with a wrong password are neither")
    func sharedNonces() {
        #expect(rounds(5, to: Self.otherServer, succeeds: true).accusations() == [])
        let wrong = rounds(5)
        #expect(wrong.finding(.natPortJump) == nil && wrong.finding(.authStaleLoop) == nil)
    }

    /// A phone on its LAN that asks again and again; `answer` makes what comes, and to whom.
    private func asks(_ answer: (inout Talk, Double, String) -> Void) -> Talk {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        let request = talk.register(1)
        for at in Self.timer {
            talk.up(at, request)
            answer(&talk, at + 0.02, talk.challenge(to: request, nonce: "n1"))
        }
        talk.later(100)
        return talk
    }

    @Test("answers with the branch of the request and another Call-ID: they come, and the phone does not know them")
    func otherCallID() throws {
        let talk = asks { talk, at, text in
            talk.down(at, text.replacing("c1@192.168.1.20", with: "c1@198.51.100.7"))
        }
        #expect(talk.accusations() == ["fault alg.suspected"])
        let finding = try #require(talk.finding(.algSuspected))
        #expect(finding.remedies.first?.text.contains("helper") == true)
        #expect(finding.summary.contains("another Call-ID"))
    }

    @Test("answers of another talk, whose branch is another, do not explain why nobody answers")
    func otherTalk() {
        let talk = asks { talk, at, text in
            talk.down(
                at, text.replacing("c1@192.168.1.20", with: "c2@192.168.1.20").replacing("z9hG4bKREGISTER1", with: "z9hG4bKother")
            )
        }
        #expect(talk.finding(.algSuspected) == nil)
        #expect(talk.accusations().contains("fault sip.retransmit"))
    }

    @Test("answers that the router brings to another phone are told as that")
    func otherPhone() throws {
        let talk = asks { talk, at, text in talk.down(at, text, to: Endpoint("192.168.1.21:5060")!) }
        #expect(talk.accusations() == ["fault sip.retransmit"])
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.summary.hasPrefix("The answers to the REGISTER of 192.168.1.20:5060 are delivered to 192.168.1.21:5060"))
        #expect(finding.remedies.first?.actor == .router)
    }

    @Test("answers that go to the router's public address, or to where Via points, are not another phone's")
    func othersDestination() {
        for place in ["198.51.100.7:40000", "192.168.1.20:5070"] {
            let talk = asks { talk, at, text in talk.down(at, text, to: Endpoint(place)!) }
            #expect(talk.finding(.sipRetransmit)?.summary.contains("delivered to") != true)
        }
    }

    /// A registered phone, calls to it that nobody answers, then a call of its own from another port.
    private func calls(from host: String, port: UInt16) -> Talk {
        var talk = Talk()
        talk.registers()
        var inbound = talk
        inbound.user = "bob"
        inbound.said = "203.0.113.10:5060"
        inbound.call = "in1@203.0.113.10"
        let invite = inbound.request("INVITE", "sip:alice@198.51.100.7:40000", 1, branch: "in", peer: "<sip:alice@pbx.example>")
        for at in Self.timer { talk.down(100 + at, invite) }
        talk.call = "out1@192.168.1.20"
        talk.said = host
        let own = talk.request("INVITE", "sip:bob@pbx.example", 1, branch: "own")
        talk.up(200, own, port: port)
        let busy = talk.response(486, to: own)
        talk.down(200.1, busy, port: port)
        talk.up(200.11, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "own"), port: port)
        talk.later(300)
        return talk
    }

    @Test("a phone that calls from another port while calls to the registered one go unanswered: its mapping expired")
    func callsFromElsewhere() throws {
        let talk = calls(from: "192.168.1.20:5060", port: 41_000)
        #expect(talk.accusations() == ["fault nat.mapping-expired"])
        let finding = try #require(talk.finding(.natMappingExpired))
        #expect(finding.summary.contains("and the phone calls from port 41000"))
        #expect(finding.remedies.first?.text.contains("keepalive") == true)
    }

    @Test("another phone of that account behind the same address proves nothing about the first one's mapping")
    func otherPhoneOfAccount() {
        let talk = calls(from: "192.168.1.77:5060", port: 41_000)
        #expect(talk.finding(.natMappingExpired) == nil)
    }
}
