import Base
import Packet
import TCP
import Testing

@Suite("TCP against forgery, nonsense and floods")
struct HostileTests {
    /// A standing connection, and a segment of the server's as a stranger who knows addresses and ports would forge it.
    func standing() -> (wire: Wire, forged: TCPSegment) {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.hostCommand(.send(wire.accepted, pattern(10)))
        wire.run(.milliseconds(100))
        let last = wire.log.last { !$0.isToServer }!.segment
        return (wire, TCPSegment(from: server, to: last.destination, sequence: last.sequence &+ 10, flags: .rst))
    }

    @Test(
        "RFC 5961 3.2: a RST ends the connection only at the very next octet; anywhere else in the window it draws an acknowledgment"
    )
    func blindReset() {
        var (wire, forged) = standing()
        let next = forged.sequence
        for offset in [1, 1_000, 60_000] as [UInt32] {
            forged.sequence = next &+ offset
            wire.client.receive(.segment(forged), at: wire.now)
        }
        forged.sequence = next &- 1
        wire.client.receive(.segment(forged), at: wire.now)
        let before = wire.log.count
        wire.collect()
        // One answer for all: more would let strangers make us shout.
        #expect(wire.log.count == before + 1 && wire.log.last!.segment.flags == .ack)
        #expect(wire.client.state(of: Wire.id) == .established)
        forged.sequence = next
        wire.client.receive(.segment(forged), at: wire.now)
        wire.collect()
        #expect(wire.clientEnd == .reset)
    }

    @Test("RFC 5961 4.2: a SYN in the window does not reset anything")
    func blindSYN() {
        var (wire, forged) = standing()
        forged.flags = .syn
        wire.client.receive(.segment(forged), at: wire.now)
        let before = wire.log.count
        wire.collect()
        #expect(wire.log.count == before + 1 && wire.log.last!.segment.flags == .ack)
        #expect(wire.client.state(of: Wire.id) == .established)
    }

    @Test("data that acknowledge what was never sent are not taken; two confused ends exchange at most two segments a second")
    func wrongAcknowledgment() {
        var (wire, forged) = standing()
        forged.flags = [.ack, .psh]
        forged.payload = [66]
        forged.acknowledgment = wire.log.last { $0.isToServer }!.segment.sequence &+ 100_000
        let before = wire.log.count
        for _ in 0..<100 {
            wire.client.receive(.segment(forged), at: wire.now)
            wire.run(.milliseconds(10))
        }
        #expect(wire.toClient == pattern(10) && wire.log.count - before <= 2)
    }

    @Test("overlapping and repeated pieces, in any order, are put together once")
    func overlaps() {
        let whole = pattern(400)
        for seed in 1...300 as ClosedRange<UInt64> {
            var (wire, forged) = standing()
            let ack = wire.log.last { $0.isToServer }!.segment.sequence
            let first = forged.sequence
            var entropy = Entropy(labSeed: seed)
            var isCovered = [Bool](repeating: false, count: 400)
            var got: [UInt8] = []
            while got.count < 400 {
                let from = Int(entropy.next() % 400)
                let length = 1 + Int(entropy.next() % 60)
                let range = from..<min(400, from + length)
                forged.flags = .ack
                forged.acknowledgment = ack
                forged.sequence = first &+ UInt32(from)
                forged.payload = Array(whole[range])
                wire.client.receive(.segment(forged), at: wire.now)
                while let output = wire.client.nextOutput() {
                    if case .event(.received(_, let bytes)) = output { got += bytes }
                }
                for index in range { isCovered[index] = true }
                #expect(got.count == isCovered.firstIndex(of: false) ?? 400)
            }
            #expect(got == whole)
        }
    }

    @Test("a peer that sends every second octet fills no more than its window and costs no more than a few hundred pieces")
    func everySecondOctet() {
        var (wire, forged) = standing()
        forged.flags = .ack
        forged.acknowledgment = wire.log.last { $0.isToServer }!.segment.sequence
        let first = forged.sequence
        forged.payload = [1]
        for offset in stride(from: 1, to: 65_535, by: 2) as StrideTo<Int> {
            forged.sequence = first &+ UInt32(offset)
            wire.client.receive(.segment(forged), at: wire.now)
            while wire.client.nextOutput() != nil {}
        }
        forged.sequence = first
        forged.payload = pattern(60_000)
        wire.client.receive(.segment(forged), at: wire.now)
        var got = 0
        while let output = wire.client.nextOutput() {
            if case .event(.received(_, let bytes)) = output { got += bytes.count }
        }
        #expect(got >= 60_000 && got <= 65_535)
    }

