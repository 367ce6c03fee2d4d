import Base
import Capture
import Packet
import Testing

@Suite("Link types with a header of their own, and radio")
struct WrappedLinkTests {
    static let packet = udp(sipMessage())
    static let mac = [UInt8](repeating: 2, count: 12)
    static let snap: [UInt8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0]

    static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// The header of a data frame: `flags` the second octet, `sequence` the frame's number.
    static func air(_ kind: UInt8 = 0x08, _ flags: UInt8 = 1, sequence: UInt16 = 1, more: [UInt8] = []) -> [UInt8] {
        let number = sequence << 4
        return [kind, flags, 0, 0] + (0..<18).map { UInt8($0) } + [UInt8(number & 255), UInt8(number >> 8)] + more
    }

    /// A TLV of NFLOG.
    static func tag(_ type: UInt16, _ value: [UInt8], swapped: Bool = true) -> [UInt8] {
        var bytes: [UInt8] = []
        let length = UInt16(value.count + 4)
        bytes.append(bigEndian: swapped ? length.byteSwapped : length)
        bytes.append(bigEndian: swapped ? type.byteSwapped : type)
        return bytes + value + zeros((4 - value.count & 3) & 3)
    }

    static func nflog(swapped: Bool) -> [UInt8] {
        [2, 0, 0, 5] + tag(1, [8, 0, 1, 0], swapped: swapped) + tag(10, Array("sip in\0".utf8), swapped: swapped)
            + tag(9, packet, swapped: swapped) + tag(19, [0, 0, 0, 1], swapped: swapped)
    }

    static func radiotap(flags: UInt8, time: Bool = true) -> [UInt8] {
        [0, 0, UInt8(8 + (time ? 8 : 0) + 2), 0, time ? 3 : 2, 0, 0, 0] + zeros(time ? 8 : 0) + [flags, 0]
    }

    static func subframe(_ packet: [UInt8], pads: Bool = true) -> [UInt8] {
        let inner = snap + packet
        let bytes = mac + [UInt8(inner.count >> 8), UInt8(inner.count & 255)] + inner
        return bytes + (pads ? zeros((4 - bytes.count & 3) & 3) : [])
    }

    static let frames: [(name: String, link: UInt32, bytes: [UInt8])] = [
        ("802.11", 105, air() + snap + packet), ("802.11, from the access point", 105, air(0x08, 2) + snap + packet),
        ("802.11, four addresses", 105, air(0x08, 3, more: zeros(6)) + snap + packet),
        ("802.11, QoS", 105, air(0x88, 1, more: [6, 0]) + snap + packet),
        ("802.11, QoS and HT control", 105, air(0x88, 0x81, more: zeros(6)) + snap + packet),
        ("802.11, decrypted by the driver", 105, air(0x88, 0x41, more: [6, 0]) + snap + packet),
        ("802.11, decrypted, cipher header left", 105, air(0x88, 0x41, more: [6, 0]) + zeros(8) + snap + packet),
        ("802.11, VLAN", 105, air() + [0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0, 0, 7, 8, 0] + packet),
        ("radiotap", 127, radiotap(flags: 0) + air() + snap + packet),
        ("radiotap, checksum behind", 127, radiotap(flags: 0x10) + air() + snap + packet + [1, 2, 3, 4]),
        ("radiotap, padded header", 127, radiotap(flags: 0x20, time: false) + air(0x88, 1, more: [6, 0, 9, 9]) + snap + packet),
        ("radiotap, two words of fields", 127, [0, 0, 14, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0, 0] + air() + snap + packet),
        ("Prism", 119, [0x44, 0, 0, 0, 144, 0, 0, 0] + zeros(136) + air() + snap + packet),
        ("AVS", 163, [0x80, 0x21, 0x10, 1, 0, 0, 0, 64] + zeros(56) + air() + snap + packet),
        ("AVS under Prism's number", 119, [0x80, 0x21, 0x10, 2, 0, 0, 0, 64] + zeros(56) + air() + snap + packet),
        ("PPI", 192, [0, 0, 12, 0, 105, 0, 0, 0, 1, 2, 3, 4] + air() + snap + packet),
        ("PKTAP", 258, [108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] + zeros(96) + mac + [8, 0] + packet),
        ("PKTAP under its first number", 149, [108, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0] + zeros(96) + packet),
        ("NFLOG", 239, nflog(swapped: true)), ("NFLOG, big-endian", 239, nflog(swapped: false)),
        ("PFLOG", 117, [61, 2, 0, 0] + zeros(60) + packet), ("ENC", 109, [2, 0, 0, 0] + zeros(8) + packet),
        ("IPNET", 226, [2, 2] + zeros(22) + packet), ("netANALYZER", 240, zeros(4) + mac + [8, 0] + packet),
        ("MPLS", 219, [0, 1, 1, 64] + packet), ("PPP in HDLC", 50, [0xff, 3, 0, 0x21] + packet),
        ("PPPoE", 51, [0x11, 0, 0, 1, 0, 9, 0, 0x21] + packet), ("PPP of pppd", 166, [1, 3, 0, 0x21] + packet),
        ("PPP with direction", 204, [0, 0xff, 3, 0, 0x21] + packet), ("Cisco HDLC", 104, [0x0f, 0, 8, 0] + packet),
        ("Frame Relay", 107, [0x18, 0x41, 3, 0xcc] + packet), ("RFC 2684", 100, snap + packet),
        ("FireWire", 138, zeros(16) + [8, 0] + packet),
    ]

