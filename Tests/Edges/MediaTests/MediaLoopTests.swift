import Base
import Foundation
import LinuxEdge
import Media
import MediaControl
import MediaPlane
import RTP
import Relay
import SRTP
import Synchronization
import Testing
import Waiting

@Suite("The media loop on real sockets", .serialized)
struct MediaLoopTests {
    static let v4 = IPAddress("127.0.0.1")!
    static let v6 = IPAddress("::1")!

    /// A loop on ports that are free.
    static func loop(addresses: [IPAddress], count: Int = 4) throws -> MediaLoop {
        try withFreePairs(count) { ports in
            let loop = try MediaLoop(MediaLoopSettings(addresses: addresses, ports: ports))
            return loop.ports == ports ? loop : nil
        }
    }

    /// A running loop and the events it tells.
    final class Running {
        let loop: MediaLoop
        let wake: WakeSignal
        let events: Mailbox<MediaEvent>
        private var seen: [MediaEvent] = []

        init(addresses: [IPAddress] = [v4, v6]) throws {
            loop = try MediaLoopTests.loop(addresses: addresses)
            wake = try WakeSignal()
            events = Mailbox(waking: wake)
            loop.start(MediaPlane(srtp: LibSRTP.provider, entropy: Entropy(labSeed: 1)), clock: RealTime(), events: events)
        }

        deinit { loop.stop() }

        /// The first event that `pick` makes something of.
        func event<Result>(_ what: String, _ pick: (MediaEvent) -> Result?) throws -> Result {
            try awaited(what) {
                seen += events.takeAll()
                for (index, event) in seen.enumerated() {
                    if let result = pick(event) {
                        seen.remove(at: index)
                        return result
                    }
                }
                return nil
            }
        }

        func closed(_ id: MediaLegID) throws -> MediaVerdict {
            loop.post([.close(id)])
            return try event("the verdict of a leg") { if case .closed(id, let verdict) = $0 { verdict } else { nil } }
        }
    }

    static func packet(_ sequence: UInt16, ssrc: UInt32 = 1) -> [UInt8] {
        RTPPacket(
            payloadType: 0, sequenceNumber: sequence, timestamp: UInt32(sequence) * 160, ssrc: ssrc,
            payload: [UInt8](repeating: UInt8(sequence & 0xff), count: 160)
        ).bytes
    }

    @Test("Media between an IPv4 and an IPv6 party, both ways, and the verdict of each leg")
    func bridgesFamilies() throws {
        let running = try Running()
        let (a, b) = (Party("127.0.0.1"), Party("::1"))
        let (portA, portB) = (running.loop.ports[0], running.loop.ports[1])
        running.loop.post([
            .open(MediaLegID(1), MediaLegSetup(port: portA, local: Self.v4)),
            .open(MediaLegID(2), MediaLegSetup(port: portB, local: Self.v6)),
            .remote(MediaLegID(1), MediaRemote(epoch: 1, rtp: a.endpoint, formats: [.pcmu], signallingSource: Self.v4)),
            .remote(MediaLegID(2), MediaRemote(epoch: 1, rtp: b.endpoint, formats: [.pcmu], signallingSource: Self.v6)),
            .bridge(MediaLegID(1), MediaLegID(2)),
        ])
        for sequence: UInt16 in 1...20 {
            a.send(Self.packet(sequence), to: Endpoint(Self.v4, portA))
            let there = try #require(b.receive())
            #expect(there.bytes == Self.packet(sequence) && there.port == portB)
            b.send(Self.packet(sequence, ssrc: 2), to: Endpoint(Self.v6, portB))
            let back = try #require(a.receive())
            #expect(back.bytes == Self.packet(sequence, ssrc: 2) && back.port == portA)
        }
        // RTCP takes its own ports.
        let report = RTCPPacket.compound([.receiverReport(ssrc: 1, [])])
        a.send(report, to: Endpoint(Self.v4, portA + 1))
        let source = try running.event("a source that is locked") {
            if case .locked(MediaLegID(1), let source) = $0 { source } else { nil }
        }
        #expect(source == MediaSource(endpoint: a.endpoint, means: .signalled, packet: 1))
        let verdict = try running.closed(MediaLegID(1))
        #expect(verdict.packetsReceived == 20 && verdict.packetsSent == 20 && verdict.lost == 0 && verdict.strangers == 0)
        #expect(try running.closed(MediaLegID(2)).packetsReceived == 20)
    }

