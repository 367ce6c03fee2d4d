import Hashes
import Testing

@Suite("Hashes by the system's libcrypto")
struct HashFunctionTests {
    private func hex(_ octets: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private func hash(_ function: HashFunction, _ text: String) -> String { hex(function.hash(Array(text.utf8))) }

    @Test("This machine has them")
    func present() { #expect(HashFunction.problem == nil) }

    @Test("A library that is missing is named with the package that has it; one without the functions as well")
    func missing() {
        #expect(
            HashFunction.problem(with: "libcrypto.so.none")
                == "libcrypto.so.3 (OpenSSL 3), which computes MD5, SHA-1 and SHA-256, cannot be loaded; install the package libssl3"
        )
        #expect(
            HashFunction.problem(with: "libc.so.6") == "libcrypto.so.3 lacks functions of OpenSSL 3; install the package libssl3")
        #expect(HashFunction.problem(with: "libcrypto.so.3") == nil)
    }

    @Test(
        "RFC 1321 A.5: MD5",
        arguments: [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a"
            ),
        ])
    func md5(text: String, value: String) { #expect(hash(.md5, text) == value) }

    private static let two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

    @Test("FIPS 180-4's examples of SHA-1, SHA-256 and SHA-512/256: one block, two blocks, a million a's")
    func published() {
        let million = String(repeating: "a", count: 1_000_000)
        let long =
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
        #expect(hash(.sha1, "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hash(.sha1, Self.two) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(hash(.sha1, million) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
        #expect(hash(.sha256, "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hash(.sha256, Self.two) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(hash(.sha256, million) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        #expect(hash(.sha512256, "abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23")
        #expect(hash(.sha512256, long) == "3928e184fb8690f840da3988121d31be65cb9d3ef83ee6146feac861e19b563a")
        #expect(hash(.sha512256, million) == "9a59a052930187a97038cae692f30708aa6491923ef5194394dc68d56c74fb21")
    }

    /// RFC 2202 and RFC 4231 share their keys and texts but for lengths.
    private struct Case {
        var key: [UInt8]
        var text: [UInt8]
        var code: String
    }

    private func check(_ function: HashFunction, _ cases: [Case]) {
        for (number, test) in cases.enumerated() {
            #expect(hex(function.code(key: test.key, test.text)) == test.code, "case \(number + 1)")
        }
    }

    private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }
    private func octets(_ octet: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: octet, count: count) }

    @Test("RFC 2202 2: HMAC-MD5, all seven cases")
    func hmacMD5() {
        check(
            .md5,
            [
                Case(key: octets(0x0b, 16), text: octets("Hi There"), code: "9294727a3638bb1c13f48ef8158bfc9d"),
                Case(
                    key: octets("Jefe"), text: octets("what do ya want for nothing?"), code: "750c783e6ab0b503eaa86e310a5db738"),
                Case(key: octets(0xaa, 16), text: octets(0xdd, 50), code: "56be34521d144c88dbb8c733f0e8b3f6"),
                Case(key: [UInt8](1...25), text: octets(0xcd, 50), code: "697eaf0aca3a3aea3a75164746ffaa79"),
                Case(key: octets(0x0c, 16), text: octets("Test With Truncation"), code: "56461ef2342edc00f9bab995690efd4c"),
                Case(
                    key: octets(0xaa, 80), text: octets("Test Using Larger Than Block-Size Key - Hash Key First"),
                    code: "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"),
                Case(
                    key: octets(0xaa, 80),
                    text: octets("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
                    code: "6f630fad67cda0ee1fb1f562db3aa53e"),
            ])
    }

    @Test("RFC 2202 3: HMAC-SHA-1, all seven cases")
    func hmacSHA1() {
        check(
            .sha1,
            [
                Case(key: octets(0x0b, 20), text: octets("Hi There"), code: "b617318655057264e28bc0b6fb378c8ef146be00"),
                Case(
                    key: octets("Jefe"), text: octets("what do ya want for nothing?"),
                    code: "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
                Case(key: octets(0xaa, 20), text: octets(0xdd, 50), code: "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
                Case(key: [UInt8](1...25), text: octets(0xcd, 50), code: "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
                Case(
                    key: octets(0x0c, 20), text: octets("Test With Truncation"),
                    code: "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
                Case(
                    key: octets(0xaa, 80), text: octets("Test Using Larger Than Block-Size Key - Hash Key First"),
                    code: "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
                Case(
                    key: octets(0xaa, 80),
                    text: octets("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
                    code: "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"),
            ])
    }

    @Test("RFC 4231 4: HMAC-SHA-256, all cases of whole codes")
    func hmacSHA256() {
        check(
            .sha256,
            [
                Case(
                    key: octets(0x0b, 20), text: octets("Hi There"),
                    code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
                Case(
                    key: octets("Jefe"), text: octets("what do ya want for nothing?"),
                    code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
                Case(
                    key: octets(0xaa, 20), text: octets(0xdd, 50),
                    code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
                Case(
                    key: [UInt8](1...25), text: octets(0xcd, 50),
                    code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
                Case(
                    key: octets(0xaa, 131), text: octets("Test Using Larger Than Block-Size Key - Hash Key First"),
                    code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
                Case(
                    key: octets(0xaa, 131),
                    text: octets(
                        "This is a test using a larger than block-size key and a larger than block-size data."
                            + " The key needs to be hashed before being used by the HMAC algorithm."),
                    code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
            ])
    }

    @Test("An empty key and an empty text: HMAC-SHA-256 of nothing")
    func hmacOfNothing() {
        #expect(
            hex(HashFunction.sha256.code(key: [], [])) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    /// Covers every size up to 300 octets: each text is hashed behind the code of the one before.
    private static func chain(_ function: HashFunction) -> [UInt8] {
        var value: [UInt8] = []
        for size in 0...300 {
            let text = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) }
            value = function.code(key: function.hash(value + text), text)
        }
        return value
    }

    /// Computed with Python's hashlib and hmac.
    private static let chains: [(HashFunction, String)] = [
        (.md5, "a5ab141678904de4c78e11876dfef486"),
        (.sha1, "3480dec14fadd6c7ad0095889e3a44d375f1d3a3"),
        (.sha256, "a7a97c2ee73a15aff154f31240effa2f3320e0fbad458284688153ef7bae21d6"),
        (.sha512256, "4f75bc09d8163946a3cd3d92eee30bccc710ef20df4e7da3bb5c347eb02b7137"),
    ]

    @Test("Every size up to 300 octets, hashed and as HMAC, by 64 tasks at once", arguments: chains)
    func sizes(function: HashFunction, value: String) async {
        let all = await withTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<64 { group.addTask { Self.chain(function) } }
            return await group.reduce(into: [[UInt8]]()) { $0.append($1) }
        }
        #expect(all.map(hex) == [String](repeating: value, count: 64))
    }
}
