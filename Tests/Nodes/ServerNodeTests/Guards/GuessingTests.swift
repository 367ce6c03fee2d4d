import Base
import SIP
import ServerNode
import Testing

@Suite("Guessed passwords: by account and by source, and nobody locks an owner out")
struct GuessingTests {
    private static let home = Harness.flow()
    private static let attacker = Harness.flow(Endpoint("192.0.2.66:6666")!)

    private func harness(_ change: (inout ServerLimits) -> Void = { _ in }) -> Harness {
        var settings = ServerSettings()
        settings.limits.badPasswordsPerSource = .init(perSecond: 1, burst: 3)
        settings.limits.guessesPerAccount = .init(perMinute: 6, burst: 5)
        settings.limits.unprovedRepliesPerSource = nil
        change(&settings.limits)
        return Harness(settings)
    }

    /// The status of a guess with a nonce that was issued to where it comes from.
    private func guess(_ h: Harness, _ name: String, user: String = "alice", on flow: FlowID) throws -> Int? {
        try h.register(Register(user: user, callID: name), password: "guess", on: flow).statusCode
    }

    @Test("Wrong passwords over good nonces shut a source out; stale nonces never count")
    func source() throws {
        let h = harness()
        let challenge = try h.ask(Register().text)
        h.now += .seconds(400)
        for index in 1...8 {
            var request = Register(cseq: UInt32(index * 10)).answering(challenge, password: "guess")
            request.branch = "z9hG4bKs\(index)"
            let answer = try h.ask(request.text)
            #expect(answer.statusCode == 401)
            #expect(answer.all(.wwwAuthenticate).allSatisfy { $0.value.string.contains("stale=true") })
        }
        #expect(h.server.counters.stale == 8)
        for index in 1...3 { #expect(try guess(h, "w\(index)", user: "u\(index)", on: Self.home) == 401) }
        #expect(try guess(h, "w4", user: "u4", on: Self.home) == 503)
        #expect(h.server.counters.guessesRefused == 1)
        h.now += .seconds(1)
        #expect(try guess(h, "w5", user: "u5", on: Self.home) == 401)
    }

    @Test("Credentials over invented nonces lock nobody out, however many come in an address's name")
    func forged() throws {
        let h = harness()
        let challenge = try h.ask(Register().text, on: Self.attacker)
        for index in 1...50 {
            var request = Register(callID: "f\(index)").answering(challenge, password: "guess")
            if index % 2 == 0 { request.authorization = request.authorization?.replacing("nonce=\"01", with: "nonce=\"ff") }
            request.branch = "z9hG4bKf\(index)"
            h.receive(request.text, on: Self.home)
        }
        #expect(try h.register(Register(user: "bob", callID: "honest"), password: "word", on: Self.home).statusCode == 200)
    }

    @Test("A right password over a nonce that is not ours tells no more than a wrong one")
    func oracle() throws {
        let h = harness()
        let challenge = try h.ask(Register().text)
        func answer(_ password: String) throws -> SIPMessage {
            let header = try #require(challenge.all(.wwwAuthenticate).first?.value.string)
            var request = Register(callID: "o", cseq: 2)
            request.authorization = Credentials(challenge: header.replacing("nonce=\"01", with: "nonce=\"77")).header(
                username: "alice", password: password, method: "REGISTER", uri: "sip:pinhole")
            request.branch = "z9hG4bK\(password)"
            return try h.ask(request.text)
        }
        let (right, wrong) = (try answer("secret"), try answer("guess"))
        #expect(right.statusCode == 401 && wrong.statusCode == 401)
        #expect(right.all(.wwwAuthenticate).map(\.value.string) == wrong.all(.wwwAuthenticate).map(\.value.string))
    }

    @Test("An account that is guessed at from everywhere stays its owner's, where he proved it before")
    func owner() throws {
        let h = harness()
        #expect(try h.register(Register(), on: Self.home).statusCode == 200)
        for index in 1...5 {
            let flow = Harness.flow(Endpoint("192.0.2.\(index):6666")!)
            #expect(try guess(h, "g\(index)", on: flow) == 401)
        }
        #expect(try guess(h, "g6", on: Self.attacker) == 503)
        #expect(h.lastTexts.contains { $0.contains("guesses the password of alice") })
        #expect(h.guessed == ["alice"])
        #expect(try h.register(Register(callID: "again"), on: Self.home).statusCode == 200)
        // Another account is not touched, wherever it comes from.
        #expect(try h.register(Register(user: "bob", callID: "b"), password: "word", on: Self.attacker).statusCode == 200)
    }

    @Test("An account that proves itself from everywhere makes the server forget its own places, not others'")
    func places() throws {
        let h = harness {
            $0.provedSourcesPerAccount = 2
            $0.provedAccounts = 4
        }
        let far = (1...20).map { Harness.flow(Endpoint("192.0.2.\($0):6000")!) }
        #expect(try h.register(Register(), on: Self.home).statusCode == 200)
        for (index, flow) in far.enumerated() {
            let bob = Register(user: "bob", callID: "b\(index)", contact: "<sip:bob@192.0.2.1>")
            #expect(try h.register(bob, password: "word", on: flow).statusCode == 200)
        }
        for user in ["alice", "bob"] {
            for index in 1...6 {
                _ = try guess(h, "g\(user)\(index)", user: user, on: Harness.flow(Endpoint("203.0.114.\(index):1")!))
            }
        }
        #expect(try h.register(Register(callID: "again"), on: Self.home).statusCode == 200)
        let statuses = try [0, 18, 19].map { place in
            try h.register(Register(user: "bob", callID: "l\(place)", contact: nil), password: "word", on: far[place]).statusCode
        }
        #expect(statuses == [503, 200, 200])
    }

    @Test("A neighbour that guesses takes nothing from an account that proved itself from the same address")
    func neighbour() throws {
        let h = harness()
        #expect(try h.register(Register(), on: Self.home).statusCode == 200)
        let neighbour = Harness.flow(Endpoint("203.0.113.7:50000")!)
        for index in 1...3 { #expect(try guess(h, "n\(index)", user: "u\(index)", on: neighbour) == 401) }
        #expect(try guess(h, "n4", user: "u4", on: neighbour) == 503)
        #expect(try h.register(Register(callID: "again"), on: Self.home).statusCode == 200)
    }

    @Test("What came over UDP shuts nobody out who comes over TLS")
    func transports() throws {
        let h = harness()
        for index in 1...4 { _ = try guess(h, "u\(index)", user: "u\(index)", on: Self.home) }
        #expect(try guess(h, "x", user: "x", on: Self.home) == 503)
        let tls = Harness.flow(Endpoint("203.0.113.7:50001")!, .tls)
        #expect(try h.register(Register(user: "bob", callID: "tls"), password: "word", on: tls).statusCode == 200)
    }

    @Test("Over IPv6 a /48 has sixteen times the budget of a /64, a /56 four times", arguments: [(0, 3), (8, 12), (16, 48)])
    func prefixes(_ bits: Int, _ guesses: Int) throws {
        let h = harness { $0.guessesPerAccount = nil }
        var answered = 0
        for index in 0..<60 {
            // Each from another /64 within the prefix, as far as it has so many.
            let subnet = bits == 0 ? 0 : bits == 8 ? index : index << 8 | index
            let remote = Endpoint("[2001:db8:1:\(String(subnet, radix: 16))::1]:5060")!
            let flow = FlowID(.udp, local: Endpoint("[2001:db8:ffff::1]:5060")!, remote: remote)
            if try guess(h, "p\(index)", user: "u\(index)", on: flow) == 401 { answered += 1 }
        }
        #expect(answered == guesses)
    }

    @Test("Without qop a nonce is good once: what was overheard is worth nothing elsewhere")
    func withoutQop() throws {
        let h = harness()
        let header = try #require(try h.ask(Register().text).all(.wwwAuthenticate).first?.value.string)
        let plain = header.replacing(", qop=\"auth\"", with: "")
        #expect(plain != header)
        var request = Register(cseq: 2)
        request.authorization = Credentials(challenge: plain).header(
            username: "alice", password: "secret", method: "REGISTER", uri: "sip:pinhole")
        #expect(try h.ask(request.text).statusCode == 200)
        var stolen = request
        stolen.callID = "stolen"
        stolen.contact = "<sip:alice@192.0.2.66:6666>"
        stolen.branch = "z9hG4bKstolen"
        #expect(try h.ask(stolen.text, on: Self.attacker).statusCode == 401)
        #expect(h.alice.count == 1)
    }
}

@Suite("What one account may take")
struct AccountShareTests {
    @Test("One account holds half of the media ports at most: others go on calling")
    func ports() throws {
        let f = try CallFixture(ports: [Array(stride(from: 20_000, to: 20_080, by: 2))])
        var refused = 0
        for index in 1...40 {
            let caller = UA(f.h, "alice", at: "203.0.113.7:\(41_000 + index)")
            caller.callID = "greedy\(index)"
            if try f.statuses(caller.invite("bob", body: UA.offer("192.168.1.10", 16_384)), caller).contains(503) { refused += 1 }
        }
        #expect(refused > 0 && f.h.server.callUsage.ports == 20)
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080", password: "word")
        let out = try carol.invite("bob", body: UA.offer("198.51.100.79", 34_000))
        #expect(try f.statuses(out, carol) == [100] && f.methods(out, f.bob) == ["INVITE"])
    }

    @Test("An account begins so many calls a minute; beyond it 503, and others go on calling")
    func rate() throws {
        let f = try CallFixture { $0.limits.callRatePerAccount = .init(perMinute: 6, burst: 3) }
        var statuses: [Int] = []
        for index in 1...4 {
            let caller = UA(f.h, "alice", at: "203.0.113.7:\(41_000 + index)")
            caller.callID = "fast\(index)"
            statuses += try f.statuses(caller.invite("bob", body: UA.offer("192.168.1.10", 16_384)), caller)
        }
        #expect(statuses == [100, 100, 100, 503])
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080", password: "word")
        #expect(try f.statuses(carol.invite("bob", body: UA.offer("198.51.100.79", 34_000)), carol) == [100])
        f.h.advance(.seconds(10))
        let later = UA(f.h, "alice", at: "203.0.113.7:42000")
        later.callID = "later"
        #expect(try f.statuses(later.invite("bob", body: UA.offer("192.168.1.10", 16_384)), later) == [100])
    }
}
