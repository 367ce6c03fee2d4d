import ALG
import Base
import Foundation
import NAT
import Packet
import RouterNode
import Testing

/// Whole packets against a real Linux router: every one that crossed has to leave with the same octets, checksums and TCP sequence
/// numbers included. Not compared: what the router itself sent (its ICMP errors are limited in rate by the kernel, not here), and a
/// transport checksum where the captured one is wrong: a virtual interface leaves it to be computed after a rewrite. Ours must be right.
@Suite(
    "Linux router against captures of both its sides", .enabled(if: !PacketCaptures.names.isEmpty, "needs the shared captures"))
struct CapturedPacketTests {
    @Test("each packet leaves as the kernel sent it", arguments: PacketCaptures.names)
    func samePackets(name: String) throws {
        let inside = try PacketCaptures.frames(name, "inside")
        let outside = try PacketCaptures.frames(name, "outside")
        let host = IPAddress.v4(IPv4Address(192, 168, 1, 100))
        let router = IPAddress.v4(IPv4Address(203, 0, 113, 2))
        var inputs: [(at: Instant, interface: RouterInterface, bytes: [UInt8])] = []
        for frame in inside where frame.packet.source == host { inputs.append((frame.at, .lan, frame.bytes)) }
        for frame in outside where frame.packet.destination == router { inputs.append((frame.at, .wan, frame.bytes)) }
        inputs.sort { $0.at < $1.at }
        var settings = RouterSettings.linux(wan: IPv4Address(203, 0, 113, 2), alg: name.contains("alg-on"))
        settings.lanAddress = IPv4Address(192, 168, 1, 1)
        var node = RouterNode(settings: settings, entropy: Entropy(labSeed: 7))
        var out: [RouterInterface: [[UInt8]]] = [:]
        for input in inputs {
            node.receive(.packet(input.interface, input.bytes), at: input.at)
            while case .packet(let interface, let bytes) = node.nextOutput() { out[interface, default: []].append(bytes) }
        }
        let expectedOut = outside.filter { $0.packet.source == router && !$0.isICMP }.map(\.bytes)
        let expectedIn = inside.filter { $0.packet.destination == host && !$0.isICMP }.map(\.bytes)
        compare(out[.wan] ?? [], expectedOut, "\(name) outbound")
        compare(out[.lan] ?? [], expectedIn, "\(name) inbound")
    }

    private func compare(_ found: [[UInt8]], _ expected: [[UInt8]], _ what: String) {
        let found = found.filter { (try? IPPacket($0).protocolNumber) != .icmpv4 }
        #expect(found.count == expected.count, "\(what)")
        for (index, pair) in zip(found, expected).enumerated() {
            var (one, other) = pair
            guard let packet = try? IPPacket(one), (try? packet.verifyChecksums(one)) != nil else {
                Issue.record("\(what), packet \(index): wrong checksum")
                return
            }
            if (try? IPPacket(other).verifyChecksums(other)) == nil, var unfinished = try? IPPacket(other) {
                unfinished.refreshTransportChecksum(in: &other)
            }
            if one == other { continue }
            Issue.record("\(what), packet \(index):\n\(hexText(one))\n\(hexText(other))")
            return
        }
    }
}

enum PacketCaptures {
    struct Frame {
        var at: Instant
        var bytes: [UInt8]
        var packet: IPPacket
        var isICMP: Bool { packet.protocolNumber == .icmpv4 }
    }

    /// `PINHOLE_SHARED`, or a folder `shared` in or beside a folder above this file; nil: there is none.
    static let folder: URL? = {
        if let path = ProcessInfo.processInfo.environment["PINHOLE_SHARED"] {
            return URL(fileURLWithPath: path).appendingPathComponent("captures")
        }
        var above = URL(fileURLWithPath: #filePath)
        while above.path != "/" {
            above.deleteLastPathComponent()
            for place in [
                above.appendingPathComponent("shared"), above.deletingLastPathComponent().appendingPathComponent("shared"),
            ] {
                let captures = place.appendingPathComponent("captures")
                if FileManager.default.fileExists(atPath: captures.path) { return captures }
            }
        }
        return nil
    }()

    static let names: [String] = {
        guard let folder, let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return [] }
        return names.filter { $0.hasSuffix(".inside.pcap") }.map { String($0.dropLast(".inside.pcap".count)) }.sorted()
    }()

    static func frames(_ name: String, _ side: String) throws -> [Frame] {
        guard let folder else { return [] }
        let file = [UInt8](try Data(contentsOf: folder.appendingPathComponent("\(name).\(side).pcap")))
        func little(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
        var result: [Frame] = []
        var at = 24
        while at + 16 <= file.count {
            let length = little(at + 8)
            let time = Instant(nanoseconds: Int64(little(at)) * 1_000_000_000 + Int64(little(at + 4)) * 1000)
            let frame = Array(file[(at + 16)..<(at + 16 + length)])
            at += 16 + length
            guard frame.count > 34, frame.uint16(at: 12) == 0x0800 else { continue }
            let bytes = Array(frame[14..<(14 + Int(frame.uint16(at: 16)))])
            result.append(Frame(at: time, bytes: bytes, packet: try IPPacket(bytes)))
        }
        return result
    }
}
