import Analysis
import Base
import Capture

/// Talk and audio of one call, packet by packet.
extension Talk {
    struct Packet {
        var at: Double
        /// From the phone to the server.
        var up: Bool
        var bytes: [UInt8]
        var isAudio = false
    }

    /// What accuses in a capture of the phone at `phone`, with audio between its port 20000 and the server's port 30000.
    func accusations(of packets: [Packet]) -> [Finding] {
        var batch = PayloadBatch()
        for (frame, packet) in packets.sorted(by: { $0.at < $1.at }).enumerated() {
            let here = packet.isAudio ? Endpoint(phone.address, 20_000) : phone
            let there = packet.isAudio ? Endpoint(server.address, 30_000) : server
            batch.append(
                packet.bytes, from: packet.up ? here : there, to: packet.up ? there : here, .udp,
                at: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(packet.at * 1e9)), frame: UInt64(frame + 1))
        }
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        analyzer.observe(batch, file: 0)
        return analyzer.finish().findings.filter(\.severity.accuses)
    }
}
