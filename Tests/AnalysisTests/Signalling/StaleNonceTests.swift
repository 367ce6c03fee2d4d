import Analysis
import Base
import Testing

@Suite("auth.stale-out-of-order and auth.stale-late")
struct StaleNonceTests {
    /// Two REGISTERs without credentials, two challenges, and an answer to the first.
    private func overtaken(_ ending: (inout Talk, String) -> Void) -> Talk {
        var talk = Talk()
        let (a, b) = (talk.register(1), talk.register(2))
        talk.up(0, a)
        talk.up(0.04, b)
        talk.down(0.1, talk.challenge(to: a, nonce: "old"))
        talk.down(0.12, talk.challenge(to: b, nonce: "new"))
        let answer = talk.register(3, nonce: "old")
        talk.up(0.2, answer)
        ending(&talk, answer)
        talk.later(60)
        return talk
    }

    @Test("an older challenge answered and refused is a fault that quotes both nonces")
    func fault() throws {
        let talk = overtaken { $0.down(0.22, $0.challenge(to: $1, nonce: "new", stale: true)) }
        #expect(talk.accusations() == ["fault auth.stale-out-of-order"])
        let finding = try #require(talk.finding(.authStaleOutOfOrder))
        #expect(finding.summary.contains("nonce old, while new was the newest"))
        #expect(finding.evidence.map(\.place.number) == [3, 4, 5, 6])
        #expect(finding.confidence == .likely && finding.subject.callID == talk.call)
        #expect(finding.culprit == .between("198.51.100.7:40000", "203.0.113.10:5060"))
        #expect(finding.evidence[2].excerpt.contains("nonce=\"old\""))
    }

    @Test("refused without stale, with 403, or over TCP it is the same fault", arguments: [401, 403])
    func refusals(status: Int) {
        var talk = overtaken { talk, answer in
            talk.down(0.22, status == 401 ? talk.challenge(to: answer, nonce: "third") : talk.response(403, to: answer))
        }
        #expect(talk.accusations() == ["fault auth.stale-out-of-order"])
        talk.transport = .tcp
        #expect(talk.accusations() == ["fault auth.stale-out-of-order"])
    }

    @Test("a server that takes the older nonce is no fault")
    func accepted() {
        #expect(overtaken { $0.down(0.22, $0.response(200, to: $1)) }.accusations() == [])
    }

    @Test("the newest of two challenges answered is no fault")
    func newest() {
        var talk = Talk()
        let (a, b) = (talk.register(1), talk.register(2))
        talk.up(0, a)
        talk.up(0.04, b)
        talk.down(0.1, talk.challenge(to: a, nonce: "old"))
        talk.down(0.12, talk.challenge(to: b, nonce: "new"))
        let answer = talk.register(3, nonce: "new")
        talk.up(0.2, answer)
        talk.down(0.22, talk.response(200, to: answer))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a REGISTER sent again and challenged anew is no second challenge")
    func retransmission() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.up(0.5, a)
        talk.down(0.52, talk.challenge(to: a, nonce: "one"))
        talk.down(0.54, talk.challenge(to: a, nonce: "two"))
        let answer = talk.register(2, nonce: "one")
        talk.up(0.6, answer)
        talk.down(0.62, talk.challenge(to: answer, nonce: "two", stale: true))
        let again = talk.register(3, nonce: "two")
        talk.up(0.63, again)
        talk.down(0.65, talk.response(200, to: again))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a newer challenge that crosses the answer on its way counts, as its request was under way")
    func crossing() {
        var talk = Talk()
        let (a, b) = (talk.register(1), talk.register(2))
        talk.up(0, a)
        talk.up(0.04, b)
        talk.down(0.1, talk.challenge(to: a, nonce: "old"))
        let answer = talk.register(3, nonce: "old")
        talk.up(0.11, answer)
        talk.down(0.12, talk.challenge(to: b, nonce: "new"))
        talk.down(0.14, talk.challenge(to: answer, nonce: "new", stale: true))
        talk.later(60)
        #expect(talk.accusations() == ["fault auth.stale-out-of-order"])
    }

    @Test("two realms in a row, a proxy's and a registrar's, are not two outstanding challenges")
    func realms() {
        var talk = Talk()
        let a = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(407, to: a, nonce: "proxy", realm: "proxy.example"))
        let b = talk.request(
            "INVITE", "sip:bob@pbx.example", 2, talk.authorization("proxy", realm: "proxy.example").map { "Proxy-" + $0 })
        talk.up(0.03, b)
        talk.down(0.05, talk.challenge(401, to: b, nonce: "server"))
        let c = talk.request(
            "INVITE", "sip:bob@pbx.example", 3,
            talk.authorization("proxy", realm: "proxy.example").map { "Proxy-" + $0 } + talk.authorization("server"))
        talk.up(0.06, c)
        talk.down(0.08, talk.response(486, to: c))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a cached nonce that is stale once at a refresh is RFC 7616 3.3 at work", arguments: [true, false])
    func cached(saysStale: Bool) {
        var talk = Talk()
        talk.registers(expires: 120)
        let refresh = talk.register(3, nonce: "n1")
        talk.up(20, refresh)
        talk.down(20.02, talk.challenge(to: refresh, nonce: "n2", stale: saysStale))
        let again = talk.register(4, nonce: "n2")
        talk.up(20.03, again)
        talk.down(20.05, talk.response(200, to: again, ["Contact: <sip:alice@192.168.1.20:5060>;expires=120"]))
        talk.later(80)
        #expect(talk.accusations() == [])
    }

    @Test(
        "the right nonce, 40 s late: a fault when nothing follows, a risk when the next answer is taken",
        arguments: [false, true])
    func late(recovers: Bool) throws {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let answer = talk.register(2, nonce: "n1")
        talk.up(40, answer)
        talk.down(40.02, talk.challenge(to: answer, nonce: "n2", stale: true))
        if recovers {
            let again = talk.register(3, nonce: "n2")
            talk.up(40.03, again)
            talk.down(40.05, talk.response(200, to: again))
        }
        talk.later(120)
        #expect(talk.accusations() == [recovers ? "risk auth.stale-late" : "fault auth.stale-late"])
        let finding = try #require(talk.finding(.authStaleLate))
        #expect(
            finding.details[0] == "The nonce's lifetime is not in the capture; inferred: shorter than 40 s"
                + (recovers ? ", longer than 10 ms." : "."))
    }

    @Test("slow and accepted is no fault")
    func slow() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let answer = talk.register(2, nonce: "n1")
        talk.up(28, answer)
        talk.down(28.02, talk.response(200, to: answer))
        talk.later(120)
        #expect(talk.accusations() == [])
    }

    @Test("a registration's challenges are listed with how many were outstanding and which was answered")
    func summary() throws {
        let talk = overtaken { $0.down(0.22, $0.challenge(to: $1, nonce: "third", stale: true)) }
        let registration = try #require(talk.result().registrations.first { $0.aor == talk.aor })
        #expect(registration.challenges.map(\.nonce) == ["old", "new", "third"])
        #expect(registration.challenges.map(\.outstanding) == [1, 2, 2])
        #expect(registration.challenges.map(\.answers.count) == [1, 0, 0])
        #expect(registration.challenges[0].answers[0].isSuperseded && registration.challenges[0].answers[0].status == 401)
        #expect(registration.challenges[2].isStale)
        #expect(registration.mappings.map(\.client) == [talk.phone])
    }
}
