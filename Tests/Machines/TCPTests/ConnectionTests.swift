import Base
import Packet
import TCP
import Testing

@Suite("TCP: opening, talking, closing")
struct ConnectionTests {
    @Test(
        "RFC 9293 3.5: three segments open a connection; a request and its answer take four more, acknowledgments riding on data")
    func ordinary() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(100))
        #expect(wire.shapes == ["> SYN", "< SYN ACK", "> ACK"])
        guard case .connected(Wire.id, let local, server)? = wire.clientEvents.first else {
            Issue.record("not connected")
            return
        }
        #expect(local.address == clientAddress && local.port >= 49_152)
        #expect(wire.hostEvents == [.accepted(wire.accepted, local: server, remote: local)])
        wire.command(.send(Wire.id, pattern(500)))
        wire.run(.milliseconds(10))
        wire.hostCommand(.send(wire.accepted, pattern(300)))
        wire.run(.milliseconds(200))
        #expect(wire.shapes.dropFirst(3) == ["> ACK 500", "< ACK 300", "> ACK"])
        #expect(wire.toHost == pattern(500) && wire.toClient == pattern(300))
        // The last acknowledgment had nothing to ride on.
        #expect(wire.log[5].at - wire.log[4].at == .milliseconds(10 + 40))
        #expect(wire.client.nextDeadline == nil && wire.host.nextDeadline == nil)
    }

    @Test("what is sent before the handshake is complete goes out right after it, PSH on the last segment")
    func early() {
        var wire = Wire()
        wire.connect()
        wire.command(.send(Wire.id, pattern(2_000)))
        wire.run(.milliseconds(200))
        #expect(wire.shapes.prefix(4) == ["> SYN", "< SYN ACK", "> ACK 1460", "> ACK 540"])
        #expect(!wire.log[2].segment.flags.contains(.psh) && wire.log[3].segment.flags.contains(.psh))
        #expect(wire.toHost == pattern(2_000))
    }

    @Test("RFC 9293 3.6: one side closes, the other says its last words, then closes too; the first waits two MSL and is gone")
    func halfClose() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.command(.send(Wire.id, pattern(10)))
        wire.command(.close(Wire.id))
        wire.run(.milliseconds(100))
        #expect(wire.hostEvents.last == .ended(wire.accepted))
        #expect(wire.client.state(of: Wire.id) == .finWait2 && wire.host.state(of: wire.accepted) == .closeWait)
        wire.hostCommand(.send(wire.accepted, pattern(20)))
        wire.hostCommand(.close(wire.accepted))
        wire.run(.milliseconds(100))
        #expect(wire.toClient == pattern(20) && wire.clientEvents.contains(.ended(Wire.id)))
        #expect(wire.hostEnd == .closed && wire.host.count == 0)
        #expect(wire.client.state(of: Wire.id) == .timeWait)
        wire.run(.seconds(61))
        #expect(wire.clientEnd == .closed && wire.client.count == 0)
        #expect(wire.client.nextDeadline == nil && wire.host.nextDeadline == nil)
    }

    @Test("both close at once: CLOSING, then TIME-WAIT on both sides")
    func simultaneousClose() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        let accepted = wire.accepted
        wire.command(.close(Wire.id))
        wire.hostCommand(.close(accepted))
        wire.run(.milliseconds(15))
        #expect(wire.client.state(of: Wire.id) == .closing && wire.host.state(of: accepted) == .closing)
        wire.run(.milliseconds(50))
        #expect(wire.client.state(of: Wire.id) == .timeWait && wire.host.state(of: accepted) == .timeWait)
        wire.run(.seconds(60))
        #expect(wire.clientEnd == .closed && wire.hostEnd == .closed)
    }

    @Test("RFC 9293 3.5 figure 8: both open at once, and it is one connection")
    func simultaneousOpen() {
        var wire = Wire()
        let local = Endpoint(clientAddress, 40_000)
        wire.client.receive(.command(.connect(Wire.id, from: local, to: server)), at: wire.now)
        wire.host.receive(.command(.connect(Wire.id, from: server, to: local)), at: wire.now)
        wire.collect()
        wire.run(.milliseconds(100))
        #expect(wire.client.state(of: Wire.id) == .established && wire.host.state(of: Wire.id) == .established)
        wire.command(.send(Wire.id, pattern(99)))
        wire.run(.milliseconds(100))
        #expect(wire.toHost == pattern(99))
    }

    @Test("RFC 9293 3.10.4: closed while it is being opened, it is gone at once, with what waited to be sent")
    func closedEarly() {
        var wire = Wire()
        wire.connect()
        wire.command(.send(Wire.id, [1]))
        wire.command(.close(Wire.id))
        #expect(wire.clientEnd == .closed && wire.client.count == 0)
        wire.run(.seconds(1))
        #expect(wire.shapes == ["> SYN", "< SYN ACK", "> RST"] && wire.hostEvents.isEmpty && wire.host.count == 0)
    }

    @Test("a port nobody listens on refuses with a RST; a RST in the middle ends the connection at the other side")
    func resets() {
        var wire = Wire()
        wire.host.receive(.command(.unlisten(5060)), at: wire.now)
        wire.connect()
        wire.run(.milliseconds(50))
        #expect(wire.shapes == ["> SYN", "< RST ACK"] && wire.clientEnd == .refused && wire.client.count == 0)

        var other = Wire()
        other.connect()
        other.run(.milliseconds(50))
        other.command(.abort(Wire.id))
        other.run(.milliseconds(50))
        #expect(other.hostEnd == .reset && other.host.count == 0 && other.client.count == 0)
        #expect(other.clientEnd == nil)
        // What the server still says falls on deaf ears, and it is told so.
        other.hostCommand(.send(other.accepted, [1]))
        #expect(other.log.count == 4)
    }

    @Test("nobody answers: the SYN is repeated at 1, 3, 7, 15, 31, 63, 123 s and given up after three minutes")
    func silence() {
        var wire = Wire()
        wire.fate = { _, _ in .lose }
        wire.connect()
        wire.run(.seconds(400))
        #expect(wire.log.map { ($0.at - start).wholeSeconds } == [0, 1, 3, 7, 15, 31, 63, 123])
        #expect(wire.clientEnd == .timedOut)
    }

    @Test("a peer that falls silent in the middle is given up after 100 s at the earliest")
    func lostPeer() {
        var wire = Wire()
        wire.connect()
        wire.run(.seconds(1))
        wire.fate = { _, _ in .lose }
        let before = wire.now
        wire.command(.send(Wire.id, [1]))
        wire.run(.seconds(99))
        #expect(wire.clientEnd == nil)
        wire.run(.seconds(100))
        #expect(wire.clientEnd == .timedOut)
        #expect(wire.log.filter { $0.at >= before }.map { ($0.at - before).wholeSeconds } == [0, 1, 3, 7, 15, 31, 63])
    }

    @Test("ICMP ends what is being opened and not what stands; nobody else's port, and no wrong sequence number, is believed")
    func unreachable() {
        var wire = Wire()
        wire.fate = { _, _ in .lose }
        wire.connect()
        let syn = wire.log[0].segment
        func error(_ sequence: UInt32, _ port: UInt16) -> TCPHost.Input {
            .unreachable(local: Endpoint(clientAddress, port), remote: server, sequence: sequence, .destination)
        }
        wire.client.receive(error(syn.sequence &+ 7, syn.source.port), at: wire.now)
        wire.client.receive(error(syn.sequence, syn.source.port &+ 1), at: wire.now)
        wire.collect()
        #expect(wire.clientEnd == nil)
        wire.client.receive(error(syn.sequence, syn.source.port), at: wire.now)
        wire.collect()
        #expect(wire.clientEnd == .unreachable && wire.client.count == 0)

        var standing = Wire()
        standing.connect()
        standing.run(.milliseconds(50))
        standing.command(.send(Wire.id, [1]))
        let data = standing.log.last!.segment
        standing.client.receive(error(data.sequence, data.source.port), at: standing.now)
        standing.run(.milliseconds(100))
        #expect(standing.toHost == [1] && standing.clientEnd == nil)
    }

    @Test("RFC 1191: told that the way is narrower, it sends again in smaller segments")
    func narrowPath() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.fate = { _, segment in segment.payload.count > 960 ? .lose : .deliver }
        wire.command(.send(Wire.id, pattern(3_000)))
        let data = wire.log.last!.segment
        wire.client.receive(
            .unreachable(local: data.source, remote: server, sequence: data.sequence, .tooBig(mtu: 1_000)), at: wire.now)
        wire.collect()
        wire.run(.milliseconds(200))
        #expect(wire.toHost == pattern(3_000))
        #expect(wire.log.suffix(8).allSatisfy { $0.segment.payload.count <= 960 })
    }

    @Test("RFC 9293 3.7.1: the smaller of both sides' segment sizes rules; without the option 536")
    func segmentSizes() {
        var small = TCPSettings()
        small.mtu = 600
        for (client, server) in [(TCPSettings(), small), (small, TCPSettings())] {
            var wire = Wire(client: client, server: server)
            wire.connect()
            wire.command(.send(Wire.id, pattern(1_500)))
            wire.run(.milliseconds(500))
            #expect(wire.log.compactMap(\.segment.maximumSegmentSize).sorted() == [560, 1_460])
            #expect(wire.log.map(\.segment.payload.count).max() == 560 && wire.toHost == pattern(1_500))
        }
        var wire = Wire()
        wire.client.receive(.command(.listen(7)), at: wire.now)
        let peer = Endpoint("198.51.100.9:9")!
        let local = Endpoint(clientAddress, 7)
        let syn = TCPSegment(from: peer, to: local, sequence: 100, flags: .syn)
        wire.client.receive(.segment(syn), at: wire.now)
        wire.collect()
        let answer = wire.log[0].segment
        let ack = TCPSegment(from: peer, to: local, sequence: 101, acknowledgment: answer.sequence &+ 1, flags: .ack)
        wire.client.receive(.segment(ack), at: wire.now)
        wire.collect()
        guard case .accepted(let id, _, _)? = wire.clientEvents.first else {
            Issue.record("not accepted")
            return
        }
        wire.command(.send(id, pattern(1_000)))
        #expect(wire.log.dropFirst().map(\.segment.payload.count) == [536, 464])
    }
}
