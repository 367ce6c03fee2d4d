import Base
import Capture
import Foundation
import Packet

/// What passed a Linux router, on both of its sides: a phone 192.168.1.100 inside, a server 203.0.113.10 outside, 203.0.113.2 the
/// router's own address there. Made in network namespaces by `scripts/record-nat`, once with the kernel's SIP helper off and once on;
/// ports are kept by the NAT. Every octet is the kernel's: IP and transport headers in hexadecimal, then the payload as text.
public struct Recording: Sendable {
    public enum Side: String, Sendable { case inside, outside }

    public struct Packet: Sendable {
        public var side: Side
        public var at: Instant
        /// From the IP header on.
        public var bytes: [UInt8]
    }

    public static let phone = IPAddress.v4(IPv4Address(192, 168, 1, 100))
    public static let router = IPAddress.v4(IPv4Address(203, 0, 113, 2))
    public static let server = IPAddress.v4(IPv4Address(203, 0, 113, 10))

    /// The talk, its transport, and `helper` or `plain`.
    public var name: String
    public var packets: [Packet] = []

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("nat")

    /// Names of all, sorted.
    public static let names: [String] = {
        let files = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
        return files.filter { $0.hasSuffix(".txt") }.map { String($0.dropLast(4)) }.sorted()
    }()

    public static let helped = names.filter { $0.hasSuffix("-helper") }
    public static let plain = names.filter { $0.hasSuffix("-plain") }

    public init(_ name: String) throws {
        self.name = name
        let text = try String(contentsOf: Self.folder.appendingPathComponent("\(name).txt"), encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.isEmpty && !$0.hasPrefix("#") }[
            ...]
        while let head = lines.popFirst() {
            let words = head.split(separator: " ")
            guard words.count > 2, let side = Side(rawValue: String(words[0])), let seconds = Double(words[1]) else {
                throw WrittenOctets.Fault(line: String(head))
            }
            let body = lines.prefix { "|+=".contains($0.first ?? "#") }
            lines = lines.dropFirst(body.count)
            packets.append(
                Packet(
                    side: side, at: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64((seconds * 1e9).rounded())),
                    bytes: try WrittenOctets.hexadecimal(words[2]) + WrittenOctets.octets(of: body)))
        }
    }

    public func packets(_ side: Side) -> [Packet] { packets.filter { $0.side == side } }

    /// One side as a capture file.
    public func pcap(_ side: Side) -> [UInt8] {
        var writer = PcapWriter()
        for packet in packets(side) { writer.append(packet.bytes, at: packet.at) }
        return writer.bytes
    }

    /// A SIP message on its way; a TCP segment carries one whole.
    public struct Message: Sendable {
        public var at: Instant
        public var isStream: Bool
        public var source: Endpoint
        public var destination: Endpoint
        public var bytes: [UInt8]
    }

    /// The SIP messages of one side, in order.
    public func messages(_ side: Side) throws -> [Message] {
        try packets(side).compactMap { seen in
            let packet = try IPPacket(seen.bytes)
            let (ports, payload, isStream): ((UInt16, UInt16), Range<Int>, Bool)
            switch packet.transport {
            case .udp(let header): (ports, payload, isStream) = ((header.source, header.destination), header.payload, false)
            case .tcp(let header): (ports, payload, isStream) = ((header.source, header.destination), header.payload, true)
            case .icmp, .other, .laterFragment: return nil
            }
            guard ports.0 == 5060 || ports.1 == 5060, !payload.isEmpty else { return nil }
            return Message(
                at: seen.at, isStream: isStream, source: Endpoint(packet.source, ports.0),
                destination: Endpoint(packet.destination, ports.1), bytes: Array(seen.bytes[payload]))
        }
    }
}
