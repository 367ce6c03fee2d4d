import Base
import SIPStack
import Testing

@Suite("Digest, the server's decisions")
struct DigestAuthenticatorTests {
    private let start = Instant(seconds: 1_600_000_000)
    private let secret = DigestSecret(username: "alice", realm: "pinhole", password: "secret")

    private func server(_ settings: DigestAuthenticator.Settings? = nil, counts: CountWindow = CountWindow())
        -> DigestAuthenticator
    {
        var entropy = Entropy(labSeed: 1)
        let issuer = NonceIssuer(keys: [NonceKey(id: 1, secret: [UInt8](repeating: 5, count: 32))])
        return DigestAuthenticator(
            settings: settings ?? .init(realm: "pinhole"), nonces: .stateless(issuer, counts: counts), entropy: &entropy)
    }

    private func chanSIP(_ rechallenge: SingleNonceBook.Rechallenge = .newNonce) -> DigestAuthenticator {
        var entropy = Entropy(labSeed: 1)
        let book = SingleNonceBook(settings: .init(rechallenge: rechallenge), entropy: Entropy(labSeed: 2))
        return DigestAuthenticator(
            settings: .init(realm: "pinhole", algorithms: [.md5], qop: [], checksURI: false), nonces: .onePerDialog(book),
            entropy: &entropy)
    }

    private func phone(_ password: String = "secret", user: String = "alice") -> DigestClient {
        DigestClient(username: user, password: .text(password), entropy: Entropy(labSeed: 3))
    }

    private func register(_ sequence: UInt32, uri: String = "sip:pinhole", callID: String = "call") -> DigestSubject {
        DigestSubject(method: bytes("REGISTER"), uri: bytes(uri), callID: bytes(callID), sequence: sequence)
    }

    private func judge(
        _ server: inout DigestAuthenticator, _ value: [UInt8]?, _ subject: DigestSubject, secret: DigestSecret?, at now: Instant
    ) -> DigestVerdict {
        server.judge(server.attempt(value.map { [$0[...]] } ?? []), of: subject, secret: secret, at: now)
    }

    private func challenge(_ server: inout DigestAuthenticator, _ sequence: UInt32 = 1, at now: Instant) -> [DigestOffer] {
        server.challenges(for: register(sequence), after: .absent, at: now)
    }

    @Test("RFC 8760 2.4: every algorithm is offered, strongest first, over one nonce; the client takes the strongest it can")
    func offers() {
        var server = server(.init(realm: "pinhole", algorithms: [.sha256, .sha512256, .md5]))
        let offers = challenge(&server, at: start)
        #expect(offers.map(\.algorithm) == [.sha256, .sha512256, .md5])
        #expect(Set(offers.map(\.nonce)).count == 1)
        for (password, algorithm) in [
            (DigestClient.Password.text("secret"), DigestAlgorithm.sha256),
            (.secret(DigestSecret(md5: secret.md5, sha512256: secret.sha512256)), .sha512256),
            (.secret(DigestSecret(md5: secret.md5)), .md5),
        ] {
            var phone = DigestClient(username: "alice", password: password, entropy: Entropy(labSeed: 3))
            let value = phone.answer(offers.reversed(), for: register(2))
            let verdict = judge(&server, value, register(2), secret: secret, at: start)
            #expect(verdict == .accepted(DigestAcceptance(algorithm: algorithm, count: 1, isURIDifferent: false)))
            server = self.server(server.settings)
        }
    }

    @Test("A phone that knows MD5 only passes over the challenge it cannot read")
    func fallBack() {
        var server = server()
        let values = challenge(&server, at: start).map(\.bytes)
        let altered = String(decoding: values[0], as: UTF8.self).replacing("SHA-256", with: "SHA3-256")
        #expect(DigestClient.readable([bytes(altered), values[1][...]]).map(\.algorithm) == [.md5])
        #expect(phone().choose([]) == nil)
    }

    @Test("RFC 7616 3.4: a count is good once; later counts go on, also out of order within 64")
    func counts() {
        var server = server()
        var phone = phone()
        let offers = challenge(&server, at: start)
        let first = phone.answer(offers, for: register(2))
        let second = phone.authorize(register(3))
        let third = phone.authorize(register(4))
        #expect(judge(&server, first, register(2), secret: secret, at: start).provesPassword)
        #expect(judge(&server, third, register(4), secret: secret, at: start).isStale == false)
        #expect(judge(&server, second, register(3), secret: secret, at: start).isStale == false)
        #expect(judge(&server, second, register(3), secret: secret, at: start) == .replayed(count: 2))
        #expect(judge(&server, first, register(2), secret: secret, at: start) == .replayed(count: 1))
        #expect(server.counts.accepted == 3)
        #expect(server.counts.replayed == 2)
        for _ in 0..<64 { _ = phone.authorize(register(5)) }
        let far = phone.authorize(register(5))
        #expect(judge(&server, far, register(5), secret: secret, at: start).isStale == false)
        #expect(judge(&server, second, register(3), secret: secret, at: start) == .replayed(count: 2))
    }

