import Base
import STUN
import Testing

@Suite struct STUNHostileInputTests {
    private static let header = hex("00010000" + "2112a442" + "000102030405060708090a0b")

    private static func message(length: UInt16, _ tail: [UInt8]) -> [UInt8] {
        var bytes = header
        bytes.replace(at: 2, bigEndian: length)
        return bytes + tail
    }

    @Test(
        "malformed messages are refused with reason and offset",
        arguments: [
            ([], STUNError(.shorterThanHeader, at: 0)),
            (Array(header.prefix(19)), STUNError(.shorterThanHeader, at: 19)),
            ([0x40] + header.dropFirst(), STUNError(.notSTUN, at: 0)),
            ([0xff] + header.dropFirst(), STUNError(.notSTUN, at: 0)),
            (message(length: 3, [0, 0, 0]), STUNError(.oddLength, at: 2)),
            (message(length: 4, []), STUNError(.wrongLength(says: 4, is: 0), at: 2)),
            (message(length: 0, [0, 1, 0, 0]), STUNError(.wrongLength(says: 0, is: 4), at: 2)),
            (message(length: 65_532, []), STUNError(.wrongLength(says: 65_532, is: 0), at: 2)),
            (message(length: 4, [0, 6, 0, 1]), STUNError(.attributePastEnd(.username), at: 20)),
            (message(length: 8, [0, 6, 0xff, 0xff, 1, 2, 3, 4]), STUNError(.attributePastEnd(.username), at: 20)),
        ] as [([UInt8], STUNError)])
    func malformed(bytes: [UInt8], expected: STUNError) {
        #expect(throws: expected) { try STUNMessage(bytes) }
    }

    @Test("a message of empty attributes ends at the cap")
    func tooMany() {
        let tail = (0..<200).flatMap { _ in [0x80, 0x22, 0, 0] as [UInt8] }
        #expect(throws: STUNError(.tooManyAttributes, at: 20 + 4 * STUNMessage.mostAttributes)) {
            try STUNMessage(Self.message(length: 800, tail))
        }
    }

    @Test(
        "values of the wrong shape are refused, the message stands",
        arguments: [
            (STUNAttributeType.mappedAddress, [] as [UInt8]), (.mappedAddress, [0, 1, 0, 0]),
            (.mappedAddress, [0, 2, 0, 0, 1, 2, 3, 4]), (.xorMappedAddress, [0, 3, 0, 0, 1, 2, 3, 4]),
            (.xorMappedAddress, [0, 1] + Array(repeating: 0, count: 18)), (.changeRequest, [0, 0]), (.errorCode, [0, 0, 4]),
            (.errorCode, [0, 0, 2, 0]), (.errorCode, [0, 0, 4, 100]), (.unknownAttributes, [0]), (.messageIntegrity, [1, 2]),
            (.messageIntegritySHA256, Array(repeating: 0, count: 12)), (.messageIntegritySHA256, Array(repeating: 0, count: 36)),
            (.fingerprint, [1]), (.passwordAlgorithms, [0, 1, 0]), (.passwordAlgorithms, [0, 1, 0xff, 0xff]),
            (.passwordAlgorithm, []), (.responsePort, [1]), (.cacheTimeout, []), (.userhash, [0]),
            (.username, Array(repeating: 0, count: 509)),
        ] as [(STUNAttributeType, [UInt8])])
    func wrongShapes(type: STUNAttributeType, value: [UInt8]) throws {
        var entropy = Entropy(labSeed: 6)
        var writer = STUNWriter(.bindingSuccess, STUNTransactionID(from: &entropy))
        writer.add(type, value)
        let message = try STUNMessage(writer.bytes)
        #expect(throws: STUNError(.badValue(type), at: 24)) { try message.attribute(type) }
        #expect(message.reflexiveEndpoint == nil)
        #expect(message.errorCode == nil)
    }

    @Test("a stream reader learns the length from four bytes")
    func streamLength() {
        #expect(STUNMessage.length(startingWith: Vector.request[..<3]) == nil)
        #expect(STUNMessage.length(startingWith: Vector.request[..<4]) == Vector.request.count)
    }
}

@Suite struct STUNDemultiplexingTests {
    @Test("STUN is told from SIP on a shared port, with and without the cookie")
    func detection() {
        #expect(isSTUN(Vector.request))
        #expect(isSTUN(hex("000100000102030405060708090a0b0c0d0e0f10")))
        #expect(isSTUN(hex("00010008" + "0102030405060708090a0b0c0d0e0f10" + "0003000400000000")))
        #expect(!isSTUN(hex("000500000102030405060708090a0b0c0d0e0f10")))
        #expect(!isSTUN(hex("000100040102030405060708090a0b0c0d0e0f10")))
        #expect(!isSTUN(hex("00010000")))
        #expect(!isSTUN([]))
        #expect(!isSTUN(Array("REGISTER sip:example.org SIP/2.0\r\n".utf8)))
        #expect(!isSTUN(Array("\r\n\r\n".utf8)))
    }
}
