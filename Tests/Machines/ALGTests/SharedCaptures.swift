import Base
import Foundation

/// Captures of both sides of a real NAT with the kernel's SIP helper, shared by several parts of the project and kept beside it.
enum SharedCaptures {
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

    /// What is before `.inside.pcap`, of those taken with the helper on.
    static let algOn: [String] = {
        guard let folder, let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return [] }
        return names.filter { $0.contains("alg-on") && $0.hasSuffix(".inside.pcap") }.map {
            String($0.dropLast(".inside.pcap".count))
        }
        .sorted()
    }()

    static func packets(_ name: String, _ side: String) throws -> [CapturedPayload] {
        guard let folder else { return [] }
        return CapturedPayload.all(in: [UInt8](try Data(contentsOf: folder.appendingPathComponent("\(name).\(side).pcap"))))
    }
}

/// A UDP or TCP payload out of a capture.
struct CapturedPayload {
    var at: Instant
    var transport: SIPTransport
    var source: Endpoint
    var destination: Endpoint
    var bytes: [UInt8]

    /// Little-endian pcap over Ethernet, IPv4 only, as these captures are.
    static func all(in file: [UInt8]) -> [CapturedPayload] {
        func little(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
        var result: [CapturedPayload] = []
        var at = 24
        while at + 16 <= file.count {
            let length = little(at + 8)
            let time = Instant(nanoseconds: Int64(little(at)) * 1_000_000_000 + Int64(little(at + 4)) * 1000)
            let frame = Array(file[(at + 16)..<(at + 16 + length)])
            at += 16 + length
            guard frame.count > 34, frame.uint16(at: 12) == 0x0800 else { continue }
            let packet = Array(frame[14..<(14 + Int(frame.uint16(at: 16)))])
            let header = Int(packet[0] & 15) * 4
            guard packet[9] == 17 || packet[9] == 6 else { continue }
            let data = packet[9] == 17 ? header + 8 : header + Int(packet[header + 12] >> 4) * 4
            result.append(
                CapturedPayload(
                    at: time, transport: packet[9] == 17 ? .udp : .tcp,
                    source: Endpoint(.v4(IPv4Address(bits: packet.uint32(at: 12))), packet.uint16(at: header)),
                    destination: Endpoint(.v4(IPv4Address(bits: packet.uint32(at: 16))), packet.uint16(at: header + 2)),
                    bytes: Array(packet[data...])))
        }
        return result
    }

    var isInside: Bool { source.address == .v4(IPv4Address(192, 168, 1, 100)) }
    var isSIP: Bool { (source.port == 5060 || destination.port == 5060) && !bytes.isEmpty }
}
