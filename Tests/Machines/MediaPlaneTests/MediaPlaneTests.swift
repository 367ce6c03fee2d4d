import Base
import Codecs
import Conference
import MediaControl
import MediaPlane
import RTP
import Relay
import Testing

/// A media plane in virtual time, and what came out of it.
struct PlaneWorld {
    static let start = Instant(seconds: 1_700_000_000)
    static let ours = IPAddress("198.51.100.1")!
    static let party = Endpoint("203.0.113.7:4000")!
    static let other = Endpoint("203.0.113.8:4000")!

    var plane: MediaPlane
    var now = start
    var sequence: UInt16 = 0

    init(settings: RelaySettings = RelaySettings(), sound: SoundSettings = SoundSettings()) {
        plane = MediaPlane(settings: settings, sound: sound, entropy: Entropy(labSeed: 3))
    }

    mutating func tell(_ commands: MediaCommand...) {
        for command in commands { plane.command(command, at: now) }
    }

    mutating func open(_ id: UInt64, port: UInt16, party: Endpoint, formats: [MediaFormat] = [.pcmu, .telephoneEvent]) {
        tell(
            .open(MediaLegID(id), MediaLegSetup(port: port, local: Self.ours)),
            .remote(MediaLegID(id), MediaRemote(epoch: 1, rtp: party, formats: formats, signallingSource: party.address)))
    }

    /// Lets time pass, deadline by deadline. What was sent meanwhile, and when.
    mutating func pass(_ duration: Duration) -> [(at: Instant, datagram: Datagram)] {
        let end = now + duration
        var sent: [(Instant, Datagram)] = []
        while let deadline = plane.nextDeadline, deadline <= end {
            now = max(now, deadline)
            plane.advance(to: now)
            while let datagram = plane.nextDatagram() { sent.append((now, datagram)) }
        }
        now = end
        return sent
    }

    mutating func events() -> [MediaEvent] {
        var result: [MediaEvent] = []
        while let event = plane.nextEvent() { result.append(event) }
        return result
    }

    /// A packet of the party's; what is forwarded of it.
    mutating func send(
        from party: Endpoint = party, to port: UInt16, type: UInt8 = 0, timestamp: UInt32? = nil, _ payload: [UInt8]? = nil
    ) -> Datagram? {
        sequence &+= 1
        let packet = RTPPacket(
            payloadType: type, sequenceNumber: sequence, timestamp: timestamp ?? UInt32(sequence) * 160, ssrc: 77,
            payload: payload ?? [UInt8](repeating: 0x55, count: 160))
        return plane.receive(Datagram(from: party, to: Endpoint(Self.ours, port), packet.bytes), at: now)
    }
}

