import Analysis
import Base
import Capture
import Packet
import Redaction
import ShowExplain
import Testing

@Suite("Excerpts of captures")
struct ExcerptTests {
    static let phone = Endpoint("198.51.100.9:61000")!
    static let jumped = Endpoint("198.51.100.9:61003")!
    static let server = Endpoint("203.0.113.5:5060")!
    static let redactor = Redactor(entropy: Entropy(seed: [UInt8](repeating: 9, count: 32)))

    static func datagram(_ payload: [UInt8], from source: Endpoint, to destination: Endpoint) -> [UInt8] {
        try! IPPacket.bytes(of: Datagram(from: source, to: destination, payload), IPOptions(identification: 3))
    }

    static func request(_ sequence: Int, nonce: String? = nil, transport: String = "UDP", user: String = "annabel") -> [UInt8] {
        let authorization =
            nonce.map {
                "Authorization: Digest username=\"\(user)\", realm=\"pbx.example\", nonce=\"\($0)\", uri=\"sip:pbx.example\", response=\"0123456789abcdef0123456789abcdef\"\r\n"
            } ?? ""
        return Array(
            """
            REGISTER sip:pbx.example SIP/2.0\r
            Via: SIP/2.0/\(transport) 192.168.1.20:5060;branch=z9hG4bK\(user.utf8.count)-\(sequence);rport\r
            From: <sip:\(user)@pbx.example>;tag=1\r
            To: <sip:\(user)@pbx.example>\r
            Call-ID: \(user.utf8.count).\(user.utf8.first!)@192.168.1.20\r
            CSeq: \(sequence) REGISTER\r
            Contact: <sip:\(user)@192.168.1.20:5060>\r
            \(authorization)Content-Length: 0\r
            \r

            """.utf8)
    }

    static func challenge(_ sequence: Int, _ nonce: String, _ to: Endpoint, transport: String = "UDP", user: String = "annabel")
        -> [UInt8]
    {
        Array(
            """
            SIP/2.0 401 Unauthorized\r
            Via: SIP/2.0/\(transport) 192.168.1.20:5060;branch=z9hG4bK\(user.utf8.count)-\(sequence);received=198.51.100.9;rport=\(to.port)\r
            From: <sip:\(user)@pbx.example>;tag=1\r
            To: <sip:\(user)@pbx.example>;tag=2\r
            Call-ID: \(user.utf8.count).\(user.utf8.first!)@192.168.1.20\r
            CSeq: \(sequence) REGISTER\r
            WWW-Authenticate: Digest realm="pbx.example", nonce="\(nonce)", algorithm=MD5\r
            Content-Length: 0\r
            \r

            """.utf8)
    }

    /// The registration of 2007, and a healthy one beside it.
    static let story: [[UInt8]] = {
        let other = Endpoint("198.51.100.77:5060")!
        return [
            datagram(request(1), from: phone, to: server), datagram(request(1, user: "bertram"), from: other, to: server),
            datagram(request(2), from: jumped, to: server), datagram(challenge(1, "aa11", phone), from: server, to: phone),
            datagram(challenge(2, "bb22", jumped), from: server, to: jumped),
            datagram([13, 10, 13, 10], from: phone, to: server),
            datagram(request(3, nonce: "aa11"), from: phone, to: server),
            datagram(challenge(3, "cc33", phone), from: server, to: phone),
        ]
    }()

    func file(_ packets: [[UInt8]]) -> [UInt8] {
        var writer = PcapWriter()
        for (index, packet) in packets.enumerated() {
            writer.append(packet, at: Instant(nanoseconds: Int64(index + 1) * 20_000_000))
        }
        return writer.bytes
    }

    func decode(_ bytes: [UInt8], _ body: (borrowing PayloadBatch) -> Void) -> CaptureNotes {
        var decoder = CaptureDecoder()
        var batch = PayloadBatch()
        batch.keepsFrames = true
        decoder.feed(bytes, into: &batch)
        body(batch)
        decoder.finish(&batch)
        body(batch)
        return decoder.notes
    }