    @Test("SRTP on one leg, plain RTP on the other")
    func srtp() throws {
        let running = try Running()
        let (a, b) = (Party(), Party())
        let keys = SRTPParameters(
            suite: .aesCM128HMACSHA1_80, localKey: [UInt8](repeating: 1, count: 30), remoteKey: [UInt8](repeating: 2, count: 30))
        let phone = try #require(LibSRTP(SRTPParameters(suite: keys.suite, localKey: keys.remoteKey, remoteKey: keys.localKey)))
        let (portA, portB) = (running.loop.ports[0], running.loop.ports[1])
        running.loop.post([
            .open(MediaLegID(1), MediaLegSetup(port: portA, local: Self.v4)),
            .open(MediaLegID(2), MediaLegSetup(port: portB, local: Self.v4)),
            .remote(
                MediaLegID(1), MediaRemote(epoch: 1, rtp: a.endpoint, formats: [.pcmu], srtp: keys, signallingSource: Self.v4)),
            .remote(MediaLegID(2), MediaRemote(epoch: 1, rtp: b.endpoint, formats: [.pcmu], signallingSource: Self.v4)),
            .bridge(MediaLegID(1), MediaLegID(2)),
        ])
        // In the clear it is refused.
        a.send(Self.packet(0), to: Endpoint(Self.v4, portA))
        for sequence: UInt16 in 1...10 {
            a.send(try #require(phone.protect(Self.packet(sequence), isRTCP: false)), to: Endpoint(Self.v4, portA))
            #expect(b.receive()?.bytes == Self.packet(sequence))
            b.send(Self.packet(sequence, ssrc: 2), to: Endpoint(Self.v4, portB))
            let secret = try #require(a.receive()).bytes
            #expect(phone.unprotect(secret, isRTCP: false) == Self.packet(sequence, ssrc: 2))
        }
        let verdict = try running.closed(MediaLegID(1))
        #expect(verdict.isSRTP && verdict.packetsReceived == 10 && verdict.refused == 1)
    }

    @Test("An echo returns what came, under an SSRC of ours; a datagram longer than any phone sends is dropped")
    func echo() throws {
        let running = try Running()
        let a = Party()
        let port = running.loop.ports[0]
        running.loop.post([
            .open(MediaLegID(1), MediaLegSetup(port: port, local: Self.v4)),
            .remote(MediaLegID(1), MediaRemote(epoch: 1, rtp: a.endpoint, formats: [.pcmu], signallingSource: Self.v4)),
            .serve(MediaLegID(1), .echo),
        ])
        a.send([UInt8](repeating: 0x80, count: 4_000), to: Endpoint(Self.v4, port))
        a.send(Self.packet(1), to: Endpoint(Self.v4, port))
        let back = try #require(a.receive()?.bytes)
        // All but the SSRC.
        #expect(back[..<8] == Self.packet(1)[..<8] && back[12...] == Self.packet(1)[12...] && back != Self.packet(1))
        #expect(try running.closed(MediaLegID(1)).refused == 1)
    }

    @Test("On a port that is bound on every address, what leaves has the address that the party was told")
    func sourceAddress() throws {
        let running = try Running(addresses: [.v4(.any), .v6(.any), Self.v4])
        let port = running.loop.ports[0]
        let told = IPAddress("127.0.0.9")!
        for (id, address) in [(UInt64(1), told), (2, Self.v6)] {
            let party = Party(address.isIPv6 ? "::1" : "127.0.0.1")
            running.loop.post([
                .open(MediaLegID(id), MediaLegSetup(port: port, local: address)),
                .remote(
                    MediaLegID(id),
                    MediaRemote(epoch: 1, rtp: party.endpoint, formats: [.pcmu], signallingSource: party.endpoint.address)),
                .serve(MediaLegID(id), .echo),
            ])
            party.send(Self.packet(1), to: Endpoint(address, port))
            let back = try #require(party.receive())
            #expect(back.address == address && back.port == port)
            _ = try running.closed(MediaLegID(id))
        }
    }

    @Test("A room on real sockets: each party hears 50 packets a second, whatever the other does")
    func room() throws {
        let running = try Running()
        let parties = [Party(), Party("::1")]
        for (index, party) in parties.enumerated() {
            let id = MediaLegID(UInt64(index))
            running.loop.post([
                .open(id, MediaLegSetup(port: running.loop.ports[index], local: party.endpoint.address)),
                .remote(
                    id, MediaRemote(epoch: 1, rtp: party.endpoint, formats: [.pcmu], signallingSource: party.endpoint.address)),
                .serve(id, .room(RoomEntry(room: "8000", party: "party \(index)"))),
            ])
        }
        for party in parties {
            let heard = (0..<50).compactMap { _ in party.receive().flatMap { RTPHeader($0.bytes) } }
            #expect(heard.count == 50)
            #expect(Set(heard.map(\.ssrc)).count == 1)
            #expect(zip(heard, heard.dropFirst()).allSatisfy { $1.sequenceNumber == $0.sequenceNumber &+ 1 })
            #expect(
                zip(heard, heard.dropFirst()).allSatisfy {
                    ($1.timestamp &- $0.timestamp) % 160 == 0 && $1.timestamp != $0.timestamp
                })
        }
        #expect(try running.closed(MediaLegID(0)).packetsSent >= 50)
    }