    @Test("a flood of SYNs costs 128 places; who is already connected stays connected, and a real handshake still succeeds")
    func flood() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        for port in 1...1_000 as ClosedRange<UInt16> {
            let syn = TCPSegment(
                from: Endpoint("203.0.113.66:\(port)")!, to: server, sequence: UInt32(port), flags: .syn, maximumSegmentSize: 0)
            wire.host.receive(.segment(syn), at: wire.now)
        }
        #expect(wire.host.count == 129)
        wire.collect()
        wire.command(.send(Wire.id, [1]))
        wire.command(.connect(TCPConnectionID(2), from: Endpoint(clientAddress, 0), to: server))
        wire.run(.milliseconds(100))
        #expect(wire.toHost == [1] && wire.client.state(of: TCPConnectionID(2)) == .established)
        // Nobody ever hears of the others.
        wire.run(.seconds(300))
        #expect(wire.host.count == 2 && wire.hostEvents.count == 3)
    }

    @Test("a full table refuses; a number in use is passed over; commands for nobody do nothing")
    func caps() {
        var settings = TCPSettings()
        settings.mostConnections = 3
        var wire = Wire(client: settings, server: settings)
        for number in 1...4 as ClosedRange<UInt64> {
            wire.command(.connect(TCPConnectionID(number), from: Endpoint(clientAddress, 0), to: server))
        }
        #expect(wire.clientEnd == .noRoom && wire.client.count == 3)
        wire.command(.connect(TCPConnectionID(1), from: Endpoint(clientAddress, 0), to: server))
        #expect(wire.log.count == 3)
        wire.command(.send(TCPConnectionID(77), [1]))
        wire.command(.close(TCPConnectionID(77)))
        wire.command(.abort(TCPConnectionID(77)))
        wire.run(.milliseconds(50))
        #expect(wire.clientEvents.count == 4)
        let syn = TCPSegment(from: Endpoint("203.0.113.66:1")!, to: server, sequence: 1, flags: .syn)
        wire.host.receive(.segment(syn), at: wire.now)
        wire.collect()
        #expect(wire.log.last!.segment.flags.contains(.rst))
    }

    @Test("more than the send buffer holds ends the connection: half a message helps nobody")
    func overrun() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.command(.send(Wire.id, pattern(2 << 20)))
        #expect(wire.clientEnd == .overrun && wire.log.last!.segment.flags.contains(.rst))
        wire.run(.milliseconds(50))
        #expect(wire.hostEnd == .reset)
    }

    @Test("a new SYN with later numbers ends a TIME-WAIT and is answered")
    func timeWaitReuse() {
        var wire = Wire()
        let local = Endpoint(clientAddress, 40_000)
        wire.client.receive(.command(.connect(Wire.id, from: local, to: server)), at: wire.now)
        wire.collect()
        wire.run(.milliseconds(50))
        let accepted = wire.accepted
        wire.hostCommand(.close(accepted))
        wire.run(.milliseconds(50))
        wire.command(.close(Wire.id))
        wire.run(.milliseconds(50))
        #expect(wire.host.state(of: accepted) == .timeWait && wire.client.count == 0)
        let last = wire.log.last { $0.isToServer }!.segment
        let syn = TCPSegment(from: local, to: server, sequence: last.sequence &+ 100_000, flags: .syn)
        wire.host.receive(.segment(syn), at: wire.now)
        wire.collect()
        #expect(wire.log.last!.segment.flags == [.syn, .ack] && wire.hostEnd == .closed)
    }

    @Test("200,000 random segments at a standing connection never trap")
    func noise() {
        var (wire, forged) = standing()
        let next = forged.sequence
        let ack = wire.log.last { $0.isToServer }!.segment.sequence
        var entropy = Entropy(labSeed: 9)
        for _ in 0..<200_000 {
            let draw = entropy.next()
            forged.sequence =
                draw & 1 == 0 ? next &+ UInt32(truncatingIfNeeded: draw >> 48) : UInt32(truncatingIfNeeded: draw >> 8)
            forged.acknowledgment = draw & 2 == 0 ? ack : UInt32(truncatingIfNeeded: draw >> 20)
            forged.flags = TCPHeader.Flags(rawValue: UInt8(truncatingIfNeeded: draw >> 40) & 0x3b)
            forged.window = UInt16(truncatingIfNeeded: draw >> 30)
            forged.maximumSegmentSize = draw & 4 == 0 ? nil : UInt16(truncatingIfNeeded: draw >> 12)
            forged.payload = pattern(Int(draw >> 56 & 31))
            wire.client.receive(.segment(forged), at: wire.now)
            while wire.client.nextOutput() != nil {}
            while wire.client.nextTrace() != nil {}
            if wire.client.count == 0 {
                let again = standing()
                wire = again.wire
            }
        }
        #expect(wire.client.count == 1)
    }
}
