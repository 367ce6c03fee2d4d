import Base
import MediaControl
import RTP
import Relay

/// A relay table with two legs, and parties who send to it.
struct RelayWorld {
    static let start = Instant(seconds: 1_700_000_000)
    /// Our addresses and ports.
    static let ours = IPAddress("198.51.100.1")!
    static let a = MediaLegID(1)
    static let b = MediaLegID(2)
    static let portA: UInt16 = 30_000
    static let portB: UInt16 = 30_010
    /// What the SDPs say, and what NATs make of it.
    static let privateA = Endpoint("192.168.1.10:16384")!
    static let publicA = Endpoint("203.0.113.7:52011")!
    static let endpointB = Endpoint("192.0.2.20:4000")!
    static let attacker = Endpoint("192.0.2.66:6666")!

    enum Came: Equatable {
        case dropped(MediaDrop)
        case forwarded([UInt8], from: Endpoint, to: Endpoint)
        case delivered(Int, [UInt8])
        case consumed
    }

    var table: RelayTable
    var now = start
    var slotA = -1
    var slotB = -1

    init(settings: RelaySettings = RelaySettings(), srtp: SRTPProvider? = nil) {
        table = RelayTable(settings: settings, srtp: srtp)
    }

    /// Both legs open, their SDPs known, bridged. A is behind a NAT; its signalling comes from the NAT's address. B is where it says.
    static func bridged(
        settings: RelaySettings = RelaySettings(), srtp: SRTPProvider? = nil,
        _ change: (inout MediaRemote, inout MediaRemote) -> Void = { _, _ in }
    ) -> RelayWorld {
        var world = RelayWorld(settings: settings, srtp: srtp)
        world.slotA = world.table.open(a, MediaLegSetup(port: portA, local: ours), at: world.now)!
        world.slotB = world.table.open(b, MediaLegSetup(port: portB, local: ours), at: world.now)!
        var remoteA = MediaRemote(epoch: 1, rtp: privateA, formats: [.pcmu, .telephoneEvent], signallingSource: publicA.address)
        var remoteB = MediaRemote(
            epoch: 1, rtp: endpointB, formats: [.pcmu, .telephoneEvent], signallingSource: endpointB.address)
        change(&remoteA, &remoteB)
        world.table.remote(world.slotA, remoteA, at: world.now)
        world.table.remote(world.slotB, remoteB, at: world.now)
        world.table.bridge(world.slotA, world.slotB, at: world.now)
        return world
    }

    mutating func wait(_ duration: Duration) { now += duration }

    /// What the table makes of bytes from the wire.
    mutating func arrive(_ bytes: [UInt8], from source: Endpoint, on port: UInt16 = portA) -> Came {
        var buffer = bytes + [UInt8](repeating: 0xee, count: 64)
        let verdict = buffer.withUnsafeMutableBytes { table.receive($0, length: bytes.count, on: port, from: source, at: now) }
        return switch verdict {
        case .drop(let why): .dropped(why)
        case .forward(let length, let from, let to): .forwarded(Array(buffer[..<length]), from: from, to: to)
        case .deliver(let slot, _, let length), .deliverRTCP(let slot, let length): .delivered(slot, Array(buffer[..<length]))
        case .consumed: .consumed
        }
    }

    /// A party's stream of RTP, one packet every 20 ms.
    struct Stream {
        var source: Endpoint
        var ssrc: UInt32
        var sequence: UInt16 = 100
        var timestamp: UInt32 = 0
        var type: UInt8 = 0
        var port: UInt16 = RelayWorld.portA

        init(_ source: Endpoint, ssrc: UInt32 = 0xaaaa, on port: UInt16 = RelayWorld.portA) {
            self.source = source
            self.ssrc = ssrc
            self.port = port
        }

        mutating func next() -> [UInt8] {
            sequence &+= 1
            timestamp &+= 160
            return RTPPacket(
                payloadType: type, sequenceNumber: sequence, timestamp: timestamp, ssrc: ssrc,
                payload: [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 160)
            ).bytes
        }
    }

    /// The stream's next packet arrives 20 ms after the one before.
    mutating func hear(_ stream: inout Stream) -> Came {
        wait(.milliseconds(20))
        return arrive(stream.next(), from: stream.source, on: stream.port)
    }

    /// The next `count` packets, as what became of them in one word each.
    mutating func hear(_ stream: inout Stream, _ count: Int) -> [String] {
        (0..<count).map { _ in word(hear(&stream)) }
    }

    func word(_ came: Came) -> String {
        switch came {
        case .dropped(let why): "\(why)"
        case .forwarded: "forwarded"
        case .delivered: "delivered"
        case .consumed: "consumed"
        }
    }

    mutating func events() -> [MediaEvent] {
        var result: [MediaEvent] = []
        while let event = table.nextEvent() { result.append(event) }
        return result
    }

    /// The sources told of since the last look.
    mutating func lockedSources() -> [MediaSource] {
        events().compactMap { if case .locked(_, let source) = $0 { source } else { nil } }
    }

    var verdictA: MediaVerdict { table.verdict(of: Self.a)! }
    var verdictB: MediaVerdict { table.verdict(of: Self.b)! }
}

/// Stands in for SRTP: a four-byte tag over key and packet, and a replay check by sequence. It shows where the relay asks, not how SRTP works.
final class StandInSRTP: SRTPTransform, @unchecked Sendable {
    // Invariant: a test uses it from one thread.
    private let parameters: SRTPParameters
    private var seen: Set<[UInt8]> = []

    init(_ parameters: SRTPParameters) { self.parameters = parameters }

    static let provider = SRTPProvider { StandInSRTP($0) }

    static func tag(_ key: [UInt8], _ packet: [UInt8]) -> [UInt8] {
        var hash: UInt32 = 2_166_136_261
        for byte in key + packet { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        var result: [UInt8] = []
        result.append(bigEndian: hash)
        return result
    }

    func protect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? { packet + Self.tag(parameters.localKey, packet) }

    func unprotect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? {
        guard packet.count > 4 else { return nil }
        let plain = Array(packet.dropLast(4))
        guard Array(packet.suffix(4)) == Self.tag(parameters.remoteKey, plain), seen.insert(plain).inserted else { return nil }
        return plain
    }
}
