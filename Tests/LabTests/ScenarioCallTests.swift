import Base
import Lab
import Testing

@Suite("calls in scenario files")
struct ScenarioCallTests {
    static let text = """
        name: calls
        seed: 5
        routers:
          - name: router
            lan:
              link: home
              address: 192.168.1.1/24
            wan:
              link: internet
              address: 203.0.113.1
        links:
          home:
            latency: 1ms
        servers:
          - name: pbx
            address: 203.0.113.10
            accounts:
              - user: alice
                password: a
              - user: bob
                password: b
        phones:
          - name: alice
            link: home
            address: 192.168.1.20
            user: alice
            password: a
            registrar: 203.0.113.10
            tone: 500
          - name: desk
            address: 203.0.113.77
            user: bob
            password: b
            registrar: 203.0.113.10
            answer: 2s
        calls:
          - from: alice
            to: desk
            at: 5s
            for: 5s
          - from: alice
            to: 8000
            at: 20s
            for: 10s
          - from: desk
            to: 8000
            at: 21s
            for: 5s
        expect:
          - phone: alice
            at: 6s
            hears-not: desk
          - phone: alice
            at: 10s
            hears: desk
          - phone: desk
            at: 10s
            hears: alice
          - phone: alice
            at: 14s
            audio: audio both ways
          - phone: alice
            at: 25s
            hears: desk
          - phone: alice
            at: 29s
            hears-not: desk
        """

    @Test("who calls whom, when and for how long; what is heard is judged at its time; each call is reviewed at the end")
    func runs() throws {
        let scenario = try Scenario(Tree.parse(Self.text))
        #expect(scenario.calls.map(\.target) == ["bob", "8000", "8000"] && scenario.calls.map(\.tone) == [500, 500, 630])
        let result = scenario.run()
        #expect(result.outcomes.map(\.isMet) == Array(repeating: true, count: 6), "\(result.outcomes.map(\.seen))")
        #expect(result.calls.map(\.summary) == ["audio both ways", "audio", "audio"])
        #expect(result.calls[0].verdicts.count == 2 && result.calls[0].verdicts[0].contains("SDP said 192.168.1.20:16384"))
        #expect(result.calls == scenario.run().calls)
    }

    @Test("a phone on IPv6 alone, behind a router that routes it, talks to one on IPv4 alone; the server joins the families")
    func families() throws {
        var text = Self.text.replacing(
            "address: 203.0.113.10\n    accounts", with: "address:\n      - 203.0.113.10\n      - 2001:db8:5::10\n    accounts")
        text = text.replacing("address: 192.168.1.1/24", with: "address: 192.168.1.1/24\n      ipv6: 2001:db8:7::1")
        text = text.replacing("address: 203.0.113.1\n", with: "address: 203.0.113.1\n      ipv6: 2001:db8:ff::1\n")
        text = text.replacing(
            "address: 192.168.1.20\n    user: alice\n    password: a\n    registrar: 203.0.113.10",
            with: "address: 2001:db8:7::20\n    user: alice\n    password: a\n    registrar: 2001:db8:5::10")
        let result = try Scenario(Tree.parse(text)).run()
        #expect(result.outcomes.map(\.isMet) == Array(repeating: true, count: 6), "\(result.outcomes.map(\.seen))")
        #expect(result.calls[0].summary == "audio both ways")
        #expect(result.calls[0].verdicts[0].contains("SDP said [2001:db8:7::20]:16384"))
        #expect(result.calls[0].verdicts[1].contains("SDP said 203.0.113.77:16384"))
    }

    @Test("an expectation that is not met says what was heard instead")
    func unmet() throws {
        let text = Self.text.replacing("hears: alice", with: "hears-not: alice")
        let result = try Scenario(Tree.parse(text)).run()
        #expect(result.outcomes.map(\.isMet) == [true, true, false, true, true, true])
        #expect(result.outcomes[2].seen == "desk hears the tone of alice")
        #expect("\(result.outcomes[2].expectation)" == "after 10 s: phone desk does not hear alice")
    }

    @Test(
        "mistakes are named with their key and what was expected",
        arguments: [
            ("from: desk", "from: nobody", "there is no from \"nobody\"; there are alice, desk"),
            ("answer: 2s", "answer: soon", "expected a delay such as 2s, busy or never"),
            ("tone: 500", "tone: 9000", "tone"),
            ("hears: desk", "hears: ghost", "there is no hears \"ghost\""),
            ("for: 10s", "for: ever", "for"),
            ("to: desk", "too: desk", "to"),
            ("tone: 500", "rtp-port: 16385", "expected an even port"),
            ("tone: 500", "codecs: G729", "expected PCMA or PCMU"),
        ])
    func mistakes(old: String, new: String, said: String) {
        #expect {
            _ = try Scenario(Tree.parse(Self.text.replacing(old, with: new)))
        } throws: { "\($0)".contains(said) }
    }
}