    @Test("A port that something else holds is left out, with its neighbour; none at all is an error with the reason")
    func occupied() throws {
        let one = try Self.loop(addresses: [Self.v4])
        // The port before its first has that for a neighbour.
        let taken = [one.ports[0] - 1] + one.ports
        let other = try withFreePairs { try MediaLoop(MediaLoopSettings(addresses: [Self.v4], ports: taken + $0)) }
        #expect(!other.ports.isEmpty && Set(other.ports).isDisjoint(with: taken))
        #expect(throws: SystemError.self) { try MediaLoop(MediaLoopSettings(addresses: [Self.v4], ports: taken)) }
        one.stop()
        #expect(try MediaLoop(MediaLoopSettings(addresses: [Self.v4], ports: one.ports)).ports == one.ports)
    }

    @Test("A mailbox that is full loses no event")
    func fullMailbox() throws {
        let loop = try Self.loop(addresses: [Self.v4], count: 50)
        let wake = try WakeSignal()
        let events = Mailbox<MediaEvent>(waking: wake, capacity: 3)
        loop.start(MediaPlane(entropy: Entropy(labSeed: 1)), clock: RealTime(), events: events)
        defer { loop.stop() }
        loop.post(loop.ports.enumerated().map { .open(MediaLegID(UInt64($0)), MediaLegSetup(port: $1, local: Self.v4)) })
        loop.post(loop.ports.indices.map { .close(MediaLegID(UInt64($0))) })
        var closed: Set<MediaLegID> = []
        _ = try awaited("50 legs to be closed") {
            for case .closed(let id, _) in events.takeAll() { closed.insert(id) }
            return closed.count == 50 ? true : nil
        }
    }

    @Test("Ports of a range are dealt out evenly, each with its neighbour inside")
    func ports() {
        #expect(MediaLoopSettings.ports(of: 10_001...10_010, loops: 2) == [[10_002, 10_006], [10_004, 10_008]])
        #expect(MediaLoopSettings.ports(of: 10_000...10_001) == [[10_000]])
    }
}