    func analyse(_ bytes: [UInt8]) -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "x", kind: .capture)])
        let notes = decode(bytes) { analyzer.observe($0, file: 0) }
        analyzer.blind(notes, in: Vantage(0))
        return analyzer.finish()
    }

    func excerpt(_ bytes: [UInt8], filter: ExplainFilter = ExplainFilter(), redactor: Redactor? = nil) -> [UInt8] {
        let selection = ExcerptSelection(analyse(bytes), filter: filter, file: 0)
        var plan = ExcerptPlan(selection, redactor: redactor)
        _ = decode(bytes) { plan.add($0) }
        var writer = ExcerptWriter(plan)
        var out: [UInt8] = []
        _ = decode(bytes) { out += writer.octets($0) }
        return out + writer.ending()
    }

    func packets(_ bytes: [UInt8]) throws -> [[UInt8]] { try PcapFile(bytes).packets.map(\.bytes) }

    func everything() -> ExplainFilter { ExplainFilter(from: Instant(nanoseconds: .min)) }

    // MARK: What is taken

    @Test("the accused dialog's messages and the keepalives on its flow, octet for octet; the healthy dialog is left out")
    func accused() throws {
        let out = try packets(excerpt(file(Self.story)))
        #expect(out == [0, 2, 3, 4, 5, 6, 7].map { Self.story[$0] })
    }

    @Test("what a filter lets pass, accused or not")
    func filtered() throws {
        let out = try packets(excerpt(file(Self.story), filter: ExplainFilter(user: "bertram")))
        #expect(out == [Self.story[1]])
    }

    @Test("nothing accused, nothing asked for: an empty capture, which is one all the same")
    func nothing() throws {
        let out = excerpt(file([Self.story[1]]))
        #expect(try PcapFile(out).records.isEmpty)
    }

    @Test("times and lengths on the wire stay")
    func times() throws {
        let whole = try PcapFile(file(Self.story)).records
        let out = try PcapFile(excerpt(file(Self.story))).records
        #expect(out.map(\.at) == [0, 2, 3, 4, 5, 6, 7].map { whole[$0].at })
    }

    // MARK: Redaction

    @Test("redacted, the findings stay as they are, the lengths and checksums right, and no name or address remains")
    func redacted() throws {
        let original = file(Self.story)
        let hidden = excerpt(original, redactor: Self.redactor)
        let names = { (result: AnalysisResult) in result.findings.map { "\($0.name) \($0.severity) \($0.count)" } }
        #expect(names(analyse(hidden)) == names(analyse(excerpt(original))))
        #expect(analyse(hidden).hasAccusations)
        let (before, after) = (try packets(excerpt(original)), try packets(hidden))
        #expect(before.map(\.count) == after.map(\.count) && before != after)
        for packet in after { try IPPacket(packet).verifyChecksums(packet) }
        let text = String(decoding: hidden, as: UTF8.self)
        for secret in ["annabel", "198.51.100.9", "203.0.113.5", "192.168.1.20", "pbx.example"] {
            #expect(!text.contains(secret))
        }
        #expect(text.contains("REGISTER sip:") && text.contains("algorithm=MD5") && !text.contains("aa11"))
    }

    @Test("a message in fragments is redacted across them, its checksum right", arguments: [false, true])
    func fragments(isReversed: Bool) throws {
        let pad = "X-Pad: " + String(repeating: "z", count: 2_600) + "\r\nContent-Length"
        let long = Array(String(decoding: Self.request(1), as: UTF8.self).replacing("Content-Length", with: pad).utf8)
        let parts = try IPPacket.fragments(of: Self.datagram(long, from: Self.phone, to: Self.server), mtu: 1_300)
        let hidden = excerpt(file(isReversed ? parts.reversed() : parts), filter: everything(), redactor: Self.redactor)
        #expect(try packets(hidden).count == 3)
        var reassembler = Reassembler()
        var whole: [UInt8]?
        for packet in try packets(hidden) {
            if case .whole(let bytes) = reassembler.receive(packet, at: .epoch) { whole = bytes }
        }
        let packet = try #require(whole)
        try IPPacket(packet).verifyChecksums(packet)
        let text = String(decoding: packet, as: UTF8.self)
        #expect(text.contains("REGISTER sip:") && !text.contains("annabel") && packet.count == long.count + 28)
    }

    @Test("messages over TCP, cut by segments anywhere", arguments: [37, 100, 250, 2_000])
    func streams(size: Int) throws {
        let stream =
            Self.request(1, transport: "TCP") + Self.request(2, transport: "TCP")
            + Self.request(3, nonce: "aa11", transport: "TCP")
        func segment(_ sequence: UInt32, _ flags: TCPHeader.Flags, _ payload: [UInt8] = []) -> [UInt8] {
            try! TCPSegment(
                from: Self.phone, to: Self.server, sequence: sequence, acknowledgment: 1, flags: flags, payload: payload
            ).packet()
        }
        var all = [segment(99, .syn)]
        for start in stride(from: 0, to: stream.count, by: size) {
            all.append(segment(100 &+ UInt32(start), [.ack, .psh], Array(stream[start..<min(stream.count, start + size)])))
        }
        let hidden = excerpt(file(all), filter: everything(), redactor: Self.redactor)
        let out = try packets(hidden)
        #expect(out.count == all.count)
        for packet in out { try IPPacket(packet).verifyChecksums(packet) }
        var messages: [String] = []
        _ = decode(hidden) { batch in
            for record in batch.records { messages.append(String(decoding: batch.bytes(of: record), as: UTF8.self)) }
        }
        #expect(messages.count == 3 && messages.allSatisfy { $0.hasPrefix("REGISTER sip:") && !$0.contains("annabel") })
        #expect(messages.map(\.utf8.count).reduce(0, +) == stream.count)
    }

    @Test("STUN tells the stand-in of the address it told, with the fingerprint right")
    func stun() throws {
        var attribute: [UInt8] = [0, 0x20, 0, 8, 0, 1]
        attribute.append(bigEndian: UInt16(61_000 ^ 0x2112))
        attribute.append(bigEndian: (IPv4Address(198, 51, 100, 9).bits ^ 0x2112_a442))
        let response = [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42] + [UInt8](repeating: 5, count: 12) + attribute
        let packets = Self.story + [Self.datagram(response, from: Endpoint("192.0.2.50:3478")!, to: Self.phone)]
        let hidden = excerpt(file(packets), redactor: Self.redactor)
        var seen: (to: IPAddress, told: UInt32)?
        _ = decode(hidden) { batch in
            for record in batch.records where record.content == .stun {
                let bytes = batch.bytes(of: record)
                seen = (
                    record.destinationEndpoint.address, bytes[28...].prefix(4).reduce(0) { $0 << 8 | UInt32($1) } ^ 0x2112_a442
                )
            }
        }
        let found = try #require(seen)
        #expect(found.to == .v4(IPv4Address(bits: found.told)) && found.to != Self.phone.address)
    }

    @Test("an ICMP error quotes the stand-ins, too")
    func icmp() throws {
        let error = [3, 3, 0, 0, 0, 0, 0, 0] + Self.story[0].prefix(300)
        var checked = error
        checked.replace(at: 2, bigEndian: InternetChecksum.of(error, in: 0..<error.count))
        let packet = try IPPacket.bytes(from: Self.server.address, to: Self.phone.address, .icmpv4, checked)
        let hidden = excerpt(file(Self.story + [packet]), redactor: Self.redactor)
        let out = try #require(try packets(hidden).last)
        let text = String(decoding: out, as: UTF8.self)
        #expect(!text.contains("annabel") && text.contains("REGISTER"))
        #expect(out[44...47].elementsEqual(out[16...19]) == false && InternetChecksum.of(out, in: 20..<out.count) == 0)
    }

    @Test("speech is blanked, the RTP header is not")
    func speech() throws {
        let body = "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        func invite(_ first: String) -> [UInt8] {
            Array(
                "\(first)\r\nVia: SIP/2.0/UDP 198.51.100.9:61000;branch=z9hG4bK1\r\nFrom: <sip:a@pbx.example>;tag=1\r\nTo: <sip:b@pbx.example>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.9:61000>\r\nContent-Type: application/sdp\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8)
        }
        let media = (Endpoint("198.51.100.9:4000")!, Endpoint("203.0.113.5:6000")!)
        var packets = [
            Self.datagram(invite("INVITE sip:b@pbx.example SIP/2.0"), from: Self.phone, to: Self.server),
            Self.datagram(invite("SIP/2.0 200 OK"), from: Self.server, to: Self.phone),
        ]
        for number in 0..<60 {
            let rtp: [UInt8] = [0x80, 0, 0, UInt8(number), 0, 0, UInt8(number * 160 >> 8), UInt8(number * 160 & 255), 1, 2, 3, 4]
            packets.append(Self.datagram(rtp + [UInt8](repeating: 0x42, count: 160), from: media.0, to: media.1))
        }
        let hidden = excerpt(file(packets), filter: everything(), redactor: Self.redactor)
        var count = 0
        _ = decode(hidden) { batch in
            for record in batch.records where record.content == .rtp {
                let bytes = batch.bytes(of: record)
                count += 1
                #expect(bytes[8..<12].elementsEqual([1, 2, 3, 4]) && bytes[12...].allSatisfy { $0 == 0xff })
            }
        }
        #expect(count == 60)
    }
}