    @Test("A failure leaves no trace in the table of counts: the same count is good afterwards")
    func countOnlyAfterSuccess() {
        var server = server()
        var phone = phone()
        let value = phone.answer(challenge(&server, at: start), for: register(2))
        let other = DigestSecret(username: "alice", realm: "pinhole", password: "other")
        guard case .wrongPassword = judge(&server, value, register(2), secret: other, at: start) else {
            Issue.record("a wrong password must be told")
            return
        }
        #expect(judge(&server, value, register(2), secret: secret, at: start).isStale == false)
        #expect(server.counts.accepted == 1)
    }

    @Test("The table of counts is bounded: the nonce used first is forgotten first, and that is counted")
    func countCap() {
        var server = server(counts: CountWindow(cap: 2))
        var values: [[UInt8]?] = []
        for sequence: UInt32 in 1...3 {
            var phone = phone()
            let value = phone.answer(challenge(&server, sequence, at: start), for: register(9))
            values.append(value)
            #expect(judge(&server, value, register(9), secret: secret, at: start).provesPassword)
        }
        #expect(judge(&server, values[2], register(9), secret: secret, at: start) == .replayed(count: 1))
        #expect(judge(&server, values[1], register(9), secret: secret, at: start) == .replayed(count: 1))
        #expect(judge(&server, values[0], register(9), secret: secret, at: start) == .replayed(count: 1))
    }

    @Test(
        "Nobody makes room for a replay by filling the table: what was issued before a forgotten use is taken no more, what is newer is"
    )
    func replayAfterEviction() {
        var server = server(counts: CountWindow(cap: 2))
        var phone = phone()
        let seen = phone.answer(challenge(&server, 1, at: start), for: register(9))
        #expect(judge(&server, seen, register(9), secret: secret, at: start).provesPassword)
        // Somebody with an account of his own fills the table.
        for sequence: UInt32 in 2...4 {
            let now = start + .seconds(60 + Int64(sequence))
            var other = self.phone()
            let value = other.answer(challenge(&server, sequence, at: now), for: register(9))
            #expect(judge(&server, value, register(9), secret: secret, at: now).provesPassword)
        }
        let late = start + .seconds(100)
        #expect(judge(&server, seen, register(9), secret: secret, at: late) == .replayed(count: 1))
        var honest = self.phone()
        let fresh = honest.answer(challenge(&server, 5, at: late), for: register(9))
        #expect(judge(&server, fresh, register(9), secret: secret, at: late).provesPassword)
    }

    @Test("RFC 7616 3.3: stale=true for a nonce that expired, be the digest right or not: guesses over it would be free")
    func stale() {
        var server = server()
        var phone = phone()
        let value = phone.answer(challenge(&server, at: start), for: register(2))
        let late = start + .seconds(400)
        let verdict = judge(&server, value, register(2), secret: secret, at: late)
        #expect(verdict == .stale(.expired(age: .seconds(400))))
        #expect(server.challenges(for: register(2), after: verdict, at: late).map(\.isStale) == [true, true])
        let wrong = DigestSecret(username: "alice", realm: "pinhole", password: "other")
        let failure = judge(&server, value, register(2), secret: wrong, at: late)
        #expect(failure == verdict && !failure.provesPassword)
    }

    @Test("The jump of 2007: of several challenges outstanding any one may be answered")
    func anyNonce() {
        var server = server()
        var phone = phone()
        let first = challenge(&server, 1, at: start)
        let second = challenge(&server, 2, at: start + .milliseconds(41))
        #expect(first[0].nonce != second[0].nonce)
        let value = phone.answer(first, for: register(3))
        #expect(judge(&server, value, register(3), secret: secret, at: start + .milliseconds(260)).provesPassword)
        #expect(server.counts.accepted == 1)
    }