    static func file(_ frames: [[UInt8]], _ link: UInt32) -> [UInt8] {
        var file = PcapText(frames)
        file.link = link
        return file.bytes
    }

    @Test("the datagram is found; cut anywhere before it, nothing traps and it is counted", arguments: frames.map(\.name))
    func found(name: String) throws {
        let (_, link, bytes) = try #require(Self.frames.first { $0.name == name })
        let decoded = decode(Self.file([bytes], link))
        #expect(decoded.payloads == [sipMessage()] && decoded.seen.first?.source == phone && decoded.notes.malformed == 0)
        for length in 0..<(bytes.count - Self.packet.count) {
            let notes = decode(Self.file([Array(bytes[..<length])], link)).notes
            #expect(
                notes.frames == 1
                    && notes.malformed + notes.notIP + notes.unknownLinkTypes.values.reduce(0, +) + notes.encryptedRadio == 1,
                "\(length)")
        }
    }

    @Test("any octet of the headers may be any other", arguments: frames.map(\.name))
    func lying(name: String) throws {
        let (_, link, bytes) = try #require(Self.frames.first { $0.name == name })
        var mutated: [[UInt8]] = []
        for place in 0..<min(bytes.count, 160) {
            for value in [0, 0x7f, 0x80, 0xff] as [UInt8] where bytes[place] != value {
                var bad = bytes
                bad[place] = value
                mutated.append(bad)
            }
        }
        let decoded = decode(Self.file(mutated, link))
        #expect(decoded.notes.frames == UInt64(mutated.count) && decoded.seen.count <= mutated.count)
    }

    @Test("an A-MSDU holds several packets; the last needs no padding")
    func aggregate() {
        let other = udp(sipMessage(2))
        let frame = Self.air(0x88, 2, more: [0x80, 0]) + Self.subframe(Self.packet) + Self.subframe(other, pads: false)
        #expect(decode(Self.file([frame], 105)).payloads == [sipMessage(), sipMessage(2)])
        var lying = frame
        lying[26 + 12] = 0xff
        #expect(decode(Self.file([lying], 105)).seen.count <= 1)
    }

    @Test("what is encrypted is counted; management, control and empty frames are no loss")
    func encrypted() {
        let secret = Self.air(0x88, 0x41, more: [6, 0]) + [1, 0, 0, 0x20, 0, 0, 0, 0] + [UInt8](repeating: 0x5a, count: 80)
        let beacon = [0x80, 0, 0, 0] + Self.zeros(40)
        let acknowledgement: [UInt8] = [0xd4, 0, 0, 0, 1, 2, 3, 4, 5, 6]
        let notes = decode(Self.file([secret, beacon, acknowledgement, Self.air(0x48, 1)], 105)).notes
        #expect(notes.encryptedRadio == 1 && notes.notIP == 3 && notes.malformed == 0)
    }

    @Test("a frame that was heard twice counts once; the same number of another sender is another frame")
    func retries() {
        let first = Self.air(sequence: 7) + Self.snap + Self.packet
        let again = Self.air(0x08, 0x09, sequence: 7) + Self.snap + Self.packet
        var other = again
        other[15] = 0x77
        let decoded = decode(Self.file([first, again, again, other], 105))
        #expect(decoded.seen.map(\.frame) == [1, 4] && decoded.notes.repeatedRadio == 2)
        // The first was not heard: the repetition is all there is.
        #expect(decode(Self.file([again], 105)).seen.count == 1)
    }

    @Test("a frame that failed its checksum is not believed")
    func badChecksum() {
        let frame = Self.radiotap(flags: 0x40) + Self.air() + Self.snap + Self.packet
        #expect(decode(Self.file([frame], 127)).notes.malformed == 1)
    }

    @Test("an excerpt's frames are the packets that were dug out")
    func spans() {
        var decoder = CaptureDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        batch.keepsFrames = true
        decoder.feed(Self.file([Self.air() + Self.snap + Self.packet, [0x80, 0, 0, 0] + Self.zeros(40)], 105), into: &batch)
        #expect(batch.frames.map(\.linkType) == [LinkType.raw.rawValue] && batch.frames.map(\.wire) == [Self.packet.count])
        #expect(batch.bytes(of: batch.frames[0]) == Self.packet)
    }
}
