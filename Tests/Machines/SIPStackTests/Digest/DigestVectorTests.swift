import Base
import SIPStack
import Testing

func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

@Suite("Digest: published examples")
struct DigestVectorTests {
    private func response(
        _ algorithm: DigestAlgorithm, user: String, realm: String, password: String, method: String, uri: String,
        body: String = "",
        nonce: String, protection: DigestAnswer.Protection
    ) throws -> String {
        let secret = DigestSecret(username: user, realm: realm, password: password)
        let offer = DigestOffer(realm: realm, nonce: Array(nonce.utf8), algorithm: algorithm)
        let value = DigestClient.credentials(
            username: user, ha1: try #require(secret[algorithm.hash]), challenge: offer,
            subject: DigestSubject(method: bytes(method), uri: bytes(uri), body: bytes(body)), protection: protection)
        return try DigestAnswer(parsing: value[...]).response.description
    }

    private func auth(_ qop: DigestQOP, _ nc: UInt32, _ cnonce: String) -> DigestAnswer.Protection {
        .qop(qop, nc: bytes("0000000\(nc)"), count: nc, cnonce: bytes(cnonce))
    }

    @Test(
        "RFC 7616 3.9.1: MD5 and SHA-256",
        arguments: [
            (DigestAlgorithm.md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (.sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ])
    func mufasa(algorithm: DigestAlgorithm, expected: String) throws {
        let found = try response(
            algorithm, user: "Mufasa", realm: "http-auth@example.org", password: "Circle of Life", method: "GET",
            uri: "/dir/index.html", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            protection: auth(.auth, 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"))
        #expect(found == expected)
    }

    @Test("RFC 7616 3.9.2 with erratum 4897: SHA-512-256, a user name beyond ASCII, userhash")
    func jason() throws {
        let user = "J\u{e4}s\u{f8}n Doe"
        let found = try response(
            .sha512256, user: user, realm: "api@example.org", password: "Secret, or not?", method: "GET", uri: "/doe.json",
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            protection: auth(.auth, 1, "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"))
        #expect(found == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5")
        #expect(
            userHash(username: user, realm: "api@example.org", .sha512256).description
                == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
    }

    @Test("RFC 2617 3.5: MD5 with qop=auth")
    func rfc2617() throws {
        let found = try response(
            .md5, user: "Mufasa", realm: "testrealm@host.com", password: "Circle Of Life", method: "GET", uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", protection: auth(.auth, 1, "0a4f113b"))
        #expect(found == "6629fae49393a05397450978507c4ef1")
    }

    @Test("RFC 2069 2.4 with its erratum: no qop at all")
    func rfc2069() throws {
        let found = try response(
            .md5, user: "Mufasa", realm: "testrealm@host.com", password: "CircleOfLife", method: "GET", uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", protection: .legacy)
        #expect(found == "1949323746fe6a43ef61f9606e7febea")
    }

    @Test(
        "RFC 7616 3.4.2, 3.4.3: -sess and auth-int for every hash, against OpenSSL",
        arguments: [
            (DigestHash.md5, false, "91598a019e828be1a9655ce745b5873d"),
            (.md5, true, "e13e12f8912048e0b4b826fc2f7f7b3d"),
            (.sha256, false, "35623e25c6a444b652e19538452435d152c0330b26e4c4a6d30bca65121fdeaf"),
            (.sha256, true, "79cf67750118c9a4e249af1bdbbaf1b974ebe2b5e7791e53707f8d945d40b88d"),
            (.sha512256, false, "d69acf3b21ccdcbcae631d76c619b2cc366bcd3a183f190555c28c85a1983d9e"),
            (.sha512256, true, "af8008e203ee6959d81eb09489182eda4823a96b79b087ad90407d202def28fa"),
        ])
    func integrity(hash: DigestHash, isSession: Bool, expected: String) throws {
        let found = try response(
            DigestAlgorithm(hash, isSession: isSession), user: "bob", realm: "biloxi.com", password: "zanzibar", method: "INVITE",
            uri: "sip:bob@biloxi.com", body: "v=0\r\n", nonce: "abcd1234", protection: auth(.authInt, 2, "0a4f113b"))
        #expect(found == expected)
    }

    @Test(
        "RFC 7616 3.4.2: -sess with qop=auth, against OpenSSL",
        arguments: [
            (DigestHash.md5, "753443576744d8b247eeb8c52dee0e40"),
            (.sha256, "5e3dd4373c3d675e44b838d74880c2975927516d9d667ee1c6b7c1eb957b2152"),
            (.sha512256, "b9d468ca518dc6681f95cb20213a4ae40d3d306c3bd211370e1c24cb1cd69da8"),
        ])
    func session(hash: DigestHash, expected: String) throws {
        let found = try response(
            DigestAlgorithm(hash, isSession: true), user: "bob", realm: "biloxi.com", password: "zanzibar", method: "INVITE",
            uri: "sip:bob@biloxi.com", nonce: "abcd1234", protection: auth(.auth, 2, "0a4f113b"))
        #expect(found == expected)
    }
}
