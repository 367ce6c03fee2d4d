import Base
import STUN
import STUNStack
import Testing

@Suite struct STUNIntegrityTests {
    private static let longTermMD5 = STUNKey.longTerm(
        username: Vector.longTermUser, realm: "example.org", password: "TheMatrIX")
    private static let longTermSHA256 = STUNKey.longTerm(
        username: Vector.longTermUser, realm: "example.org", password: "TheMatrIX", algorithm: .sha256)

    @Test(
        "RFC 5769 2.1 to 2.4, RFC 8489 B.1: the integrity of every sample is right, and wrong with any other key",
        arguments: [
            (Vector.request, STUNKey.shortTerm(password: Vector.password)),
            (Vector.responseIPv4, STUNKey.shortTerm(password: Vector.password)),
            (Vector.responseIPv6, STUNKey.shortTerm(password: Vector.password)),
            (Vector.longTerm, longTermMD5),
            (Vector.longTermSHA256, longTermSHA256),
        ])
    func vectors(bytes: [UInt8], key: STUNKey) throws {
        let message = try STUNMessage(bytes)
        #expect(message.integrityIsValid(key) == true)
        #expect(message.integrityIsValid(.shortTerm(password: "other")) == false)
    }

    @Test("RFC 8489 B.1: USERHASH")
    func userhash() throws {
        let message = try STUNMessage(Vector.longTermSHA256)
        let hash = STUNKey.userhash(username: Vector.longTermUser, realm: "example.org")
        #expect(try message.attribute(.userhash) == .userhash(hash))
        #expect(try message.attribute(.passwordAlgorithm) == .passwordAlgorithm(.sha256))
    }

    @Test("RFC 5769 2.1: built anew from its parts, the request differs in padding alone and its seals hold")
    func rebuilt() throws {
        let original = try STUNMessage(Vector.request)
        let key = STUNKey.shortTerm(password: Vector.password)
        var writer = STUNWriter(.bindingRequest, original.transactionID)
        for place in original.places.dropLast(2) { writer.add(place.type, original.bytes[place.value]) }
        writer.addIntegrity(key)
        writer.addFingerprint()
        let rebuilt = try STUNMessage(writer.bytes)
        #expect(rebuilt.places == original.places)
        #expect(rebuilt.integrityIsValid(key) == true)
        #expect(rebuilt.fingerprintIsValid == true)
    }

    @Test("RFC 5769 2.4: built anew, the long-term request is the same to the byte")
    func rebuiltLongTerm() throws {
        let original = try STUNMessage(Vector.longTerm)
        var writer = STUNWriter(.bindingRequest, original.transactionID)
        for place in original.places.dropLast() { writer.add(place.type, original.bytes[place.value]) }
        writer.addIntegrity(Self.longTermMD5)
        #expect(writer.bytes == Vector.longTerm)
    }

    @Test("RFC 8489 14.6: truncated SHA-256 codes of 16 to 32 bytes hold", arguments: [16, 20, 24, 28, 32])
    func truncated(length: Int) throws {
        var entropy = Entropy(labSeed: 1)
        let key = STUNKey.shortTerm(password: "x")
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy), [.username([1])])
        writer.addIntegrity(key)
        writer.addIntegritySHA256(key, length: length)
        writer.addFingerprint()
        let message = try STUNMessage(writer.bytes)
        #expect(message.integrityIsValid(key) == true)
        #expect(message.fingerprintIsValid == true)
        var spoiled = writer.bytes
        spoiled[21] ^= 1
        #expect((try? STUNMessage(spoiled))?.integrityIsValid(key) != true)
    }

    @Test("a message without integrity has no verdict")
    func none() throws {
        var entropy = Entropy(labSeed: 1)
        let writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
        #expect(try STUNMessage(writer.bytes).integrityIsValid(.shortTerm(password: "x")) == nil)
    }
}
