import Base
import SIPStack
import Testing

@Suite("Digest header values")
struct DigestSyntaxTests {
    private let response = String(repeating: "a", count: 32)

    @Test("RFC 8760 2.6: challenges of a 401 are read, and printing them gives what is read again")
    func offers() throws {
        let text =
            #"Digest realm="atlanta.com", qop="auth,auth-int", nonce="f84f1c", opaque="5ccc", stale=FALSE, algorithm=SHA-256"#
        let offer = try DigestOffer(parsing: bytes(text))
        #expect(String(decoding: offer.realm, as: UTF8.self) == "atlanta.com")
        #expect(offer.algorithm == .sha256)
        #expect(offer.qop == [.auth, .authInt])
        #expect(offer.isStale == false)
        #expect(try DigestOffer(parsing: offer.bytes[...]) == offer)
    }

    @Test("The seed's challenge: no qop, algorithm first, tokens in lower case")
    func seed() throws {
        let offer = try DigestOffer(parsing: bytes(#"Digest algorithm=md5, realm="asterisk", nonce="3d58a314""#))
        #expect(offer.algorithm == .md5)
        #expect(offer.qop == [])
        #expect(offer.nonce == Array("3d58a314".utf8))
    }

    @Test("RFC 7616 3.3: a qop list keeps what is known of it")
    func unknownQOP() throws {
        #expect(try DigestOffer(parsing: bytes(#"Digest realm="a", nonce="b", qop="auth-conf, auth""#)).qop == [.auth])
        #expect(throws: DigestSyntaxError(.unknownQOP, offset: 34)) {
            try DigestOffer(parsing: bytes(#"Digest realm="a", nonce="b", qop="auth-conf""#))
        }
    }

    @Test(
        "Values that are no challenge say why and where",
        arguments: [
            ("", DigestSyntaxError(.otherScheme, offset: 0)),
            ("Basic realm=\"a\"", DigestSyntaxError(.otherScheme, offset: 0)),
            ("Digest nonce=\"b\"", DigestSyntaxError(.missing("realm"), offset: 16)),
            ("Digest realm=\"a\"", DigestSyntaxError(.missing("nonce"), offset: 16)),
            ("Digest realm=\"a", DigestSyntaxError(.malformedParameter, offset: 13)),
            ("Digest realm=\"a\\", DigestSyntaxError(.malformedParameter, offset: 13)),
            ("Digest realm", DigestSyntaxError(.malformedParameter, offset: 12)),
            ("Digest realm=", DigestSyntaxError(.malformedParameter, offset: 13)),
            ("Digest realm=\"a\" nonce=\"b\"", DigestSyntaxError(.malformedParameter, offset: 17)),
            ("Digest realm=\"a\", algorithm=SHA-1", DigestSyntaxError(.unknownAlgorithm, offset: 28)),
        ])
    func brokenOffers(text: String, error: DigestSyntaxError) {
        #expect(throws: error) { try DigestOffer(parsing: bytes(text)) }
    }

    @Test("Credentials are read whatever the order, quoting and case of their parameters")
    func answers() throws {
        let text = """
            DIGEST Username="al\\"ice" ,REALM="r",nonce="n", uri="sip:r", response="\(response)", algorithm="MD5", qop="auth", \
            NC=0000000A, cnonce=xyz, opaque=""
            """
        let answer = try DigestAnswer(parsing: bytes(text))
        #expect(answer.accountName.elementsEqual("al\"ice".utf8))
        #expect(answer.username.elementsEqual("al\\\"ice".utf8))
        #expect(answer.protection == .qop(.auth, nc: bytes("0000000A"), count: 10, cnonce: bytes("xyz")))
        #expect(answer.opaque?.isEmpty == true)
        #expect(answer.isUserHashed == false)
    }

    @Test("RFC 7616 3.4: username* stands for a name beyond ASCII")
    func extendedName() throws {
        let text = "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\", nonce=\"n\", uri=\"u\", response=\"\(response)\""
        #expect(try DigestAnswer(parsing: bytes(text)).accountName.elementsEqual("J\u{e4}s\u{f8}n Doe".utf8))
        #expect(throws: DigestSyntaxError(.malformedParameter, offset: 17)) {
            try DigestAnswer(parsing: bytes(text.replacing("%20", with: "%2x")))
        }
    }

    @Test(
        "Credentials that lack something or contradict themselves say why",
        arguments: [
            ("username=\"a\"", DigestSyntaxError.Reason.repeated("username")),
            ("response=\"00\"", .repeated("response")),
            ("qop=auth", .missing("nc")),
            ("qop=auth, nc=00000001", .missing("cnonce")),
            ("qop=auth, nc=1, cnonce=\"c\"", .malformedCount),
            ("qop=auth, nc=0000000g, cnonce=\"c\"", .malformedCount),
            ("qop=auth-conf, nc=00000001, cnonce=\"c\"", .unknownQOP),
            ("algorithm=SHA-256", .malformedResponse),
            ("algorithm=MD4", .unknownAlgorithm),
            ("algorithm=MD5-sess", .missing("qop")),
        ])
    func brokenAnswers(extra: String, reason: DigestSyntaxError.Reason) {
        let text = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"\(response)\", \(extra)"
        let error = #expect(throws: DigestSyntaxError.self) { try DigestAnswer(parsing: bytes(text)) }
        #expect(error?.reason == reason)
    }

    @Test("Hostile input never traps: every prefix and every single-byte change of valid credentials")
    func mutations() {
        let valid = Array(
            "Digest username=\"a\\\"\", realm=\"r\", nonce=\"n\", uri=\"sip:u\", qop=auth, nc=00000001, cnonce=\"c\", response=\"\(response)\""
                .utf8)
        var read = 0
        for end in 0...valid.count where (try? DigestAnswer(parsing: valid[..<end])) != nil { read += 1 }
        // Only the whole text is complete: each parameter is needed.
        #expect(read == 1)
        for place in valid.indices {
            for byte: UInt8 in [0, 0x22, 0x2c, 0x3d, 0x5c, 0x80, 0xff] {
                var changed = valid
                changed[place] = byte
                _ = try? DigestAnswer(parsing: changed[...])
                _ = try? DigestOffer(parsing: changed[...])
            }
        }
        let many = "Digest " + String(repeating: "a=b,", count: 40)
        #expect(throws: DigestSyntaxError(.tooManyParameters, offset: 135)) { try DigestAnswer(parsing: bytes(many)) }
    }
}
