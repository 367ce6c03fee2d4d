import Base
import Foundation
import SIP
import SIPStack
import ServerNode
import Testing

@Suite("Authentication")
struct AuthenticationTests {
    @Test(
        "RFC 8760 2.4: each configured algorithm is offered, in order, and each may be answered",
        arguments: [
            ("SHA-256", true), ("MD5", true), ("SHA-512-256", true),
        ])
    func algorithms(algorithm: String, isAccepted: Bool) throws {
        var settings = ServerSettings()
        settings.algorithms = [.sha512256, .sha256, .md5]
        let h = Harness(settings)
        let challenge = try h.ask(Register().text)
        #expect(challenge.all(.wwwAuthenticate).count == 3)
        let answer = try h.ask(Register().answering(challenge, algorithm: algorithm).text)
        #expect((answer.statusCode == 200) == isAccepted)
    }

    @Test("A retransmitted REGISTER draws the very same challenge, byte for byte, without memory")
    func sameChallenge() throws {
        let h = Harness()
        let first = h.receive(Register().text)
        h.now += .milliseconds(500)
        let second = h.receive(Register().text)
        #expect(first[0].bytes == second[0].bytes)
        #expect(h.server.counters.retransmissionsAbsorbed == 0)
    }

    @Test("A retransmitted REGISTER with credentials draws the same 200 and has no second effect")
    func sameAnswer() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let answer = Register().answering(challenge).text
        let first = h.receive(answer)
        h.now += .seconds(1)
        let second = h.receive(answer)
        #expect(first.count == 1)
        #expect(first[0].bytes == second[0].bytes)
        #expect(h.server.counters.retransmissionsAbsorbed == 1)
        #expect(h.server.counters.accepted == 1)
        h.advance(.seconds(33))
        // Forgotten after 64*T1; by then the count of the nonce is used up.
        _ = try h.register(Register(user: "bob", callID: "b"), password: "word")
        #expect(try h.ask(answer).statusCode == 401)
        #expect(h.verdicts.last == .replayed(count: 1))
    }

    @Test("Stale, wrong and mangled are three outcomes, counted and traced apart")
    func threeOutcomes() throws {
        var settings = ServerSettings()
        settings.domains = ["pinhole"]
        let h = Harness(settings)
        let challenge = try h.ask(Register().text)
        h.now += .seconds(400)
        let stale = try h.ask(Register().answering(challenge).text)
        #expect(stale.statusCode == 401)
        #expect(stale.all(.wwwAuthenticate).allSatisfy { $0.value.string.contains("stale=true") })
        #expect(h.server.counters.stale == 1)

        let wrong = try h.register(Register(callID: "c2"), password: "guess")
        #expect(wrong.statusCode == 401)
        #expect(wrong.all(.wwwAuthenticate).allSatisfy { !$0.value.string.contains("stale") })
        #expect(h.server.counters.wrongPassword == 1)

        let third = try h.ask(Register(callID: "c3").text)
        let mangled = try h.ask(Register(callID: "c3").answering(third, uri: "sip:192.168.1.1").text)
        #expect(mangled.statusCode == 400)
        #expect(mangled.reason?.string.contains("rewritten on the way") == true)
        #expect(h.server.counters.mangled == 1)
        #expect(h.server.bindingCount == 0)
        #expect(h.verdicts.count == 3)
    }

    @Test(
        "A right digest over another URI of ours than the Request-URI will do, unless `digest.uri: strict`; the binding tells of it",
        arguments: [("sip:198.51.100.1:5060", true), ("sip:PINHOLE;transport=udp", true), ("sip:elsewhere.example", false)])
    func signedElsewhere(_ uri: String, _ isOurs: Bool) throws {
        for strict in [false, true] {
            var settings = ServerSettings()
            settings.domains = ["pinhole"]
            settings.digestURI = strict ? .strict : .lenient
            let h = Harness(settings)
            let challenge = try h.ask(Register().text)
            let answer = try h.ask(Register().answering(challenge, uri: uri).text)
            let isSame = uri.contains("PINHOLE")
            #expect(answer.statusCode == (isSame || isOurs && !strict ? 200 : 400))
            #expect(h.alice.contains { $0.verdict.contains(.signedElsewhere) } == (!isSame && isOurs && !strict))
        }
    }

    @Test(
        "A call signed for another URI of ours: where the user is the same, or none was signed",
        arguments: [("sip:bob@198.51.100.1", 100), ("sip:198.51.100.1:5060", 100), ("sip:carol@198.51.100.1", 400)])
    func callSignedElsewhere(_ uri: String, _ status: Int) throws {
        let f = try CallFixture { $0.domains = ["pinhole"] }
        f.alice.target = "sip:bob@pinhole"
        f.alice.remoteURI = f.alice.target
        let challenge = try #require(try f.alice.mine(f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384))).first)
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first ?? ""
        f.alice.authorization = Credentials(challenge: value).header(
            username: "alice", password: "secret", method: "INVITE", uri: uri)
        let out = f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384))
        #expect(try f.statuses(out, f.alice).first == status)
    }

    @Test("Unreadable credentials are 400 with reason and offset")
    func unreadable() throws {
        let h = Harness()
        var request = Register()
        request.authorization = "Digest username=\"alice\", realm=\"pinhole\", nonce=\"1\", uri=\"sip:pinhole\", response=\"zz\""
        let answer = try h.ask(request.text)
        #expect(answer.statusCode == 400)
        #expect(answer.reason?.string == "Bad Request (credentials: malformedResponse at byte 82)")
    }

    @Test("A wrong digest over a good nonce that was issued to its sender is a failure beyond doubt; what else is refused is not")
    func failures() throws {
        func failures(_ profile: ServerSettings, _ act: (Harness) throws -> Void) throws -> [ServerTrace.Authentication.Failure?]
        {
            let h = Harness(profile)
            try act(h)
            return h.traces.compactMap {
                if case .authentication(let a) = $0 { a.failure.map { .some($0) } ?? .some(nil) } else { nil }
            }
        }
        func wrong(_ user: String, issuedTo: String? = nil, later: Duration = .zero, _ transport: SIPTransport = .udp)
            -> (Harness) throws -> Void
        {
            { h in
                let here = Harness.flow(Endpoint("203.0.113.7:40000")!, transport)
                let there = issuedTo.map { Harness.flow(Endpoint($0)!, transport) } ?? here
                let challenge = try h.ask(Register(user: user).text, on: there)
                h.now += later
                _ = try h.ask(Register(user: user).answering(challenge, password: "guess").text, on: here)
            }
        }
        let settings = ServerSettings()
        #expect(try failures(settings, wrong("alice")) == [.wrongPassword])
        #expect(try failures(settings, wrong("mabel")) == [.unknownUser])
        // Whoever forges a source has no nonce that was issued to it.
        #expect(try failures(settings, wrong("alice", issuedTo: "192.0.2.66:5060")) == [nil])
        #expect(try failures(settings, wrong("alice", later: .seconds(400))) == [nil])
        #expect(try failures(settings) { h in _ = try h.register(Register()) } == [nil])
        // chan_sip's nonces are not tied to anybody, but nobody forges a connection.
        let old = ServerSettings.chanSIP(natHandling: true)
        #expect(try failures(old, wrong("alice")) == [nil])
        #expect(try failures(old, wrong("alice", .tcp)) == [.wrongPassword])
    }

    @Test("Unknown user and wrong password: the same bytes, the same work")
    func alike() throws {
        func answers(_ user: String) throws -> (String, UInt64) {
            let h = Harness()
            let request = Register(user: user)
            let challenge = try h.ask(request.text)
            let before = h.server.digestCounts
            let answer = try h.ask(request.answering(challenge, password: "guess").text)
            #expect(h.server.digestCounts.wrongPassword == before.wrongPassword + 1)
            return (answer.description.replacing(user, with: "USER"), h.server.counters.sentBytes)
        }
        let known = try answers("alice")
        let unknown = try answers("mabel")
        #expect(known == unknown)
    }

    @Test("Unknown and known AORs draw the same challenge")
    func sameChallengeForAll() throws {
        let known = try Harness().ask(Register(user: "alice").text).description.replacing("alice", with: "USER")
        let unknown = try Harness().ask(Register(user: "mabel").text).description.replacing("mabel", with: "USER")
        #expect(known == unknown)
    }

    @Test("Any unexpired nonce is good: three challenges outstanding, the first answered")
    func oldestOfThree() throws {
        let h = Harness()
        let first = try h.ask(Register().text)
        _ = try h.ask(Register(cseq: 2).text)
        _ = try h.ask(Register(cseq: 3).text)
        var answer = Register(cseq: 3).answering(first)
        answer.cseq = 4
        #expect(try h.ask(answer.text).statusCode == 200)
        #expect(h.lastTexts.contains { $0.hasSuffix("answers challenge 1 of 3; still valid: accepted") })
    }

    @Test("Nonces are good after a restart with the same key, foreign with another")
    func restart() throws {
        for (key, status) in [(Array(repeating: 7, count: 32), 200), (Array(repeating: 8, count: 32), 401)] as [([UInt8], Int)] {
            var settings = ServerSettings()
            settings.nonceKey = Array(repeating: 7, count: 32)
            let before = Harness(settings)
            let challenge = try before.ask(Register().text)
            settings.nonceKey = key
            let after = Harness(settings)
            let answer = try after.ask(Register().answering(challenge).text)
            #expect(answer.statusCode == status)
            if status == 401 { #expect(answer.first(.wwwAuthenticate)?.value.string.contains("stale=true") == true) }
        }
    }

    @Test("The source port may change between challenge and answer")
    func portChanges() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let ok = try h.ask(Register().answering(challenge).text, on: Harness.flow(Endpoint("203.0.113.99:1234")!))
        #expect(ok.statusCode == 200)
        #expect(h.alice.first?.verdict.isSuperset(of: [.addressJumped, .portJumped]) == true)
    }

    @Test("Accounts that go away can no longer register")
    func accounts() throws {
        let h = Harness()
        #expect(try h.register().statusCode == 200)
        h.input(.accounts([Account(username: "alice", realm: "elsewhere", password: "secret")]))
        #expect(try h.register(Register(callID: "c2")).statusCode == 401)
        h.input(.accounts([Account(username: "a-17", realm: "pinhole", password: "secret", user: "alice", domain: "PINHOLE")]))
        #expect(try h.register(Register(username: "a-17", callID: "c3")).statusCode == 200)
    }
}

