import Base
import SIPStack
import Testing

@Suite("Hashes of SIP digest")
struct HashTests {
    @Test(
        "FIPS 180-4 SHA-512/256: published examples and every padding boundary",
        arguments: [
            (0, "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"),
            (111, "bd209f60b0d04102a09175297fd255367e54b5a5605b928635c606306914363f"),
            (112, "2cafeb0882cc405167e9a255b8581a66dc683212474902dd453dbca20a94e61a"),
            (113, "3222333be019dc995e5dd1496d5859ddaa491e03e7df81a659d5e74957bf3b53"),
            (127, "c26bc7e9315e62ab0dc6aeb577724d07c09b0c6fdfc0a9f08d8548047c032248"),
            (128, "2ff11194b2aec1f943cb5f130ba647c151334068083194d7281a55d607ae255f"),
            (129, "c4a3bbf841ed2a289e5109fb392229c80db61c72fd92079b5a4f0441f095a111"),
            (239, "b81472d255d80182e196481e5866aa207761a152302a0237e242eb88c577a428"),
            (240, "6ca13c55886b74a5ca2ac9782c4b9a49fe3aeeefdfc0cefc34984872fb4c54fd"),
            (255, "282a7af172c05b48cb02870d79ec5bc32fc2c6fd32d237d9b84728b6c36d2ed1"),
            (256, "0ea4199eb79185d8198973ee464a7e0eb26345b54b361ac6af8b1dc10d41911c"),
            (1000, "974bc1ca87fcb8f487f65a650d1eeeebdc0cc269381b9eeb708cc4ea6d4954f2"),
        ])
    func sha512256Boundaries(length: Int, expected: String) {
        // Octet i is i modulo 251; expected values computed with OpenSSL.
        let message = (0..<length).map { UInt8($0 % 251) }
        #expect(DigestHash.sha512256.hash(message).description == expected)
    }

    @Test("FIPS 180-4 SHA-512/256: one block, two blocks, a million a's")
    func sha512256Published() {
        let two =
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
        #expect(
            DigestHash.sha512256.hash(Array("abc".utf8)).description
                == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23")
        #expect(
            DigestHash.sha512256.hash(Array(two.utf8)).description
                == "3928e184fb8690f840da3988121d31be65cb9d3ef83ee6146feac861e19b563a")
        #expect(
            DigestHash.sha512256.hash([UInt8](repeating: 0x61, count: 1_000_000)).description
                == "9a59a052930187a97038cae692f30708aa6491923ef5194394dc68d56c74fb21")
    }

    @Test("RFC 1321 and FIPS 180-4: MD5 and SHA-256 of abc")
    func others() {
        #expect(DigestHash.md5.hash(Array("abc".utf8)).description == "900150983cd24fb0d6963f7d28e17f72")
        #expect(
            DigestHash.sha256.hash(Array("abc".utf8)).description
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("Hexadecimal is read in either case, written in lower, and of no other length or digit")
    func hexadecimal() throws {
        let lower = "900150983cd24fb0d6963f7d28e17f72"
        let value = try #require(HashValue(hex: lower))
        #expect(HashValue(hex: "900150983CD24FB0D6963F7D28E17F72") == value)
        #expect(String(decoding: value.hex, as: UTF8.self) == lower)
        #expect(HashValue(octets: value.octets) == value)
        #expect(value.octets.count == 16)
        #expect(HashValue(hex: "") == nil)
        #expect(HashValue(hex: String(lower.dropLast())) == nil)
        #expect(HashValue(hex: "g" + lower.dropFirst()) == nil)
        #expect(HashValue(hex: lower + String(repeating: "0", count: 32)) != value)
    }

    @Test(
        "RFC 8760 2.1: algorithm tokens are compared without case",
        arguments: [
            ("MD5", DigestAlgorithm.md5), ("md5", .md5), ("SHA-256", .sha256), ("sha-512-256", .sha512256),
            ("MD5-sess", DigestAlgorithm(.md5, isSession: true)), ("SHA-256-SESS", DigestAlgorithm(.sha256, isSession: true)),
        ])
    func tokens(text: String, algorithm: DigestAlgorithm) {
        #expect(DigestAlgorithm(token: Array(text.utf8)[...]) == algorithm)
    }

    @Test("Unknown algorithm tokens are none", arguments: ["", "-sess", "SHA-1", "SHA-512", "MD5 ", "MD55"])
    func unknownTokens(text: String) {
        #expect(DigestAlgorithm(token: Array(text.utf8)[...]) == nil)
    }
}
