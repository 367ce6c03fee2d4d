import Base
import Capture
import Testing

@Suite("IP headers as they lie")
struct IPViewTests {
    static let v4: [UInt8] = [
        0x46, 0, 0, 40, 0x12, 0x34, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 203, 0, 113, 5, 1, 1, 1, 1, 0x13, 0xc4, 0x13, 0xc4, 0, 16,
        0, 0,
        1, 2, 3, 4, 5, 6, 7, 8,
    ]

    /// A header of IPv6 that carries `number`, then `rest`.
    static func v6(_ number: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let said = length ?? rest.count
        let address: [UInt8] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        return [0x60, 0, 0, 0, UInt8(said >> 8), UInt8(said & 255), number, 55] + address + [1] + address + [2] + rest
    }

    static let udp: [UInt8] = [0x13, 0xc4, 0x13, 0xc4, 0, 8, 0, 0]

    private func read(_ bytes: [UInt8]) -> IPView? { IPView(bytes, 0, bytes.count) }

    @Test("IPv4 with options, padding behind it, and a length left to the network card")
    func ipv4() throws {
        let view = try #require(read(Self.v4 + [0, 0]))
        #expect(view.sourceAddress == IPAddress("192.0.2.1") && view.destinationAddress == IPAddress("203.0.113.5"))
        #expect(
            view.payload == 24 && view.end == 40 && view.number == 17 && view.timeToLive == 64 && view.identification == 0x1234)
        #expect(view.isSound && view.isFirst && !view.isFragment && view.saysLength)
        var unsaid = Self.v4
        unsaid[3] = 0
        let whole = try #require(read(unsaid))
        #expect(whole.end == 40 && !whole.saysLength && whole.isSound)
    }

    @Test("fragments of IPv4: the first has ports, the others an offset")
    func fragments() {
        var first = Self.v4
        first[6] = 0x20
        #expect(read(first)?.isFragment == true && read(first)?.isFirst == true)
        first[7] = 2
        #expect(read(first)?.offset == 16 && read(first)?.isFirst == false)
        first[6] = 0x40
        first[7] = 0
        #expect(read(first)?.isFragment == false, "DF is no fragment")
    }

    @Test("what contradicts itself or is cut is read as far as it goes, and not sound")
    func damaged() {
        var short = Self.v4
        short[3] = 20
        #expect(read(short)?.isSound == false, "shorter than its own header")
        #expect(read(Array(Self.v4.prefix(22)))?.isSound == false, "options are missing")
        #expect(read(Array(Self.v4.prefix(19))) == nil)
        #expect(read([0x44] + Self.v4.dropFirst()) == nil, "a header of 16 octets")
        #expect(read([0x56] + Self.v4.dropFirst()) == nil, "IP version 5")
        #expect(read(Array(Self.v6(17, Self.udp).prefix(39))) == nil)
        #expect(read([]) == nil)
    }

    @Test("IPv6 behind hop-by-hop, destination, routing, mobility and authentication headers")
    func extensions() throws {
        let chain: [UInt8] =
            [60] + [UInt8](repeating: 0, count: 7) + [51, 1] + [UInt8](repeating: 0, count: 14) + [
                17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ]
        let bytes = Self.v6(0, chain + Self.udp)
        let view = try #require(read(bytes))
        #expect(
            view.number == 17 && view.payload == 40 + 8 + 16 + 12 && view.end == bytes.count && view.isSound && !view.isFragment)
        #expect(view.sourceAddress == IPAddress("2001:db8::1") && view.timeToLive == 55)
        for end in 40..<(40 + 36) {
            let cut = try #require(IPView(bytes, 0, end))
            #expect(!cut.isSound, "cut at \(end)")
        }
        let long = Self.v6(60, (0..<9).flatMap { _ in [60] + [UInt8](repeating: 0, count: 7) })
        #expect(read(long)?.isSound == false, "nine headers")
    }

    @Test("a fragment header of IPv6: the first fragment is read on, a later one is not")
    func ipv6Fragments() throws {
        func bytes(_ offset: UInt8) -> [UInt8] { Self.v6(44, [17, 0, 0, offset | 1, 0, 0, 0, 7] + Self.udp) }
        let first = try #require(read(bytes(0)))
        #expect(first.isFragment && first.isFirst && first.number == 17 && first.payload == 48 && first.isSound)
        let later = try #require(read(bytes(0x10)))
        #expect(later.isFragment && later.offset == 16 && later.isSound)
        let cut = try #require(IPView(bytes(0), 0, 44))
        #expect(cut.isFragment && cut.isFirst && cut.number == 44 && cut.isSound, "the fragment header itself is cut")
    }

    @Test("an IPv6 packet to a mapped address stays IPv6")
    func mapped() {
        var bytes = Self.v6(17, Self.udp)
        bytes.replaceSubrange(8..<24, with: [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 1])
        #expect(read(bytes)?.sourceAddress.isIPv6 == true)
    }
}