@Suite("The seed's sequence on both profiles")
struct SeedTests {
    /// Three REGISTERs: two without credentials from two ports, then an answer to the first challenge from the first port.
    private func play(_ settings: ServerSettings) throws -> (h: Harness, answer: SIPMessage, nonces: [String]) {
        let h = Harness(settings, accounts: [("alice", "secret")])
        func flow(_ port: UInt16) -> FlowID { Harness.flow(Endpoint(Harness.phone.address, port)) }
        func nonce(_ message: SIPMessage) -> String {
            Credentials(challenge: message.first(.wwwAuthenticate)?.value.string ?? "").nonce
        }
        let a = try h.ask(Register(cseq: 1).text, on: flow(52_899))
        let b = try h.ask(Register(cseq: 2).text, on: flow(52_896))
        var third = Register(cseq: 2).answering(a)
        third.cseq = 3
        let c = try h.ask(third.text, on: flow(52_899))
        #expect(h.sent.map(\.flow.remote.port) == [52_899, 52_896, 52_899])
        return (h, c, [nonce(a), nonce(b), nonce(c)])
    }

    @Test("chan_sip: correct auth, but stale; 401 with a new nonce and stale=true; nothing is bound")
    func chanSIP() throws {
        let (h, answer, nonces) = try play(.chanSIP(natHandling: true))
        #expect(answer.statusCode == 401)
        #expect(Set(nonces).count == 3)
        #expect(nonces.allSatisfy { $0.count == 8 })
        #expect(
            answer.first(.wwwAuthenticate)?.value.string
                == "Digest algorithm=MD5, realm=\"asterisk\", nonce=\"\(nonces[2])\", stale=true")
        #expect(h.server.bindingCount == 0)
        #expect(h.verdicts == [.stale(.superseded(newer: 1))])
        #expect(h.lastTexts.contains("Correct auth, but based on stale nonce received from '<sip:alice@pinhole>;tag=f1'"))
        #expect(
            h.lastTexts.contains {
                $0.hasPrefix(
                    "<- 203.0.113.7:52899: answers challenge 1 of 2; right password, but 1 newer challenge was sent since")
            })
        #expect(String(decoding: h.sent[0].bytes, as: UTF8.self).contains(";received=203.0.113.7;rport=52899\r\n"))
    }

    @Test("Later chan_sip: stale with the still-current nonce; answering that one succeeds")
    func laterChanSIP() throws {
        var settings = ServerSettings.chanSIP(natHandling: true)
        settings.chanSIPRechallenge = .currentNonce
        let (h, answer, nonces) = try play(settings)
        #expect(nonces[2] == nonces[1])
        let ok = try h.ask(Register(cseq: 3).answering(answer).text)
        #expect(ok.statusCode == 200)
        #expect(h.server.bindingCount == 1)
    }

    @Test("pinhole: the answer to challenge A is accepted, and says which it answered")
    func pinhole() throws {
        let (h, answer, _) = try play(ServerSettings())
        #expect(answer.statusCode == 200)
        #expect(h.server.bindingCount == 1)
        #expect(h.lastTexts.contains("<- 203.0.113.7:52899: answers challenge 1 of 2; still valid: accepted"))
        #expect(h.alice.first?.verdict.contains(.portJumped) == true)
    }

    @Test("chan_sip: a retransmission does not rotate the nonce")
    func retransmission() throws {
        let h = Harness(.chanSIP(natHandling: true))
        let first = h.receive(Register().text)
        let second = h.receive(Register().text)
        #expect(first[0].bytes == second[0].bytes)
    }

    @Test("chan_sip: wrong password and unknown user get the same 403; a foreign nonce another challenge")
    func wrong() throws {
        for user in ["alice", "mabel"] {
            let h = Harness(.chanSIP(natHandling: true))
            let answer = try h.register(Register(user: user), password: "guess")
            #expect(answer.statusCode == 403)
            #expect(answer.reason?.string == "Forbidden (Bad auth)")
        }
        let h = Harness(.chanSIP(natHandling: true))
        var request = Register()
        request.authorization =
            "Digest username=\"alice\", realm=\"asterisk\", nonce=\"0badc0de\", uri=\"sip:pinhole\", response=\"\(String(repeating: "0", count: 32))\""
        #expect(try h.ask(request.text).statusCode == 401)
        #expect(h.lastTexts.contains("Bad authentication received from '<sip:alice@pinhole>;tag=f1'"))
    }

    @Test("chan_sip: one contact a peer, the newest; nat=no answers to the Via port")
    func onePeer() throws {
        let h = Harness(.chanSIP(natHandling: false))
        let out = h.receive(Register(via: "192.168.1.10:5070").text)
        #expect(out.first?.flow.remote.port == 5070)
        let nat = Harness(.chanSIP(natHandling: true))
        _ = try nat.register()
        let ok = try nat.register(Register(callID: "c2", contact: "<sip:alice@10.0.0.9>"))
        #expect(nat.contacts(ok) == ["<sip:alice@10.0.0.9>;expires=120"])
    }
}