@Suite("The media plane")
struct MediaPlaneTests {
    @Test("An echo goes back to its sender, from the port it came to")
    func echo() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .echo))
        let back = world.send(to: 20_000)
        #expect(back?.source == Endpoint(PlaneWorld.ours, 20_000) && back?.destination == PlaneWorld.party)
        #expect(back.map { RTPPacket(parsing: $0.payload)?.sequenceNumber } == 1)
    }

    @Test("A held leg gets nothing and is counted")
    func silence() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .silence))
        #expect(world.send(to: 20_000) == nil)
        #expect(world.pass(.seconds(30)).isEmpty)
        #expect(world.plane.verdict(of: MediaLegID(1))?.packetsReceived == 1)
    }

    @Test("A digit that passes a bridge is told once, however often its packets are repeated")
    func digit() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.open(2, port: 20_002, party: PlaneWorld.other)
        world.tell(.bridge(MediaLegID(1), MediaLegID(2)))
        var passed = 0
        for (digit, start) in [(Character("5"), UInt32(1_000)), ("#", 5_000)] {
            for step: UInt16 in 1...5 {
                let event = TelephoneEvent(event: TelephoneEvent.event(for: digit)!, isEnd: step > 2, duration: 160 * step)
                if world.send(to: 20_000, type: 101, timestamp: start, event.bytes) != nil { passed += 1 }
            }
        }
        let digits = world.events().compactMap { if case .digit(MediaLegID(1), let digit) = $0 { digit } else { nil } }
        #expect(digits == ["5", "#"] && passed == 10)
    }

    @Test("A party that should send and does not is told of once, and again after it has spoken")
    func silentParty() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .echo))
        func silences(_ world: inout PlaneWorld) -> [Int] {
            world.events().compactMap { if case .silent(MediaLegID(1), let seconds) = $0 { seconds } else { nil } }
        }
        _ = world.pass(.milliseconds(9_900))
        #expect(silences(&world).isEmpty)
        _ = world.pass(.seconds(60))
        #expect(silences(&world) == [10])
        _ = world.send(to: 20_000)
        _ = world.pass(.seconds(30))
        #expect(silences(&world) == [10])
    }

    @Test("No silence is told of a party that said it sends nothing, nor of one that nobody listens to yet")
    func expectedSilence() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        _ = world.pass(.seconds(60))
        world.tell(
            .remote(MediaLegID(1), MediaRemote(epoch: 2, rtp: PlaneWorld.party, sends: false, formats: [.pcmu])),
            .serve(MediaLegID(1), .echo))
        _ = world.pass(.seconds(60))
        #expect(world.events().isEmpty)
    }

    @Test("A tone is a packet every 20 ms, and a sender report at least every 6 s on the RTCP port")
    func tone() throws {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .tone(440)))
        let sent = world.pass(.seconds(10))
        let sound = sent.filter { $0.datagram.source.port == 20_000 }
        #expect(sound.count == 500)
        #expect(sound.allSatisfy { $0.datagram.destination == PlaneWorld.party && $0.datagram.payload.count == 172 })
        let reports = sent.filter { $0.datagram.source.port == 20_001 }
        #expect(reports.count == 2)
        let report = try #require(reports.last)
        #expect(report.datagram.destination == Endpoint(PlaneWorld.party.address, 4_001))
        guard case .senderReport(let ssrc, let info, let blocks) = try RTCPPacket.parse(report.datagram.payload)[0] else {
            Issue.record("not a sender report")
            return
        }
        #expect(ssrc == RTPHeader(sound[0].datagram.payload)?.ssrc && blocks.isEmpty)
        #expect(Int(info.packetCount) == sound.count { $0.at <= report.at } && info.octetCount == info.packetCount * 160)
    }

    @Test("A report answers the party's own with its time and the delay, and tells its losses")
    func report() throws {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .tone(440)))
        for number in 0..<20 {
            if number == 10 { world.sequence += 2 }
            _ = world.send(to: 20_000)
            _ = world.pass(.milliseconds(20))
        }
        let info = RTCPSenderInfo(ntpTime: 0x1234_5678_9abc_def0, timestamp: 0, packetCount: 20, octetCount: 3_200)
        let lie = RTCPReportBlock(ssrc: 1, fractionLost: 255, packetsLost: .max, highestSequence: .max, jitter: .max)
        let compound = RTCPPacket.compound([.senderReport(ssrc: 77, info, [lie]), .goodbye([77], reason: "gone")])
        let heard = world.now
        _ = world.plane.receive(
            Datagram(from: Endpoint(PlaneWorld.party.address, 4_001), to: Endpoint(PlaneWorld.ours, 20_001), compound),
            at: world.now)
        let sent = world.pass(.seconds(6))
        let report = try #require(sent.first { $0.datagram.source.port == 20_001 })
        guard case .senderReport(_, _, let blocks) = try RTCPPacket.parse(report.datagram.payload)[0] else {
            Issue.record("not a sender report")
            return
        }
        let block = try #require(blocks.first)
        #expect(block.ssrc == 77 && block.packetsLost == 2 && block.lastSenderReport == 0x5678_9abc)
        let delay = (report.at - heard).wholeNanoseconds * 65_536 / 1_000_000_000
        #expect(Int64(block.delaySinceLastSenderReport) == delay)
        // What it says of itself and of us changes nothing: it is not gone, and lost what we saw.
        let verdict = try #require(world.plane.verdict(of: MediaLegID(1)))
        #expect(verdict.lost == 2 && verdict.packetsReceived == 20)
    }

    @Test("Two parties in a room both get its sound; who leaves gets no more")
    func room() {
        var world = PlaneWorld()
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.open(2, port: 20_002, party: PlaneWorld.other)
        world.tell(
            .serve(MediaLegID(1), .room(RoomEntry(room: "8000", party: "one"))),
            .serve(MediaLegID(2), .room(RoomEntry(room: "8000", party: "two"))))
        #expect(world.plane.members(of: "8000") == [MediaLegID(1), MediaLegID(2)])
        let sent = world.pass(.seconds(2)).filter { $0.datagram.source.port % 2 == 0 }
        #expect(Set(sent.map(\.datagram.destination)) == [PlaneWorld.party, PlaneWorld.other])
        world.tell(.close(MediaLegID(1)))
        #expect(Set(world.pass(.seconds(2)).map(\.datagram.destination.address)) == [PlaneWorld.other.address])
        #expect(world.plane.members(of: "8000") == [MediaLegID(2)])
    }

    @Test("A party whose SDP names a third party's address makes no sound go there")
    func thirdParty() {
        var world = PlaneWorld()
        let victim = Endpoint("192.0.2.200:5000")!
        world.tell(
            .open(MediaLegID(1), MediaLegSetup(port: 20_000, local: PlaneWorld.ours)),
            .remote(
                MediaLegID(1), MediaRemote(epoch: 1, rtp: victim, formats: [.pcmu], signallingSource: PlaneWorld.party.address)),
            .serve(MediaLegID(1), .tone(440)))
        #expect(world.pass(.seconds(10)).isEmpty)
        #expect(world.plane.dropCounts[.unproven]! >= 500)
        // Its own address is proved by its own packets.
        for _ in 0..<3 { _ = world.send(to: 20_000) }
        let sent = world.pass(.seconds(1))
        #expect(sent.count >= 50 && sent.allSatisfy { $0.datagram.destination.address == PlaneWorld.party.address })
    }

    @Test("What cannot be opened is closed at once; what is open already is left alone")
    func refusedOpenings() {
        var settings = RelaySettings()
        settings.legs = 2
        var world = PlaneWorld(settings: settings)
        world.open(1, port: 20_000, party: PlaneWorld.party)
        func closed(_ world: inout PlaneWorld) -> [UInt64] {
            world.events().compactMap { if case .closed(let id, _) = $0 { id.value } else { nil } }
        }
        world.tell(.open(MediaLegID(2), MediaLegSetup(port: 20_000, local: PlaneWorld.ours)))
        #expect(closed(&world) == [2])
        world.tell(.open(MediaLegID(3), MediaLegSetup(port: 19_999, local: PlaneWorld.ours)))
        #expect(closed(&world) == [3])
        world.tell(.open(MediaLegID(4), MediaLegSetup(port: .max, local: PlaneWorld.ours)))
        #expect(closed(&world) == [4])
        world.tell(.open(MediaLegID(1), MediaLegSetup(port: 20_004, local: PlaneWorld.ours)))
        #expect(closed(&world).isEmpty && world.plane.strayCommands == 1)
        world.open(5, port: 20_002, party: PlaneWorld.other)
        world.tell(.open(MediaLegID(6), MediaLegSetup(port: 20_004, local: PlaneWorld.ours)))
        #expect(closed(&world) == [6] && world.plane.legCount == 2)
        // A port is free again once its leg is closed.
        world.tell(.close(MediaLegID(1)), .open(MediaLegID(7), MediaLegSetup(port: 20_000, local: PlaneWorld.ours)))
        #expect(closed(&world) == [1] && world.plane.legCount == 2)
    }

    @Test("Commands about legs that are gone do nothing and are counted")
    func strayCommands() {
        var world = PlaneWorld()
        let ghost = MediaLegID(9)
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(
            .remote(ghost, MediaRemote(epoch: 1, rtp: PlaneWorld.party)), .bridge(ghost, MediaLegID(1)),
            .bridge(MediaLegID(1), ghost),
            .serve(ghost, .tone(440)), .close(ghost), .room(name: "none", .kick(ghost)))
        #expect(world.plane.strayCommands == 5 && world.events().isEmpty && world.plane.legCount == 1)
    }

    @Test("A plane without legs has nothing to wait for")
    func idle() {
        var world = PlaneWorld()
        #expect(world.plane.nextDeadline == nil)
        world.open(1, port: 20_000, party: PlaneWorld.party)
        world.tell(.serve(MediaLegID(1), .tone(440)))
        #expect(world.plane.nextDeadline == PlaneWorld.start + .milliseconds(20))
        world.tell(.close(MediaLegID(1)))
        #expect(world.plane.nextDeadline == nil)
    }
}
