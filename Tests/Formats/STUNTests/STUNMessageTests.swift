import Base
import STUN
import Testing

@Suite struct STUNMessageTests {
    @Test("RFC 8489 5: type bits weave class and method, both ways")
    func types() {
        #expect(STUNMessageType.bindingRequest.wire == 0x0001)
        #expect(STUNMessageType.bindingIndication.wire == 0x0011)
        #expect(STUNMessageType.bindingSuccess.wire == 0x0101)
        #expect(STUNMessageType.bindingError.wire == 0x0111)
        for wire in UInt16(0)..<0x4000 { #expect(STUNMessageType(wire: wire)?.wire == wire) }
        #expect(STUNMessageType(wire: 0x4000) == nil)
        #expect(STUNMessageType(wire: 0x8001) == nil)
    }

    @Test("RFC 5769 2.1: the sample request, every attribute, with its non-zero padding kept")
    func sampleRequest() throws {
        let message = try STUNMessage(Vector.request)
        #expect(message.bytes == Vector.request)
        #expect(message.type == .bindingRequest)
        #expect(message.transactionID.hasCookie)
        #expect(message.transactionID.description == "b7e7a701bc34d686fa87dfae")
        #expect(
            message.places.map(\.type) == [.software, .priority, .iceControlled, .username, .messageIntegrity, .fingerprint])
        #expect(try message.attribute(.software) == .software(Array("STUN test client".utf8)))
        #expect(try message.attribute(.username) == .username(Array("evtj:h6vY".utf8)))
        #expect(try message.attribute(.priority) == .unknown(.priority, [0x6e, 0, 1, 0xff]))
        #expect(message.fingerprintIsValid == true)
        #expect(message.unknownRequired(knowing: [.username, .messageIntegrity]) == [.priority])
    }

    @Test(
        "RFC 5769 2.2, 2.3: XOR-MAPPED-ADDRESS of both families",
        arguments: [
            (Vector.responseIPv4, "192.0.2.1:32853"),
            (Vector.responseIPv6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ])
    func responses(bytes: [UInt8], mapped: String) throws {
        let message = try STUNMessage(bytes)
        #expect(message.type == .bindingSuccess)
        #expect(message.reflexiveEndpoint == Endpoint(mapped))
        #expect(try message.attribute(.xorMappedAddress) == .xorMappedAddress(try #require(Endpoint(mapped))))
        #expect(message.fingerprintIsValid == true)
    }

    @Test("RFC 8489 14.7: one flipped bit anywhere spoils the fingerprint or the message")
    func fingerprintBits() {
        for index in Vector.responseIPv4.indices {
            var bytes = Vector.responseIPv4
            bytes[index] ^= 0x01
            let verdict = (try? STUNMessage(bytes))?.fingerprintIsValid
            #expect(verdict != true, "byte \(index)")
        }
    }

    @Test("every attribute prints and parses to itself")
    func roundTrip() throws {
        var entropy = Entropy(labSeed: 1)
        let four = try #require(Endpoint("198.51.100.7:52899"))
        let six = try #require(Endpoint("[2001:db8::7]:5060"))
        let attributes: [STUNAttribute] = [
            .mappedAddress(four), .xorMappedAddress(six), .draftXORMappedAddress(four), .responseAddress(four),
            .sourceAddress(six), .changedAddress(four), .reflectedFrom(four), .responseOrigin(six), .otherAddress(four),
            .alternateServer(four), .changeRequest(STUNChangeRequest(address: true, port: false)),
            .changeRequest(STUNChangeRequest(address: false, port: true)), .username([1, 2, 3]), .password([4]),
            .realm(Array("example.org".utf8)), .nonce([9, 9]), .software(Array("Pinhole".utf8)), .alternateDomain([0x61]),
            .userhash(Array(repeating: 7, count: 32)), .errorCode(.unknownAttribute), .errorCode(STUNErrorCode(699, "")),
            .unknownAttributes([.priority, .useCandidate, .nonce]), .passwordAlgorithm(.sha256),
            .passwordAlgorithms([.md5, STUNPasswordAlgorithm(number: 9, parameters: [1, 2, 3])]), .responsePort(4711),
            .padding(Array(repeating: 0, count: 33)), .cacheTimeout(3600), .unknown(STUNAttributeType(rawValue: 0x7777), [5]),
            .messageIntegrity(Array(repeating: 1, count: 20)), .messageIntegritySHA256(Array(repeating: 2, count: 16)),
            .fingerprint(0xdead_beef),
        ]
        let writer = STUNWriter(.bindingSuccess, STUNTransactionID(from: &entropy), attributes)
        let message = try STUNMessage(writer.bytes)
        #expect(try message.attributes() == attributes)
        #expect(message.bytes == writer.bytes)
        #expect(Int(writer.bytes.uint16(at: 2)) == writer.bytes.count - 20)
    }

    @Test("RFC 8489 14.7: a written fingerprint is right")
    func ownFingerprint() throws {
        var entropy = Entropy(labSeed: 2)
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy), [.software(Array("x".utf8))])
        writer.addFingerprint()
        #expect(try STUNMessage(writer.bytes).fingerprintIsValid == true)
    }

    @Test("RFC 8489 14.5: what follows MESSAGE-INTEGRITY is ignored, save the two that may")
    func afterIntegrity() throws {
        var entropy = Entropy(labSeed: 3)
        let endpoint = try #require(Endpoint("192.0.2.9:9"))
        let writer = STUNWriter(
            .bindingSuccess, STUNTransactionID(from: &entropy),
            [
                .messageIntegrity(Array(repeating: 0, count: 20)), .xorMappedAddress(endpoint),
                .messageIntegritySHA256(Array(repeating: 0, count: 32)), .fingerprint(0),
            ])
        let message = try STUNMessage(writer.bytes)
        #expect(message.reflexiveEndpoint == nil)
        #expect(message.place(of: .messageIntegritySHA256) != nil)
        #expect(message.place(of: .fingerprint) != nil)
        #expect(message.fingerprintIsValid == false)
    }

    @Test("RFC 8489 14: the first of repeated attributes counts")
    func repeated() throws {
        var entropy = Entropy(labSeed: 4)
        let writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy), [.username([1]), .username([2])])
        #expect(try STUNMessage(writer.bytes).attribute(.username) == .username([1]))
    }

    @Test("RFC 3489 11.2.10: a classic UNKNOWN-ATTRIBUTES repeats a type to reach a multiple of four")
    func classicUnknownAttributes() throws {
        var entropy = Entropy(labSeed: 5)
        let id = STUNTransactionID(from: &entropy, classic: true)
        #expect(!id.hasCookie)
        let writer = STUNWriter(.bindingError, id, [.unknownAttributes([.priority])])
        #expect(try STUNMessage(writer.bytes).attribute(.unknownAttributes) == .unknownAttributes([.priority, .priority]))
    }
}
