import Base
import STUN
import STUNStack
import Testing

@Suite struct STUNServerTests {
    static let client = Endpoint(.v4(IPv4Address(203, 0, 113, 5)), 52899)
    static let client6 = Endpoint(.v6(IPv6Address("2001:db8::5")!), 52899)
    static let one = Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 3478)
    static let two = Endpoint(.v4(IPv4Address(198, 51, 100, 2)), 3479)
    static let alternate = STUNAlternate(primary: one, alternate: two)

    private func ask(
        _ server: inout STUNServer, _ attributes: [STUNAttribute] = [], classic: Bool = false, from: Endpoint = client,
        to: Endpoint = one, type: STUNMessageType = .bindingRequest, fingerprint: Bool = false
    ) throws -> (answer: STUNAnswer, message: STUNMessage)? {
        var entropy = Entropy(labSeed: 11)
        let id = STUNTransactionID(from: &entropy, classic: classic)
        var writer = STUNWriter(type, id, attributes)
        if fingerprint { writer.addFingerprint() }
        guard let answer = server.answer(writer.bytes, from: from, to: to) else { return nil }
        let message = try STUNMessage(answer.bytes)
        #expect(message.transactionID == id)
        return (answer, message)
    }

    @Test("RFC 8489 6.3.1: a Binding request is answered with XOR-MAPPED-ADDRESS alone", arguments: [client, client6])
    func binding(from: Endpoint) throws {
        var server = STUNServer()
        let (answer, message) = try #require(try ask(&server, from: from))
        #expect(message.type == .bindingSuccess)
        #expect(try message.attributes() == [.xorMappedAddress(from)])
        #expect(answer.local == Self.one && answer.remote == from && answer.kind == .mapped)
        #expect(server.counters.answered[.mapped] == 1)
    }

    @Test("RFC 8489 14.7: a request with FINGERPRINT gets an answer with one; SOFTWARE is told if set")
    func fingerprint() throws {
        var server = STUNServer(STUNServerSettings(software: "Pinhole"))
        let (_, message) = try #require(try ask(&server, fingerprint: true))
        #expect(message.fingerprintIsValid == true)
        #expect(try message.attribute(.software) == .software(Array("Pinhole".utf8)))
        #expect(try ask(&server, [.fingerprint(5)]) == nil)
        #expect(server.counters.dropped[.wrongFingerprint] == 1)
    }

    @Test("RFC 3489 8.1: a classic request gets MAPPED-, SOURCE- and CHANGED-ADDRESS in the clear, alternate or not")
    func classic() throws {
        var plain = STUNServer()
        let zero = STUNAttribute.changeRequest(STUNChangeRequest(address: false, port: false))
        let (answer, message) = try #require(try ask(&plain, [zero], classic: true))
        #expect(answer.kind == .classic)
        #expect(try message.attributes() == [.mappedAddress(Self.client), .sourceAddress(Self.one), .changedAddress(Self.one)])
        var full = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate))
        let (_, second) = try #require(try ask(&full, classic: true))
        #expect(try second.attributes() == [.mappedAddress(Self.client), .sourceAddress(Self.one), .changedAddress(Self.two)])
    }

    @Test(
        "No answer is over three times as large as the smallest request, headers of IP and UDP counted: no amplifier",
        arguments: [client, client6], [false, true])
    func amplification(from: Endpoint, classic: Bool) throws {
        let first = Endpoint(.v6(IPv6Address("2001:db8::1")!), 3478)
        let second = Endpoint(.v6(IPv6Address("2001:db8::2")!), 3479)
        let six = STUNAlternate(primary: first, alternate: second)
        var server = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate, alternateIPv6: six, software: "Pinhole"))
        let isIPv6 = from == Self.client6
        let to = isIPv6 ? first : Self.one
        guard let (answer, _) = try ask(&server, classic: classic, from: from, to: to) else { return }
        let headers = isIPv6 ? 48 : 28
        #expect(answer.bytes.count + headers <= 3 * (STUNMessage.headerLength + headers))
    }

    @Test(
        "RFC 5780 6.1, RFC 3489 8.1: CHANGE-REQUEST moves the answer's origin, from each of the four endpoints",
        arguments: STUNServerTests.alternate!.endpoints, [false, true])
    func change(to: Endpoint, classic: Bool) throws {
        var server = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate))
        let otherAddress = to.address == Self.one.address ? Self.two.address : Self.one.address
        let otherPort = to.port == 3478 ? 3479 as UInt16 : 3478
        for (address, port) in [(false, false), (true, false), (false, true), (true, true)] {
            let change = STUNAttribute.changeRequest(STUNChangeRequest(address: address, port: port))
            let (answer, message) = try #require(try ask(&server, [change], classic: classic, to: to))
            let expected = Endpoint(address ? otherAddress : to.address, port ? otherPort : to.port)
            #expect(answer.local == expected && answer.remote == Self.client)
            #expect(message.originEndpoint == expected)
            #expect(message.otherEndpoint == Endpoint(otherAddress, otherPort))
            // RFC 5780 6.1: both addresses, the plain and the disguised one.
            #expect(try message.attribute(.mappedAddress) == .mappedAddress(Self.client))
            #expect(message.reflexiveEndpoint == Self.client)
        }
    }

    @Test("without an alternate: no OTHER-ADDRESS, CHANGE-REQUEST gets 420, a classic one that cannot be met gets silence")
    func noAlternate() throws {
        var server = STUNServer()
        let change = STUNAttribute.changeRequest(STUNChangeRequest(address: true, port: true))
        let (answer, message) = try #require(try ask(&server, [change]))
        #expect(message.type == .bindingError && answer.kind == .unknownAttribute)
        #expect(message.errorCode == .unknownAttribute)
        #expect(try message.attribute(.unknownAttributes) == .unknownAttributes([.changeRequest]))
        #expect(message.otherEndpoint == nil)
        #expect(try ask(&server, [change], classic: true) == nil)
        #expect(server.counters.dropped[.cannotChange] == 1)
    }

    @Test("an endpoint outside the four (the SIP port) behaves as without an alternate")
    func sipPort() throws {
        var server = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate))
        let sip = Endpoint(Self.one.address, 5060)
        #expect(try ask(&server, to: sip)?.message.otherEndpoint == nil)
        let change = STUNAttribute.changeRequest(STUNChangeRequest(address: false, port: true))
        #expect(try ask(&server, [change], to: sip)?.message.errorCode?.code == 420)
    }

    @Test("behind a 1:1 NAT the advertised addresses are told, the local ones answer")
    func advertised() throws {
        let outside = IPAddress.v4(IPv4Address(192, 0, 2, 1))
        let outside2 = IPAddress.v4(IPv4Address(192, 0, 2, 2))
        let alternate = STUNAlternate(
            primary: Self.one, alternate: Self.two, advertisedPrimary: outside, advertisedAlternate: outside2)
        var server = STUNServer(STUNServerSettings(alternateIPv4: alternate))
        let (answer, message) = try #require(try ask(&server))
        #expect(answer.local == Self.one)
        #expect(message.originEndpoint == Endpoint(outside, 3478))
        #expect(message.otherEndpoint == Endpoint(outside2, 3479))
        var simple = STUNServer(STUNServerSettings(advertisedIPv4: outside))
        #expect(try ask(&simple, classic: true)?.message.originEndpoint == Endpoint(outside, 3478))
    }

    @Test("an alternate needs one family, another address and another port")
    func badAlternates() {
        #expect(STUNAlternate(primary: Self.one, alternate: Endpoint(Self.two.address, 3478)) == nil)
        #expect(STUNAlternate(primary: Self.one, alternate: Endpoint(Self.one.address, 3479)) == nil)
        #expect(STUNAlternate(primary: Self.one, alternate: Endpoint(Self.client6.address, 3479)) == nil)
    }

    @Test("RFC 8489 6.3.1: unknown comprehension-required attributes get 420 with each named; optional ones are passed over")
    func unknown() throws {
        var server = STUNServer()
        let strange = STUNAttributeType(rawValue: 0x7abc)
        let (_, message) = try #require(
            try ask(&server, [.unknown(.priority, [0, 0, 0, 1]), .software([1]), .unknown(strange, [1, 2, 3])]))
        #expect(message.errorCode?.code == 420)
        #expect(try message.attribute(.unknownAttributes) == .unknownAttributes([.priority, strange]))
        #expect(try ask(&server, [.unknown(STUNAttributeType(rawValue: 0xfabc), [1])])?.answer.kind == .mapped)
        let (_, classic) = try #require(try ask(&server, [.responseAddress(Self.client)], classic: true))
        #expect(try classic.attribute(.unknownAttributes) == .unknownAttributes([.responseAddress, .responseAddress]))
    }

    @Test("RFC 8489 14.5: what follows the seal is not looked at")
    func afterSeal() throws {
        var server = STUNServer()
        let seal = STUNAttribute.messageIntegrity(Array(repeating: 0, count: 20))
        #expect(try ask(&server, [.username([1]), seal, .unknown(.priority, [])])?.answer.kind == .mapped)
    }

    @Test("RFC 5780 7.5, 7.6: RESPONSE-PORT and PADDING are honoured, together they get 400")
    func extras() throws {
        var server = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate))
        let (answer, _) = try #require(try ask(&server, [.responsePort(4000)]))
        #expect(answer.remote == Endpoint(Self.client.address, 4000))
        let (_, padded) = try #require(try ask(&server, [.padding(Array(repeating: 1, count: 1400))]))
        #expect(try padded.attribute(.padding) == .padding(Array(repeating: 0, count: 1400)))
        #expect(try ask(&server, [.responsePort(4000), .padding([0])])?.message.errorCode == .badRequest)
        #expect(try ask(&server, [.unknown(.changeRequest, [0])])?.message.errorCode == .badRequest)
        let (_, huge) = try #require(try ask(&server, [.padding(Array(repeating: 1, count: 65_400))]))
        #expect(huge.value(of: .padding)?.count == 8_192)
    }

    @Test("what is no Binding request gets silence and a counted reason")
    func drops() {
        var server = STUNServer()
        func drop(_ bytes: [UInt8], _ why: STUNDrop) {
            let before = server.counters.dropped[why] ?? 0
            #expect(server.answer(bytes, from: Self.client, to: Self.one) == nil)
            #expect(server.counters.dropped[why] == before + 1, "\(why)")
        }
        drop([], .tooShort)
        drop(Array(Vector.request.prefix(19)), .tooShort)
        drop([0xc0] + Vector.request.dropFirst(), .notSTUN)
        drop(Vector.request + [0], .wrongLength)
        drop(Vector.responseIPv4, .response)
        drop(hex("00110000" + "2112a442" + "000102030405060708090a0b"), .indication)
        drop(hex("00030000" + "2112a442" + "000102030405060708090a0b"), .unknownMethod)
        drop(hex("00010004" + "2112a442" + "000102030405060708090a0b" + "00060005"), .attributePastEnd)
        let plain = hex("00010000" + "2112a442" + "000102030405060708090a0b")
        #expect(server.answer(plain, from: Endpoint(Self.client.address, 0), to: Self.one) == nil)
        #expect(server.counters.dropped[.unanswerable] == 1)
    }

    @Test("the hot entry point refuses a small buffer and otherwise writes the same bytes")
    func hot() throws {
        var server = STUNServer()
        let request = hex("00010000" + "2112a442" + "000102030405060708090a0b")
        var buffer = [UInt8](repeating: 0xaa, count: 400)
        let verdict = request.withUnsafeBytes { request in
            buffer.withUnsafeMutableBytes { server.answer(request, from: Self.client, to: Self.one, into: $0) }
        }
        let written = server.answer(request, from: Self.client, to: Self.one)
        let answer = try #require(written)
        #expect(verdict == .answer(length: 32, local: Self.one, remote: Self.client, kind: .mapped))
        #expect(Array(buffer.prefix(32)) == answer.bytes)
        #expect(buffer[32] == 0xaa)
        let small = request.withUnsafeBytes { request in
            buffer.withUnsafeMutableBytes {
                server.answer(
                    request, from: Self.client, to: Self.one, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<100]))
            }
        }
        #expect(small == .drop(.noRoom))
    }

    @Test("mutated requests never trap, and every answer parses")
    func noise() throws {
        var server = STUNServer(STUNServerSettings(alternateIPv4: Self.alternate, software: "Pinhole"))
        var entropy = Entropy(labSeed: 3)
        let seeds = [
            Vector.request, Vector.longTerm, Vector.longTermSHA256,
            hex("00010008" + "0102030405060708090a0b0c0d0e0f10" + "0003000400000006"),
            hex("00010010" + "2112a442" + "000102030405060708090a0b" + "0026000400000000" + "0027000210000000"),
        ]
        for round in 0..<6000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<(round % 4) {
                bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            bytes.removeLast(Int(entropy.next() % 3) * 4)
            if round % 3 != 0, bytes.count >= 20 { bytes.replace(at: 2, bigEndian: UInt16(bytes.count - 20)) }
            if let answer = server.answer(bytes, from: Self.client, to: Self.one) {
                #expect(throws: Never.self) { try STUNMessage(answer.bytes).attributes() }
            }
        }
    }
}
