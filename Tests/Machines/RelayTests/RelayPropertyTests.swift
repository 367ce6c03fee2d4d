import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("The relay table under random commands and packets")
struct RelayPropertyTests {
    /// What a table must hold after any sequence of commands: a mirror kept in the plainest way.
    private struct Mirror {
        var ports: [MediaLegID: UInt16] = [:]
        var partner: [MediaLegID: MediaLegID] = [:]

        mutating func unlink(_ id: MediaLegID) {
            if let other = partner.removeValue(forKey: id) { partner[other] = nil }
        }
    }

    @Test(
        "Random commands: no slot and no port leaks, bridges stay mutual, packets reach whom they are for",
        arguments: UInt64(1)...20)
    func randomCommands(_ seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        var settings = RelaySettings()
        settings.legs = 12
        var table = RelayTable(settings: settings)
        var mirror = Mirror()
        var now = RelayWorld.start
        var epoch: UInt32 = 0
        func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &entropy) }
        for _ in 0..<3_000 {
            now += .milliseconds(Int64(pick(50)))
            let id = MediaLegID(UInt64(pick(16)))
            let port = UInt16(30_000 + 2 * pick(16))
            switch pick(8) {
            case 0, 1:
                let slot = table.open(id, MediaLegSetup(port: port, local: RelayWorld.ours), at: now)
                let isFree = mirror.ports[id] == nil && !mirror.ports.values.contains(port) && mirror.ports.count < 12
                #expect((slot != nil) == isFree)
                if isFree { mirror.ports[id] = port }
            case 2:
                #expect((table.close(id, at: now) != nil) == (mirror.ports[id] != nil))
                mirror.unlink(id)
                mirror.ports[id] = nil
            case 3:
                let other = MediaLegID(UInt64(pick(16)))
                guard let a = table.slot(of: id), let b = table.slot(of: other) else { break }
                table.bridge(a, b, at: now)
                guard id != other else { break }
                mirror.unlink(id)
                mirror.unlink(other)
                mirror.partner[id] = other
                mirror.partner[other] = id
            case 4:
                guard let slot = table.slot(of: id) else { break }
                switch pick(3) {
                case 0: table.echo(slot, ssrc: 9, at: now)
                case 1: table.serve(slot, at: now)
                default: table.silence(slot, at: now)
                }
                mirror.unlink(id)
            case 5:
                guard let slot = table.slot(of: id) else { break }
                epoch += UInt32(pick(2))
                let endpoint = pick(4) == 0 ? nil : Endpoint(RelayWorld.publicA.address, UInt16(40_000 + id.value))
                table.remote(slot, MediaRemote(epoch: epoch, rtp: endpoint, signallingSource: endpoint?.address), at: now)
            default:
                var buffer =
                    RTPPacket(
                        payloadType: 0, sequenceNumber: UInt16(pick(8)), timestamp: 0, ssrc: UInt32(pick(2)), payload: [1, 2, 3]
                    ).bytes + [UInt8](repeating: 0, count: 64)
                let sender = pick(16)
                let source = Endpoint(RelayWorld.publicA.address, UInt16(40_000 + sender))
                let verdict = buffer.withUnsafeMutableBytes { table.receive($0, length: 15, on: port, from: source, at: now) }
                guard case .forward(let length, let from, let to) = verdict else { break }
                // Only a leg that is there forwards, and to its partner's party or, in an echo, its own.
                let owner = mirror.ports.first { $0.value == port }?.key
                let expected = owner.map { mirror.partner[$0] ?? $0 }
                #expect(
                    length == 15 && from.port == expected.flatMap { mirror.ports[$0] } && to.address == RelayWorld.publicA.address
                )
            }
            #expect(table.legCount == mirror.ports.count)
            while table.nextEvent() != nil {}
        }
        for id in mirror.ports.keys { #expect(table.close(id, at: now) != nil) }
        #expect(table.legCount == 0)
        // Every port and every slot is to be had again.
        for number in 0..<12 {
            let port = UInt16(30_000 + 2 * number)
            let slot = table.open(MediaLegID(UInt64(number)), MediaLegSetup(port: port, local: RelayWorld.ours), at: now)
            #expect(slot.map { $0 < 12 } ?? false)
        }
    }

    @Test("Random bytes from anywhere never trap, and every one is accounted for", arguments: UInt64(1)...10)
    func randomBytes(_ seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        var world = RelayWorld.bridged(srtp: StandInSRTP.provider) { a, _ in a.multiplexesRTCP = seed % 2 == 0 }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        var dropped: UInt64 = 0
        let before = world.table.dropCounts.values.reduce(0, +)
        for round in 0..<5_000 {
            var bytes = round % 3 == 0 ? a.next() : entropy.bytes(Int.random(in: 0..<80, using: &entropy))
            // Mutate what is nearly right.
            for _ in 0..<Int.random(in: 0..<3, using: &entropy) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &entropy)
                bytes[place] = UInt8.random(in: 0...255, using: &entropy)
            }
            if !bytes.isEmpty, round % 2 == 0 { bytes[0] = 0x80 | bytes[0] & 0x3f }
            let port = RelayWorld.portA + UInt16.random(in: 0...1, using: &entropy)
            world.wait(.milliseconds(2))
            if case .dropped = world.arrive(bytes, from: round % 5 == 0 ? RelayWorld.attacker : RelayWorld.publicA, on: port) {
                dropped += 1
            }
            while world.table.nextDatagram() != nil {}
        }
        // STUN on a leg without ICE is consumed and counted besides.
        let counted = world.table.dropCounts.values.reduce(0, +) - before - (world.table.dropCounts[.badCheck] ?? 0)
        #expect(counted == dropped)
    }

    @Test("100,000 calls that are opened, bridged, spoken in and broken leave nothing in use")
    func manyCalls() {
        var table = RelayTable()
        var entropy = Entropy(labSeed: 5)
        var now = RelayWorld.start
        var alive: [(MediaLegID, UInt16)] = []
        var free = (0..<2_000).map { UInt16(20_000 + 2 * $0) }
        for call in 0..<100_000 {
            now += .milliseconds(3)
            for side in 0..<2 {
                let id = MediaLegID(UInt64(2 * call + side))
                let port = free.removeFirst()
                let slot = table.open(id, MediaLegSetup(port: port, local: RelayWorld.ours), at: now)!
                table.remote(
                    slot, MediaRemote(epoch: 1, rtp: RelayWorld.publicA, signallingSource: RelayWorld.publicA.address), at: now)
                alive.append((id, port))
            }
            let (first, second) = (alive[alive.count - 2], alive[alive.count - 1])
            table.bridge(table.slot(of: first.0)!, table.slot(of: second.0)!, at: now)
            var packet = RTPPacket(payloadType: 0, sequenceNumber: 1, timestamp: 1, ssrc: 1, payload: [0]).bytes
            _ = packet.withUnsafeMutableBytes { table.receive($0, length: 13, on: first.1, from: RelayWorld.publicA, at: now) }
            while table.nextEvent() != nil {}
            // Calls end in any order, and their two legs not together.
            while alive.count > 1_000 {
                let (id, port) = alive.remove(at: Int.random(in: 0..<alive.count, using: &entropy))
                _ = table.close(id, at: now)
                free.append(port)
            }
        }
        for (id, port) in alive {
            _ = table.close(id, at: now)
            free.append(port)
        }
        #expect(table.legCount == 0 && free.count == 2_000)
        for port in UInt16(20_000)...24_000 {
            var packet = [UInt8](repeating: 0x80, count: 80)
            let verdict = packet.withUnsafeMutableBytes {
                table.receive($0, length: 12, on: port, from: RelayWorld.publicA, at: now)
            }
            guard case .drop(.noLeg) = verdict else {
                Issue.record("port \(port) is still somebody's")
                return
            }
        }
    }
}
