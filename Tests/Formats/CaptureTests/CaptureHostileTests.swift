import Base
import Capture
import Packet
import Testing

@Suite("Hostile captures")
struct CaptureHostileTests {
    /// A file with a bit of everything.
    static let mixture: [UInt8] = {
        var script = TCPScript()
        script.send(sipMessage(1) + sipMessage(2, size: 300))
        let parts = (try? IPPacket.fragments(of: udp(sipMessage(3, size: 3_000)), mtu: 1_300, identification: 5)) ?? []
        let hep = udp(HEPPacket.bytes(sipMessage(9), from: phone, to: server, at: .epoch) ?? [])
        return PcapText(script.packets + parts + [hep, udp(sipMessage(4), from: phone6, to: server6)]).bytes
    }()

    static let mixtureNG: [UInt8] = {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw, resolution: 9, offsetSeconds: 5)
        file.packet(interface: 0, ticks: 5, udp(sipMessage(1)))
        file.statistics(interface: 0, drops: 3)
        file.packet(interface: 0, ticks: 9, udp(sipMessage(2)))
        return file.bytes
    }()

    @Test("any octet of a capture may be any other: nothing traps, the frames stay bounded", arguments: [false, true])
    func mutations(isNG: Bool) {
        let good = isNG ? Self.mixtureNG : Self.mixture
        var entropy = Entropy(seed: [UInt8](repeating: 3, count: 32))
        for _ in 0..<2_000 {
            var bad = good
            for _ in 0...Int(entropy.next() % 6) {
                bad[Int(entropy.next() % UInt64(bad.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            if entropy.next() % 4 == 0 { bad.removeLast(Int(entropy.next() % UInt64(bad.count))) }
            let decoded = decode(bad, chunk: 1 + Int(entropy.next() % 3_000))
            #expect(decoded.notes.frames <= 1_000 && decoded.seen.count <= 1_000)
        }
    }

    @Test("noise behind each magic number is survived")
    func noise() {
        var entropy = Entropy(seed: [UInt8](repeating: 4, count: 32))
        for head in [Array(Self.mixture.prefix(24)), Array(Self.mixtureNG.prefix(28)), [0xa1, 0xb2, 0xc3, 0xd4]] {
            for _ in 0..<50 {
                let decoded = decode(head + (0..<5_000).map { _ in UInt8(truncatingIfNeeded: entropy.next()) }, chunk: 700)
                #expect(decoded.seen.count < 100)
            }
        }
    }

    @Test("a batch's records lie within it whatever the frames say")
    func recordsFit() {
        var entropy = Entropy(seed: [UInt8](repeating: 5, count: 32))
        for _ in 0..<3_000 {
            var packet = udp(sipMessage(1))
            for _ in 0..<4 { packet[Int(entropy.next() % 40)] = UInt8(truncatingIfNeeded: entropy.next()) }
            for seen in decode(packets: [packet]).seen { #expect(seen.bytes.count <= packet.count) }
        }
    }

    @Test(
        "times are held between 1970 and 2116, whatever an interface adds to them", arguments: [UInt64(1) << 63, .max, 1 << 40])
    func times(offset: UInt64) {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw, resolution: 9, offsetSeconds: offset)
        for number in 0..<6 {
            file.packet(interface: 0, ticks: UInt64.max / 7 &* UInt64(number), udp(sipMessage(number)))
        }
        let decoded = decode(file.bytes)
        #expect(decoded.seen.count == 6)
        #expect(decoded.seen.allSatisfy { $0.time >= .epoch && $0.time.nanoseconds <= Int64.max / 2 })
    }

    @Test("a log whose dates jump to and fro for a thousand lines adds no more than a century")
    func years() {
        let text = (0..<1_400).map { "[\($0 % 2 == 0 ? "Dec" : "Jan") 01 10:00:00] VERBOSE[1]: noise" }.joined(separator: "\n")
        var reader = LogReader()
        reader.read(Array((text + "\n" + LogReaderTests.register + "\n\n").utf8))
        reader.finish()
        while let item = reader.nextItem() { if let time = item.time { #expect(time.instant.unixSeconds < 101 * 366 * 86_400) } }
    }
}
