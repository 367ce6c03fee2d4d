import Analysis
import Base
import Testing

@Suite("auth.nonce-reuse, auth.bad-digest and auth.no-answer")
struct CredentialsTests {
    @Test("the same nonce and count twice, refused twice, is a fault; while nc rises it is legal", arguments: [false, true])
    func reuse(rises: Bool) {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        for turn in 0..<3 {
            let answer = talk.register(2 + turn, nonce: "n1", count: rises ? "0000000\(turn + 1)" : "00000001")
            let at = Double(turn) * 20 + 0.03
            talk.up(at, answer)
            talk.down(
                at + 0.02,
                turn == 0 || rises ? talk.response(200, to: answer) : talk.challenge(to: answer, nonce: "m\(turn)", stale: true))
        }
        talk.later(120)
        #expect(talk.accusations() == (rises ? [] : ["fault auth.nonce-reuse"]))
    }

    @Test("a request with credentials sent again over UDP is no reuse")
    func retransmission() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let answer = talk.register(2, nonce: "n1", count: "00000001")
        talk.up(0.03, answer)
        talk.up(0.53, answer)
        talk.down(0.55, talk.response(200, to: answer))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("credentials refused for the newest nonce: rejected, and no more is claimed without the password")
    func rejected() throws {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1")
        talk.up(0.03, b)
        talk.down(0.05, talk.response(403, to: b))
        talk.later(60)
        #expect(talk.accusations() == ["fault auth.bad-digest"])
        let finding = try #require(talk.finding(.authBadDigest))
        #expect(finding.summary.hasSuffix("the server refused it: rejected.") && finding.culprit == .unknown)
    }

    /// A challenge, its answer after `wait` seconds, and what the server says to that; the capture ends there.
    private func ended(wait: Double = 0.01, _ last: (Talk, _ request: String) -> String) -> Talk {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1")
        talk.up(0.02 + wait, b)
        talk.down(0.04 + wait, last(talk, b))
        return talk
    }

    @Test("a capture that ends when credentials for a fresh nonce are refused: a wrong password at a guess, a risk")
    func refusedLast() throws {
        let talk = ended { $0.challenge(to: $1, nonce: "n2") }
        #expect(talk.accusations() == ["risk auth.bad-digest"])
        let finding = try #require(talk.finding(.authBadDigest))
        #expect(finding.details.contains { $0.hasPrefix("That is the last that is seen of it") })
        // A server that counts seconds in its nonce gives the same once more.
        #expect(ended { $0.challenge(to: $1, nonce: "n1") }.accusations() == ["risk auth.bad-digest"])
    }

    @Test("no guess at the end of a capture: another realm asks, the nonce is called stale, or it was old")
    func askedLast() {
        #expect(ended { $0.challenge(to: $1, nonce: "n2", realm: "elsewhere.example") }.accusations() == [])
        #expect(ended { $0.challenge(407, to: $1, nonce: "n2") }.accusations() == [])
        #expect(ended { $0.challenge(to: $1, nonce: "n2", stale: true) }.accusations() == [])
        #expect(ended(wait: 20) { $0.challenge(to: $1, nonce: "n2") }.accusations() == [])
    }

    @Test("a first refusal that is put right by the next answer accuses nobody")
    func recovered() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1")
        talk.up(0.03, b)
        talk.down(0.05, talk.challenge(to: b, nonce: "n2"))
        let c = talk.register(3, nonce: "n2")
        talk.up(0.06, c)
        talk.down(0.08, talk.response(200, to: c))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("403 to a call with credentials is the callee's or the account's matter")
    func forbiddenCall() {
        var talk = Talk()
        let a = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.request("INVITE", "sip:bob@pbx.example", 2, talk.authorization("n1", nil, "00"))
        talk.up(0.03, b)
        talk.down(0.05, talk.response(403, to: b))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    /// Stands for MD5: what it is does not matter to the search, only that both sides use it.
    private static let toyHash: @Sendable (AnalysisHash, [UInt8]) -> [UInt8] = { kind, bytes in
        var words: [UInt64] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89]
        for byte in bytes {
            for index in words.indices { words[index] = (words[index] ^ UInt64(byte) &+ UInt64(index)) &* 0x0000_0100_0000_01b3 }
        }
        return words.prefix(kind == .md5 ? 2 : 4).flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
    }

    private static func hex(_ text: String) -> String {
        toyHash(.md5, Array(text.utf8)).map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }

    @Test(
        "with the password the field that differs is named",
        arguments: [
            ("alice:pbx.example:secret", "REGISTER:sip:pbx.example", "although the digest is right for the password given"),
            ("alice:asterisk:secret", "REGISTER:sip:pbx.example", "the field realm differs"),
            ("alice:pbx.example:secret", "REGISTER:sip:alice@pbx.example", "the field uri differs"),
            ("alice@pbx.example:pbx.example:secret", "REGISTER:sip:pbx.example", "the field username differs"),
            ("alice:pbx.example:secret", "INVITE:sip:pbx.example", "the field method differs"),
            ("alice:pbx.example:other", "REGISTER:sip:pbx.example", "the password is another than the one given"),
        ])
    func named(secret: String, about: String, words: String) throws {
        var talk = Talk()
        talk.options = AnalysisOptions(passwords: ["alice": "secret"], hash: Self.toyHash)
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1", response: Self.hex("\(Self.hex(secret)):n1:\(Self.hex(about))"))
        talk.up(0.03, b)
        talk.down(0.05, talk.response(403, to: b))
        talk.later(60)
        let finding = try #require(talk.finding(.authBadDigest))
        #expect(finding.summary.contains(words), "\(finding.summary)")
        #expect(finding.confidence == .proved)
    }

    @Test("a challenge nobody answers is a fault, unless the capture ends with it", arguments: [true, false])
    func unanswered(ends: Bool) {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        if !ends { talk.later(60) }
        #expect(talk.accusations() == (ends ? [] : ["fault auth.no-answer"]))
    }

    @Test("a user who takes a minute to type the password has answered, however much else goes on meanwhile")
    func slowUser() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let noise = "X: " + String(repeating: "x", count: 12_000)
        for index in 0..<500 {
            talk.call = "noise"
            talk.up(0.1 + Double(index) * 0.1, talk.request("OPTIONS", "sip:a", index + 1, [noise]))
        }
        talk.call = "c1@192.168.1.20"
        let b = talk.register(2, nonce: "n1")
        talk.up(60, b)
        talk.down(60.02, talk.response(200, to: b))
        talk.later(200)
        #expect(talk.accusations() == [])
    }

    @Test("a challenge to OPTIONS is an answer good enough")
    func pinged() {
        var talk = Talk()
        let a = talk.request("OPTIONS", "sip:pbx.example", 1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("one who tries many names and never gets in is a scanner, not a phone without password")
    func scanner() {
        var talk = Talk()
        for index in 0..<12 {
            talk.call = "scan\(index)"
            talk.user = "\(100 + index)"
            let a = talk.register(1)
            talk.up(Double(index), a)
            talk.down(Double(index) + 0.02, talk.challenge(to: a, nonce: "n\(index)"))
        }
        talk.later(120)
        #expect(talk.accusations() == [])
    }

    @Test("a program known for scanning is not told to enter a password")
    func knownScanner() {
        var talk = Talk()
        talk.agent = "friendly-scanner"
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("an answer under another Call-ID is an answer")
    func otherCallID() {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        talk.call = "c2"
        let b = talk.register(1, nonce: "n1")
        talk.up(0.1, b)
        talk.down(0.12, talk.response(200, to: b))
        talk.later(60)
        #expect(talk.accusations() == [])
    }
}
