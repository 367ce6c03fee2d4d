import Analysis
import Base
import Testing

@Suite("Acceptances that are repeated although acknowledged, or not acknowledged")
struct AcknowledgingTests {
    /// When a 200 is sent again until its sender gives up (RFC 3261 13.3.1.4).
    private static let all = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]

    /// A call whose 200 comes at each of `times`, and is acknowledged each time, to `target`.
    private func call(
        _ times: [Double], ack target: Endpoint? = Endpoint("203.0.113.10:5060")!, contact: String = "203.0.113.10",
        route: String? = nil, ends: Double = 33
    ) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"])
        let more = ["Contact: <sip:bob@\(contact)>"] + (route.map { ["Record-Route: <sip:\($0);lr>"] } ?? [])
        let answer = talk.response(200, to: invite, more)
        let ack = talk.request("ACK", "sip:bob@\(contact)", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1")
        talk.up(0, invite)
        for time in times {
            talk.down(1 + time, answer)
            if let target { talk.up(1.02 + time, ack, to: target) }
        }
        talk.up(ends, talk.request("BYE", "sip:bob@\(contact)", 2, peer: "<sip:bob@pbx.example>;tag=s1"))
        talk.later(ends + 100)
        return talk
    }

    @Test("repeated to the end although each is acknowledged: the ACK does not arrive")
    func lost() throws {
        let finding = try #require(call(Self.all).finding(.sipNoACK))
        #expect(finding.severity == .fault)
        #expect(
            finding.summary
                == "203.0.113.10:5060 repeats its 200 10 times although 198.51.100.7:40000 acknowledges each: the ACK does not arrive, or does not match, and the call ends after 32 s."
        )
    }

    @Test("ACKs that arrive at last are a note; one repetition that crossed the ACK is nothing")
    func atLast() {
        let late = call(Array(Self.all.prefix(6)), ends: 200)
        #expect(late.finding(.sipNoACK)?.severity == .note)
        #expect(late.accusations() == [])
        let crossed = call([0, 0.5], ends: 200)
        #expect(crossed.finding(.sipNoACK) == nil)
    }

    @Test("an ACK that goes to another public address, as Contact says: the server's external address is wrong")
    func elsewhere() throws {
        let other = Endpoint("203.0.113.99:5060")!
        let finding = try #require(call(Self.all, ack: other, contact: "203.0.113.99").finding(.sipNoACK))
        #expect(finding.culprit == .proved("203.0.113.10:5060"))
        #expect(finding.summary.contains("as the Contact in the 200 says, but the 200 came from 203.0.113.10:5060"))
        #expect(finding.remedies[0].text.contains("Contact"))
    }

    @Test("an ACK that follows a private Record-Route: the proxy's advertised address")
    func route() throws {
        let proxy = Endpoint("10.9.8.1:5060")!
        let finding = try #require(call(Self.all, ack: proxy, route: "10.9.8.1").finding(.sipNoACK))
        #expect(finding.summary.contains("as the Record-Route in the 200 says"))
    }

    @Test("an INVITE that is repeated although it was answered: nothing of the answers arrives")
    func deaf() throws {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        for time in [0, 0.5, 1.5, 3.5] {
            talk.up(time, invite)
            talk.down(time + 0.01, talk.response(100, to: invite))
        }
        for time in Self.all { talk.down(4 + time, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"])) }
        talk.later(100)
        let finding = try #require(talk.finding(.sipNoACK))
        #expect(finding.summary.hasPrefix("Nothing that 203.0.113.10:5060 answers reaches 198.51.100.7:40000"))
    }
}

@Suite("What looks like a fault of the network and is a peer's way, or chance")
struct PeerTests {
    /// OPTIONS of the server to a phone that stay unanswered, and a call to it.
    private func options(callAnswered: Bool) -> Talk {
        var talk = Talk()
        talk.registers()
        for number in 0..<3 {
            var ping = talk
            ping.call = "ping\(number)"
            ping.user = "server"
            let options = ping.request("OPTIONS", "sip:alice@198.51.100.7:40000", 1)
            for gap in [0, 0.5, 1.5, 3.5] { talk.down(10 + Double(number) * 30 + gap, options) }
        }
        if callAnswered {
            var other = talk
            other.call = "in"
            other.user = "bob"
            let invite = other.request("INVITE", "sip:alice@198.51.100.7:40000", 1)
            talk.down(50, invite)
            talk.up(50.02, other.response(486, to: invite))
            talk.down(50.04, other.request("ACK", "sip:alice@198.51.100.7:40000", 1, branch: "INVITE1"))
        }
        talk.later(300)
        return talk
    }

    @Test("a phone that answers calls and no OPTIONS is there: a note; one that answers nothing is a fault")
    func ignoresOptions() {
        #expect(options(callAnswered: true).finding(.sipRetransmit)?.severity == .note)
        #expect(options(callAnswered: false).finding(.sipRetransmit)?.severity == .fault)
    }

    private func quarterHours(_ lengths: [Double], timer: Bool = false) -> [String] {
        var talk = Talk()
        for (number, length) in lengths.enumerated() {
            let start = Double(number) * 2_000
            talk.call = "call\(number)"
            let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, timer ? ["Session-Expires: 1800"] : [])
            talk.up(start, invite)
            talk.down(start + 1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"]))
            talk.up(
                start + 1.02,
                talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack\(number)", peer: "<sip:bob@pbx.example>;tag=s1"))
            let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, branch: "bye\(number)", peer: "<sip:bob@pbx.example>;tag=s1")
            talk.up(start + 1 + length, bye)
            talk.down(start + 1.02 + length, talk.response(200, to: bye))
        }
        talk.later(9_000)
        return talk.accusations()
    }

    @Test("fifteen minutes to the second: once by chance, twice a fault, so with a session timer, beside a longer call nothing")
    func quarterHour() {
        #expect(quarterHours([900]) == [])
        #expect(quarterHours([900, 900]) == ["fault sip.timer-drop"])
        #expect(quarterHours([900], timer: true) == ["fault sip.timer-drop"])
        #expect(quarterHours([900, 1_300]) == [])
    }
}

@Suite("auth.stale-loop, realms that differ, and providers")
struct ChallengeTests {
    /// Registrations answered promptly, each refused as stale, `times` in a row.
    private func loop(_ times: Int, successAfter: Int? = nil) -> Talk {
        var talk = Talk()
        let first = talk.register(1)
        talk.up(0, first)
        talk.down(0.01, talk.challenge(to: first, nonce: "n0"))
        for number in 0..<times {
            let answer = talk.register(number + 2, nonce: "n\(number)")
            talk.up(0.03 + Double(number), answer)
            if number == successAfter {
                talk.down(0.05 + Double(number), talk.response(200, to: answer, ["Contact: <sip:alice@x>;expires=60"]))
            }
            talk.down(0.06 + Double(number), talk.challenge(to: answer, nonce: "n\(number + 1)", stale: true))
        }
        talk.later(100)
        return talk
    }

    @Test("prompt answers to fresh nonces, refused as stale three times in a row: the server does not know its nonces")
    func staleLoop() throws {
        let finding = try #require(loop(4).finding(.authStaleLoop))
        #expect(finding.severity == .fault)
        #expect(finding.summary.contains("calls its own fresh nonces stale, 4 times in a row"))
        #expect(loop(2).finding(.authStaleLoop) == nil)
    }

    @Test("stale answers to requests that cross each other are the phone's, not a server that forgets its nonces")
    func crossed() {
        var talk = Talk()
        var number = 1
        for round in 0..<5 {
            let at = Double(round)
            let (a, b) = (talk.register(number, branch: "a\(round)"), talk.register(number + 1, branch: "b\(round)"))
            talk.up(at, a)
            talk.down(at + 0.02, talk.challenge(to: a, nonce: "n\(round)", stale: round > 0))
            talk.up(at + 0.03, b)
            let answer = talk.register(number + 2, nonce: "n\(round)", branch: "c\(round)")
            talk.up(at + 0.04, answer)
            talk.down(at + 0.05, talk.challenge(to: b, nonce: "m\(round)"))
            talk.down(at + 0.06, talk.challenge(to: answer, nonce: "x\(round)", stale: true))
            number += 3
        }
        talk.later(100)
        #expect(talk.finding(.authStaleLoop) == nil)
    }

    @Test("an answer with another realm, to the very nonce, is a wrong realm; with none wrong it is a password")
    func realm() throws {
        var talk = Talk()
        for number in 0..<3 {
            let first = talk.register(number * 2 + 1)
            talk.up(Double(number) * 20, first)
            talk.down(Double(number) * 20 + 0.01, talk.challenge(to: first, nonce: "n\(number)"))
            let answer = talk.register(number * 2 + 2, nonce: "n\(number)").with("realm=\"pbx.example\"", "realm=\"asterisk\"")
            talk.up(Double(number) * 20 + 0.02, answer)
            talk.down(Double(number) * 20 + 0.03, talk.challenge(to: answer, nonce: "m\(number)"))
        }
        talk.later(200)
        let finding = try #require(talk.finding(.authBadDigest))
        #expect(finding.summary.hasSuffix("it names the realm \"asterisk\", asked was \"pbx.example\"."))
        #expect(finding.culprit == .proved("the phone"))
    }

    @Test("a provider that is asked for a password is to be known by its address")
    func provider() throws {
        var talk = Talk()
        // The PBX registers with its provider, which then calls it.
        talk.registers()
        talk.call = "inbound"
        talk.user = "carrier"
        let invite = talk.request("INVITE", "sip:100@198.51.100.7", 1)
        talk.down(10, invite)
        talk.up(10.02, talk.challenge(to: invite, nonce: "x1"))
        talk.down(10.04, talk.request("ACK", "sip:100@198.51.100.7", 1, branch: "INVITE1"))
        talk.later(100)
        let finding = try #require(talk.finding(.authNoAnswer))
        #expect(finding.remedies.map(\.text).contains { $0.contains("without a password: know it by its address") })
    }
}
