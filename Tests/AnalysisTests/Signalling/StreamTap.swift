import Base
import Capture
import Packet

@testable import Analysis

/// A tap that sees segments and datagrams, packet by packet in virtual time.
struct StreamTap: ~Copyable {
    private var decoder = FrameDecoder()
    private var batch = PayloadBatch(capacity: 65_536)

    mutating func segment(
        _ from: Endpoint, _ to: Endpoint, _ flags: TCPHeader.Flags, _ sequence: UInt32, _ payload: [UInt8] = [],
        acknowledgment: UInt32 = 1, at seconds: Double
    ) throws {
        let segment = TCPSegment(
            from: from, to: to, sequence: sequence, acknowledgment: acknowledgment, flags: flags, payload: payload)
        see(try segment.packet(), at: seconds)
    }

    mutating func datagram(_ from: Endpoint, _ to: Endpoint, _ bytes: [UInt8], at seconds: Double) throws {
        see(try IPPacket.bytes(of: Datagram(from: from, to: to, bytes), IPOptions()), at: seconds)
    }

    private mutating func see(_ packet: [UInt8], at seconds: Double) {
        packet.withUnsafeBytes {
            decoder.append(
                $0, wire: packet.count, at: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(seconds * 1e9)), link: .raw,
                linkType: 101, to: &batch)
        }
    }

    /// What the analysis says.
    mutating func findings() -> [Finding] {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        analyzer.observe(batch, file: 0)
        analyzer.blind(decoder.notes, in: Vantage(0))
        return analyzer.finish().findings
    }
}
