import Base
import Foundation
import LinuxEdge
import Media
import MediaControl
import MediaPlane
import RTP

/// A media loop with bridged calls and no signalling, for scripts/bench-media:
///
///     relay-bench PORT CALLS PARTIES
///
/// Call i has the relay ports PORT + 4i and PORT + 4i + 2 on every address, as pinhole serve has them; its parties are at PARTIES + 4i and PARTIES + 4i + 2.
/// Says "ready" and relays until its input ends.
@main
struct RelayBench {
    static func main() throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 3 else {
            print("usage: relay-bench PORT CALLS PARTIES")
            exit(2)
        }
        let (port, legs, parties) = (numbers[0], 2 * numbers[1], numbers[2])
        let address = IPAddress.v4(.loopback)
        let settings = MediaLoopSettings(addresses: [.v4(.any), .v6(.any)], ports: (0..<legs).map { UInt16(port + 2 * $0) })
        let loop = try MediaLoop(settings)
        let wake = try WakeSignal()
        let events = Mailbox<MediaEvent>(waking: wake)
        loop.start(MediaPlane(entropy: .system()), clock: RealTime(), events: events)
        for leg in 0..<legs {
            let id = MediaLegID(UInt64(leg))
            let party = Endpoint(address, UInt16(parties + 2 * leg))
            loop.post([
                .open(id, MediaLegSetup(port: UInt16(port + 2 * leg), local: address)),
                .remote(id, MediaRemote(epoch: 1, rtp: party, formats: [.pcmu], signallingSource: address)),
            ])
            if leg % 2 == 1 { loop.post([.bridge(MediaLegID(UInt64(leg - 1)), id)]) }
        }
        print("ready")
        fflush(nil)
        while readLine() != nil {}
        loop.stop()
        let counters = loop.counters
        FileHandle.standardError.write(Data("\(counters)\n".utf8))
    }
}