    @Test("chan_sip: the same answer is stale there, and draws a new nonce in 2007, the newest in later versions")
    func chanSIPStale() {
        for rechallenge in SingleNonceBook.Rechallenge.allCases {
            var server = chanSIP(rechallenge)
            var phone = phone()
            let first = challenge(&server, 1, at: start)
            let second = challenge(&server, 2, at: start)
            let value = phone.answer(first, for: register(3))
            let verdict = judge(&server, value, register(3), secret: secret, at: start)
            #expect(verdict == .stale(.superseded(newer: 1)))
            let again = server.challenges(for: register(3), after: verdict, at: start)
            #expect(again[0].isStale)
            #expect((again[0].nonce == second[0].nonce) == (rechallenge == .currentNonce))
            let newest = phone.answer(again, for: register(4))
            #expect(
                judge(&server, newest, register(4), secret: secret, at: start)
                    == .accepted(DigestAcceptance(algorithm: .md5, count: nil, isURIDifferent: false)))
            #expect(judge(&server, newest, register(4), secret: secret, at: start) == .stale(.spent))
        }
    }

    @Test("An unknown user and a wrong password cost the same digests, and look the same on the wire")
    func unknownUser() {
        for isChanSIP in [false, true] {
            var known = isChanSIP ? chanSIP() : server()
            var unknown = known
            var phone = phone("guess")
            let offers = challenge(&known, at: start)
            _ = challenge(&unknown, at: start)
            let value = phone.answer(offers, for: register(2, uri: "sip:other"))
            let first = judge(&known, value, register(2), secret: secret, at: start)
            let second = judge(&unknown, value, register(2), secret: nil, at: start)
            #expect(first == .wrongPassword(DigestFailure(nonce: .valid, isUserKnown: true)))
            #expect(second == .wrongPassword(DigestFailure(nonce: .valid, isUserKnown: false)))
            #expect(known.digestsComputed == unknown.digestsComputed)
            #expect(known.digestsComputed >= 2)
            #expect(
                known.challenges(for: register(2), after: first, at: start).map(\.bytes)
                    == unknown.challenges(for: register(2), after: second, at: start).map(\.bytes))
        }
    }

    @Test("Whoever mangled the URI is told from whoever has a wrong password: which side of the digest changed is evidence")
    func mangledURI() {
        var server = server()
        var phone = phone()
        let offers = challenge(&server, at: start)
        // The Request-URI was rewritten, the parameter was not.
        let asked = phone.answer(offers, for: register(2, uri: "sip:pinhole"))
        #expect(
            judge(&server, asked, register(2, uri: "sip:203.0.113.9"), secret: secret, at: start)
                == .mangled(.requestURI(digest: Array("sip:pinhole".utf8), request: Array("sip:203.0.113.9".utf8))))
        // The parameter was rewritten, the digest and the Request-URI were not.
        let text = String(decoding: phone.authorize(register(3)) ?? [], as: UTF8.self)
        let rewritten = text.replacing("uri=\"sip:pinhole\"", with: "uri=\"sip:192.0.2.1\"")
        #expect(rewritten != text)
        #expect(
            judge(&server, Array(rewritten.utf8), register(3), secret: secret, at: start)
                == .mangled(.digestURI(digest: Array("sip:192.0.2.1".utf8), request: Array("sip:pinhole".utf8))))
        #expect(server.counts.mangled == 2)
        #expect(server.counts.wrongPassword == 0)
    }

    @Test(
        "RFC 7616 3.4.6: a digest over an equivalent URI is good",
        arguments: [
            ("sip:pinhole", "sip:pinhole:5060;transport=udp", true), ("SIP:Pinhole", "sip:pinhole", true),
            ("sip:[2001:db8::1]:5070", "sip:[2001:db8::1]", true), ("sip:pinhole", "sip:pinhole.example", false),
            ("sip:a@pinhole", "sip:b@pinhole", false), ("sips:pinhole", "sip:pinhole", false),
            ("sip:pinhole:5060", "sip:200@pinhole:5060", true), ("sip:203.0.113.9", "sip:200@pinhole", false),
            ("sip:200@pinhole", "sip:pinhole", false),
        ])
    func equivalentURI(digest: String, request: String, isGood: Bool) {
        var server = server()
        var phone = phone()
        let value = phone.answer(challenge(&server, at: start), for: register(2, uri: digest))
        let verdict = judge(&server, value, register(2, uri: request), secret: secret, at: start)
        #expect((verdict == .accepted(DigestAcceptance(algorithm: .sha256, count: 1, isURIDifferent: true))) == isGood)
        #expect(verdict.provesPassword)
    }

    @Test("A realm altered on the way is mangled where the nonce is ours, and none of our business where it is not")
    func realm() {
        var server = server()
        var phone = phone()
        let offer = challenge(&server, at: start)
        let text = String(decoding: phone.answer(offer, for: register(2)) ?? [], as: UTF8.self).replacing(
            "realm=\"pinhole\"", with: "realm=\"x\"")
        #expect(
            judge(&server, Array(text.utf8), register(2), secret: nil, at: start) == .mangled(.realm(found: [UInt8(ascii: "x")])))
        let foreign = text.replacing(String(decoding: offer[0].nonce, as: UTF8.self), with: "abc")
        #expect(judge(&server, Array(foreign.utf8), register(2), secret: nil, at: start) == .absent)
    }

    @Test("What was not offered is not taken: algorithm, qop, and their absence where the settings say so")
    func notOffered() {
        var strict = server(.init(realm: "pinhole", algorithms: [.sha256], acceptsLegacy: false))
        let nonce = challenge(&strict, at: start)[0].nonce
        for (offer, mangling) in [
            (DigestOffer(realm: "pinhole", nonce: nonce, algorithm: .md5), DigestMangling.algorithmNotOffered(.md5)),
            (DigestOffer(realm: "pinhole", nonce: nonce, algorithm: .sha256, qop: [.authInt]), .qopNotOffered(.authInt)),
            (DigestOffer(realm: "pinhole", nonce: nonce, algorithm: .sha256, qop: []), .qopNotOffered(nil)),
        ] {
            var phone = phone()
            let value = phone.answer([offer], for: register(2))
            #expect(judge(&strict, value, register(2), secret: secret, at: start) == .mangled(mangling))
        }
        var lenient = server(.init(realm: "pinhole", algorithms: [.sha256]))
        var phone = phone()
        let value = phone.answer([DigestOffer(realm: "pinhole", nonce: nonce, algorithm: .sha256, qop: [])], for: register(2))
        #expect(
            judge(&lenient, value, register(2), secret: secret, at: start)
                == .accepted(DigestAcceptance(algorithm: .sha256, count: nil, isURIDifferent: false)))
    }

    @Test("auth-int covers the body")
    func integrity() {
        var server = server(.init(realm: "pinhole", algorithms: [.md5], qop: [.authInt]))
        var phone = phone()
        var subject = DigestSubject(method: bytes("INVITE"), uri: bytes("sip:pinhole"), body: bytes("v=0"), callID: bytes("call"))
        let value = phone.answer(challenge(&server, at: start), for: subject)
        subject.body = bytes("v=1")
        #expect(
            judge(&server, value, subject, secret: secret, at: start)
                == .wrongPassword(DigestFailure(nonce: .valid, isUserKnown: true)))
        subject.body = bytes("v=0")
        #expect(judge(&server, value, subject, secret: secret, at: start).provesPassword)
    }

    @Test("RFC 7616 3.4.4: a hidden user name is the hash of name and realm")
    func hiddenUser() throws {
        var server = server(.init(realm: "pinhole", offersUserHash: true))
        var phone = phone()
        phone.hidesUser = true
        let challenges = challenge(&server, at: start)
        let sent = phone.answer(challenges, for: register(2))
        let value = try #require(sent)
        let answer = try #require(server.attempt([value[...]]).credentials)
        #expect(answer.isUserHashed)
        #expect(HashValue(hex: answer.username) == userHash(username: "alice", realm: "pinhole", .sha256))
        #expect(judge(&server, value, register(2), secret: secret, at: start).provesPassword)
    }

    @Test("Among several credentials ours is found; other schemes are passed over; every decision is traced")
    func severalCredentials() {
        var server = server()
        var phone = phone()
        let value = phone.answer(challenge(&server, at: start), for: register(2)) ?? []
        let other = String(decoding: value, as: UTF8.self).replacing("realm=\"pinhole\"", with: "realm=\"other\"")
        let attempt = server.attempt([bytes("Basic abc"), bytes(other), value[...]])
        #expect(attempt.credentials?.realm.elementsEqual("pinhole".utf8) == true)
        #expect(server.attempt([bytes("Basic abc")]) == .none)
        #expect(server.attempt([bytes("Digest x")]) == .malformed(DigestSyntaxError(.malformedParameter, offset: 8)))
        _ = server.judge(attempt, of: register(2), secret: secret, at: start)
        _ = server.judge(.none, of: register(3), secret: nil, at: start)
        #expect(server.traces.next()?.username == Array("alice".utf8))
        #expect(server.traces.next()?.verdict == .absent)
        #expect(server.traces.next() == nil)
    }
}
