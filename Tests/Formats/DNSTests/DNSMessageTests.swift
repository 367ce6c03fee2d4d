import Base
import DNS
import Testing

func name(_ text: String) -> DNSName { DNSName(text)! }

func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { hexDigit($0) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

@Suite struct DNSMessageTests {
    @Test("RFC 1035 4.1.4: the compressed names of the RFC's own example")
    func compression() throws {
        // F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64 and the root at 92, each the owner of an empty question here.
        let bytes = hex(
            "0001 0000 0003 0000 0000 0000" + "01 46 03 495349 04 41525041 00 0001 0001" + "03 464f4f c00c 0001 0001"
                + "c012 001c 0001")
        let message = try DNSMessage(bytes)
        #expect(message.questions.map(\.name.description) == ["f.isi.arpa", "foo.f.isi.arpa", "arpa"])
        #expect(message.questions[2].type == .aaaa)
    }

    @Test("every record type prints and parses to itself, names compressed where allowed")
    func roundTrip() throws {
        var message = DNSMessage(id: 0xbeef)
        message.isResponse = true
        message.isAuthoritative = true
        message.recursionDesired = true
        message.recursionAvailable = true
        message.code = .nameError
        let owner = name("example.org")
        message.questions = [DNSQuestion(owner, .any)]
        message.answers = [
            DNSRecord(owner, .a(IPv4Address(192, 0, 2, 1))), DNSRecord(owner, ttl: 7, .aaaa(IPv6Address("2001:db8::1")!)),
            DNSRecord(name("www.example.org"), .cname(owner)), DNSRecord(owner, .ns(name("ns.example.org"))),
            DNSRecord(name("1.2.0.192.in-addr.arpa"), .ptr(owner)),
            DNSRecord(
                name("_sip._udp.example.org"),
                .srv(DNSServiceRecord(priority: 1, weight: 2, port: 5060, target: name("sip.example.org")))),
            DNSRecord(
                owner,
                .naptr(
                    DNSNamingRecord(
                        order: 10, preference: 20, flags: "s", service: "SIP+D2U", replacement: name("_sip._udp.example.org")))),
            DNSRecord(owner, .txt([Array("hello".utf8), [], [0, 255]])),
            DNSRecord(owner, .unknown(DNSRecordType(rawValue: 999), [1, 2, 3])),
        ]
        message.authority = [
            DNSRecord(owner, .soa(DNSAuthorityRecord(primary: name("ns.example.org"), mailbox: name("root.example.org"))))
        ]
        message.additional = [.extensions(udpSize: 1232)]
        let bytes = message.bytes()
        #expect(try DNSMessage(bytes) == message)
        #expect(message.udpSize == 1232)
        // RFC 2782: the target of SRV stands uncompressed.
        let plain = name("sip.example.org").wire
        #expect(bytes.indices.contains { bytes[$0...].starts(with: plain) })
        // The owner is spelt out once as a question, and once more inside each of three uncompressed names.
        let spelt = name("example.org").wire
        #expect(bytes.indices.filter { bytes[$0...].starts(with: spelt) }.count == 3)
    }

    @Test(
        "hostile and broken messages are refused with reason and offset",
        arguments: [
            ("", DNSError(.endOfInput, at: 0)),
            ("0001 0000 0001 0000 0000", DNSError(.endOfInput, at: 10)),
            ("0001 0000 0001 0000 0000 0000", DNSError(.endOfInput, at: 12)),
            // A pointer to itself, one forwards, and two that name each other.
            ("0001 0000 0001 0000 0000 0000 c00c 0001 0001", DNSError(.badPointer, at: 12)),
            ("0001 0000 0001 0000 0000 0000 c010 0001 0001 00", DNSError(.badPointer, at: 12)),
            ("0001 0000 0001 0000 0000 0000 0161 c00c 0001 0001", DNSError(.badPointer, at: 14)),
            ("0001 0000 0001 0000 0000 0000 4161 00 0001 0001", DNSError(.badLabel, at: 12)),
            ("0001 0000 0001 0000 0000 0000 05 6161", DNSError(.endOfInput, at: 12)),
            ("0001 0000 ffff ffff ffff ffff", DNSError(.tooManyRecords, at: 4)),
            ("0001 0000 0000 0000 0000 0000 00", DNSError(.trailingBytes, at: 12)),
            ("0001 0000 0000 0001 0000 0000 00 0001 0001 00000000 0003 010203", DNSError(.badData(.a), at: 23)),
            ("0001 0000 0000 0001 0000 0000 00 0010 0001 00000000 0002 0561 61616161", DNSError(.badData(.txt), at: 23)),
            ("0001 0000 0000 0001 0000 0000 00 0021 0001 00000000 0006 000100010001", DNSError(.endOfInput, at: 29)),
            ("0001 0000 0000 0001 0000 0000 00 0001 0001 00000000 ffff 01020304", DNSError(.endOfInput, at: 23)),
        ] as [(String, DNSError)])
    func hostile(text: String, expected: DNSError) {
        #expect(throws: expected) { try DNSMessage(hex(text)) }
    }

    @Test("RFC 1035 2.3.4: a name grown above 255 bytes by pointers is refused")
    func longName() {
        // Four labels of 63 bytes, each pointing to the one before.
        var bytes = hex("0001 0000 0004 0000 0000 0000")
        var last: Int?
        for _ in 0..<5 {
            let here = bytes.count
            bytes.append(63)
            bytes += Array(repeating: 0x61, count: 63)
            if let last { bytes.append(bigEndian: 0xc000 | UInt16(last)) } else { bytes.append(0) }
            bytes += [0, 1, 0, 1]
            last = here
        }
        bytes[5] = 5
        #expect { try DNSMessage(bytes) } throws: { ($0 as? DNSError)?.reason == .nameTooLong }
    }

    @Test("a limit leaves out whole records and marks the message truncated; OPT stays")
    func truncation() throws {
        var message = DNSMessage(id: 1)
        message.isResponse = true
        message.questions = [DNSQuestion(name("example.org"), .a)]
        message.answers = (0..<100).map { DNSRecord(name("example.org"), .a(IPv4Address(bits: $0))) }
        message.additional = [.extensions(udpSize: 4096)]
        let bytes = message.bytes(limit: 512)
        #expect(bytes.count <= 512)
        let cut = try DNSMessage(bytes)
        #expect(cut.isTruncated && cut.answers.count == 29)
        #expect(cut.additional == message.additional)
        #expect(try !DNSMessage(message.bytes()).isTruncated)
    }

    @Test("names compare without case and refuse what cannot stand on the wire")
    func names() {
        #expect(name("Example.ORG.") == name("example.org"))
        #expect(DNSName("") == nil)
        #expect(DNSName("a..b") == nil)
        #expect(DNSName(".a") == nil)
        #expect(DNSName(String(repeating: "a", count: 64)) == nil)
        #expect(DNSName(String(repeating: "a", count: 63)) != nil)
        #expect(DNSName((0..<127).map { _ in "a" }.joined(separator: "."))?.wire.count == 255)
        #expect(DNSName((0..<128).map { _ in "a" }.joined(separator: ".")) == nil)
        #expect(name("a.b.c").isWithin(name("b.c")))
        #expect(name("b.c").isWithin(name("b.c")) && name("b.c").isWithin(.root))
        #expect(!name("ab.c").isWithin(name("b.c")) && !name("c").isWithin(name("b.c")))
        #expect(DNSName.root.description == ".")
    }
}

@Suite struct DNSZoneTests {
    private var zone: DNSZone {
        var zone = DNSZone(apex: name("example.org"))
        zone.add(DNSRecord(name("sip.example.org"), .a(IPv4Address(192, 0, 2, 1))))
        zone.add(DNSRecord(name("www.example.org"), .cname(name("sip.example.org"))))
        zone.add(DNSRecord(name("one.example.org"), .cname(name("two.example.org"))))
        zone.add(DNSRecord(name("two.example.org"), .cname(name("one.example.org"))))
        zone.add(DNSRecord(name("out.example.org"), .cname(name("example.net"))))
        zone.add(
            DNSRecord(
                name("_sip._udp.example.org"),
                .srv(DNSServiceRecord(priority: 0, weight: 0, port: 5060, target: name("sip.example.org")))))
        return zone
    }

    private func ask(_ question: String, _ type: DNSRecordType) -> DNSMessage {
        zone.answer(.query(id: 9, DNSQuestion(name(question), type)))
    }

    @Test("RFC 1034 4.3.2: data, no data, no name, alias, and what is not ours")
    func answers() {
        #expect(ask("sip.example.org", .a).answers.map(\.data) == [.a(IPv4Address(192, 0, 2, 1))])
        #expect(ask("www.example.org", .a).answers.map(\.type) == [.cname, .a])
        let none = ask("sip.example.org", .aaaa)
        #expect(none.code == .noError && none.answers.isEmpty && none.authority.first?.type == .soa)
        let absent = ask("nowhere.example.org", .a)
        #expect(absent.code == .nameError && absent.authority.first?.type == .soa && absent.isAuthoritative)
        // RFC 8020: a name with something below it exists.
        #expect(ask("_udp.example.org", .a).code == .noError)
        #expect(ask("example.net", .a).code == .refused)
        #expect(ask("out.example.org", .a).answers.map(\.type) == [.cname])
        #expect(ask("example.org", .soa).answers.map(\.type) == [.soa])
        #expect(ask("one.example.org", .a).answers.count == 8)
    }

    @Test("bytes in, bytes out: identifier and question come back, responses and rubbish get nothing or FORMERR")
    func bytes() throws {
        let query = DNSMessage.query(id: 77, DNSQuestion(name("sip.example.org"), .a))
        let bytes = try #require(zone.answer(query.bytes()))
        let answer = try DNSMessage(bytes)
        #expect(answer.id == 77 && answer.isResponse && answer.questions == query.questions)
        #expect(zone.answer(answer.bytes()) == nil)
        #expect(zone.answer([1, 2, 3]) == nil)
        let broken = try #require(zone.answer(hex("0007 0000 0001 0000 0000 0000 ff")))
        #expect(try DNSMessage(broken).code == .formatError)
    }

    @Test("RFC 6891 6.2.3: more than the asker takes by UDP is truncated, a stream gets all")
    func sizes() throws {
        var zone = zone
        for index in 0..<60 { zone.add(DNSRecord(name("many.example.org"), .a(IPv4Address(bits: UInt32(index))))) }
        let question = DNSQuestion(name("many.example.org"), .a)
        let small = try DNSMessage(try #require(zone.answer(DNSMessage.query(id: 1, question).bytes())))
        #expect(small.isTruncated)
        let large = try DNSMessage(try #require(zone.answer(DNSMessage.query(id: 1, question, udpSize: 1232).bytes())))
        #expect(!large.isTruncated && large.answers.count == 60)
        let stream = try DNSMessage(try #require(zone.answer(DNSMessage.query(id: 1, question).bytes(), overStream: true)))
        #expect(!stream.isTruncated && stream.answers.count == 60)
    }

    @Test("what lies outside the zone is not taken in")
    func outside() {
        var zone = zone
        let isTaken = zone.add(DNSRecord(name("example.net"), .a(.any)))
        #expect(!isTaken)
        zone.remove(name("sip.example.org"), .a)
        #expect(zone.answer(.query(id: 1, DNSQuestion(name("sip.example.org"), .a))).code == .nameError)
    }
}
