import Base
import MediaControl
import RTP
import Relay
import SRTP
import Testing

@Suite("SRTP by libsrtp2")
struct LibSRTPTests {
    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.compactMap { hexDigit($0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// Both ends of one agreement.
    static func pair(_ suite: SRTPParameters.Suite, differing: Bool = false) -> (LibSRTP, LibSRTP)? {
        var entropy = Entropy(labSeed: 7)
        let one = entropy.bytes(suite.keyLength)
        let other = entropy.bytes(suite.keyLength)
        let wrong = entropy.bytes(suite.keyLength)
        guard let a = LibSRTP(SRTPParameters(suite: suite, localKey: one, remoteKey: other)),
            let b = LibSRTP(SRTPParameters(suite: suite, localKey: other, remoteKey: differing ? wrong : one))
        else { return nil }
        return (a, b)
    }

    static func packet(_ sequence: UInt16, ssrc: UInt32 = 0xcafe_babe) -> [UInt8] {
        RTPPacket(
            payloadType: 0, sequenceNumber: sequence, timestamp: UInt32(sequence) * 160, ssrc: ssrc,
            payload: [UInt8](repeating: 0xab, count: 160)
        ).bytes
    }

    @Test("The suites every phone has are there: AES_CM_128_HMAC_SHA1_80 and _32, and AES-256")
    func suites() {
        #expect(LibSRTP.suites.starts(with: [.aesCM128HMACSHA1_80, .aesCM128HMACSHA1_32, .aesCM256HMACSHA1_80]))
    }

    // Master key and salt of RFC 3711 B.3; the packet under the keys derived there, as published with the reference implementation.
    @Test("RFC 3711: a packet under the master key of appendix B.3, byte for byte")
    func knownAnswer() throws {
        let key = Self.bytes("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6")
        let context = try #require(LibSRTP(SRTPParameters(suite: .aesCM128HMACSHA1_80, localKey: key, remoteKey: key)))
        let plain = Self.bytes("800f1234 decafbad cafebabe abababab abababab abababab abababab")
        let protected = Self.bytes(
            "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb")
        #expect(context.protect(plain, isRTCP: false) == protected)
        #expect(context.unprotect(protected, isRTCP: false) == plain)
    }

    @Test("RTP and RTCP come back as they went, and are not to be read between", arguments: SRTPParameters.Suite.allCases)
    func roundTrip(_ suite: SRTPParameters.Suite) throws {
        guard LibSRTP.suites.contains(suite) else { return }
        let (a, b) = try #require(Self.pair(suite))
        for sequence: UInt16 in [65_534, 65_535, 0, 1, 2] {
            let plain = Self.packet(sequence)
            let secret = try #require(a.protect(plain, isRTCP: false))
            #expect(secret.count > plain.count && Array(secret[..<12]) == Array(plain[..<12]))
            #expect(Array(secret[12..<plain.count]) != Array(plain[12...]))
            #expect(b.unprotect(secret, isRTCP: false) == plain)
        }
        let report = RTCPPacket.compound([.receiverReport(ssrc: 0xcafe_babe, [])])
        let secret = try #require(a.protect(report, isRTCP: true))
        #expect(b.unprotect(secret, isRTCP: true) == report)
    }

    @Test("A wrong key, a flipped bit anywhere, a repeated packet and a cut one are refused")
    func refusals() throws {
        let suite = SRTPParameters.Suite.aesCM128HMACSHA1_80
        let (a, wrong) = try #require(Self.pair(suite, differing: true))
        let secret = try #require(a.protect(Self.packet(1), isRTCP: false))
        #expect(wrong.unprotect(secret, isRTCP: false) == nil)
        let (_, b) = try #require(Self.pair(suite))
        for bit in stride(from: 0, to: secret.count * 8, by: 5) {
            var changed = secret
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(b.unprotect(changed, isRTCP: false) == nil, "bit \(bit)")
        }
        for length in 0..<secret.count { #expect(b.unprotect(Array(secret[..<length]), isRTCP: false) == nil) }
        #expect(b.unprotect(secret, isRTCP: false) == Self.packet(1))
        #expect(b.unprotect(secret, isRTCP: false) == nil)
    }

    @Test("A key of the wrong length makes no context", arguments: SRTPParameters.Suite.allCases)
    func keyLength(_ suite: SRTPParameters.Suite) {
        let good = [UInt8](repeating: 3, count: suite.keyLength)
        for length in [0, suite.keyLength - 1, suite.keyLength + 1] {
            let bad = [UInt8](repeating: 3, count: length)
            #expect(LibSRTP(SRTPParameters(suite: suite, localKey: bad, remoteKey: good)) == nil)
            #expect(LibSRTP(SRTPParameters(suite: suite, localKey: good, remoteKey: bad)) == nil)
        }
    }

    @Test("A stream of ever new sources is followed to 64 of them: the library would keep each for ever")
    func sources() throws {
        let (a, b) = try #require(Self.pair(.aesCM128HMACSHA1_80))
        for ssrc in UInt32(0)..<64 {
            let secret = try #require(a.protect(Self.packet(1, ssrc: ssrc), isRTCP: false))
            #expect(b.unprotect(secret, isRTCP: false) != nil)
        }
        #expect(a.protect(Self.packet(1, ssrc: 64), isRTCP: false) == nil)
        #expect(a.protect(Self.packet(2, ssrc: 63), isRTCP: false) != nil)
    }

    @Test("A buffer without room for the tag is refused, not overrun")
    func room() throws {
        let (a, _) = try #require(Self.pair(.aesCM128HMACSHA1_80))
        var buffer = Self.packet(1)
        let count = buffer.count
        #expect(buffer.withUnsafeMutableBytes { a.protect($0, length: count, isRTCP: false) } == nil)
        #expect(buffer == Self.packet(1))
    }
}
