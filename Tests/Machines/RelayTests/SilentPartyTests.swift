import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("Who is silent keeps his stream")
struct SilentPartyTests {
    /// A behind a NAT whose media port STUN told it.
    static let signalledA = Endpoint("203.0.113.7:16384")!
    static let neighbour = Endpoint("203.0.113.7:20000")!

    /// B's packets while others send: where each went.
    static func destinations(
        _ world: inout RelayWorld, _ b: inout RelayWorld.Stream, _ count: Int, with others: inout [RelayWorld.Stream]
    ) -> Set<Endpoint?> {
        var result: Set<Endpoint?> = []
        for _ in 0..<count {
            for index in others.indices { _ = world.arrive(others[index].next(), from: others[index].source) }
            if case .forwarded(_, _, let to) = world.hear(&b) { result.insert(to) } else { result.insert(nil) }
        }
        return result
    }

    @Test(
        "A stranger who sprays the port of a party that is mute gets nothing, and the party is heard at once when it speaks",
        arguments: [RelayWorld.privateA, signalledA], [0.3, 0.7, 2, 30])
    func spray(_ signalled: Endpoint, _ seconds: Double) {
        var world = RelayWorld.bridged { a, _ in a.rtp = signalled }
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        var spray = [RelayWorld.Stream(RelayWorld.attacker, ssrc: 0xeeee)]
        let to = Self.destinations(&world, &b, Int(seconds * 50), with: &spray)
        #expect(to == (signalled == Self.signalledA ? [signalled] : [nil]))
        #expect(world.lockedSources().allSatisfy { $0.endpoint == RelayWorld.endpointB })
        var a = RelayWorld.Stream(RelayWorld.publicA)
        for turn in 0..<100 {
            _ = world.arrive(spray[0].next(), from: spray[0].source)
            #expect(world.word(world.hear(&a)) == (turn < 2 ? "weighed" : "forwarded"))
        }
        #expect(Self.destinations(&world, &b, 100, with: &spray) == [RelayWorld.publicA])
    }

    @Test("On hold, and after it, and in the silence of a call that was spoken in, a stranger gets nothing either")
    func hold() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        var spray = [RelayWorld.Stream(RelayWorld.attacker, ssrc: 0xeeee)]
        _ = world.hear(&a, 5)
        for epoch in UInt32(2)...3 {
            world.table.remote(
                world.slotA,
                MediaRemote(
                    epoch: epoch, rtp: RelayWorld.privateA, sends: epoch == 3, formats: [.pcmu],
                    signallingSource: RelayWorld.publicA.address), at: world.now)
            #expect(Self.destinations(&world, &b, 500, with: &spray) == [RelayWorld.publicA])
        }
        #expect(world.hear(&a, 1) == ["forwarded"])
    }

    @Test("A stream nobody vouches for is told once an epoch, at its third packet that agrees, unless the party was heard")
    func told() {
        func outsiders(_ world: inout RelayWorld) -> [Endpoint] {
            world.events().compactMap { if case .disbelieved(RelayWorld.a, let place) = $0 { place } else { nil } }
        }
        var world = RelayWorld.bridged()
        var spray = RelayWorld.Stream(RelayWorld.attacker, ssrc: 0xeeee)
        _ = world.hear(&spray, 2)
        #expect(outsiders(&world).isEmpty)
        _ = world.hear(&spray, 100)
        #expect(outsiders(&world) == [RelayWorld.attacker])
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA,
            MediaRemote(epoch: 2, rtp: RelayWorld.privateA, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        _ = world.hear(&spray, 100)
        #expect(outsiders(&world).isEmpty)
    }

    @Test("Another port of the right address gives way to the signalled one after three packets, at any time")
    func signalledTakesOver() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Self.signalledA }
        var early = [RelayWorld.Stream(Self.neighbour, ssrc: 0xeeee)]
        _ = world.hear(&early[0], 500)
        #expect(world.lockedSources().map(\.endpoint) == [Self.neighbour])
        var a = RelayWorld.Stream(Self.signalledA)
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.lockedSources() == [MediaSource(endpoint: Self.signalledA, means: .signalled, packet: 503)])
        #expect(world.hear(&early[0], 5) == Array(repeating: "stranger", count: 5))
    }

    @Test("A STUN port that has become a neighbour's takes over, falls silent, and after 2 s gives back")
    func givesBack() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Self.signalledA }
        var a = RelayWorld.Stream(Self.neighbour)
        _ = world.hear(&a, 50)
        var stale = RelayWorld.Stream(Self.signalledA, ssrc: 0xeeee)
        #expect(world.hear(&stale, 3) == ["weighed", "weighed", "forwarded"])
        // 99 packets are 1.98 s.
        #expect(Set(world.hear(&a, 99)) == ["stranger"])
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.lockedSources().last?.endpoint == Self.neighbour)
        // And again, as often as it likes.
        #expect(world.hear(&stale, 3).last == "forwarded")
    }

    @Test("Nothing is given back while the better source still speaks, nor to whom it was not taken from")
    func keeps() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Self.signalledA }
        var former = RelayWorld.Stream(Self.neighbour, ssrc: 0xeeee)
        _ = world.hear(&former, 5)
        var a = RelayWorld.Stream(Self.signalledA)
        _ = world.hear(&a, 5)
        for _ in 0..<500 {
            #expect(world.word(world.hear(&former)) == "stranger")
            #expect(world.word(world.hear(&a)) == "forwarded")
        }
        var other = RelayWorld.Stream(Endpoint("203.0.113.7:30000")!, ssrc: 0xdddd)
        world.wait(.seconds(3))
        #expect(Set(world.hear(&other, 50)) == ["stranger"])
    }

    @Test("A signalled endpoint elsewhere gives way to whoever sends from where SIP comes from")
    func elsewhere() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Endpoint("192.0.2.200:5000")! }
        var third = RelayWorld.Stream(Endpoint("192.0.2.200:5000")!, ssrc: 0xeeee)
        #expect(world.hear(&third, 2) == ["forwarded", "forwarded"])
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        var none = [third]
        #expect(Self.destinations(&world, &b, 10, with: &none) == [RelayWorld.publicA])
    }

    @Test("media.source: any believes whoever sends, until someone better does")
    func any() {
        var settings = RelaySettings()
        settings.believesAnyone = true
        var world = RelayWorld.bridged(settings: settings)
        // A NAT that gives media another address than signalling, as some carriers' do.
        var other = RelayWorld.Stream(Endpoint("203.0.113.99:1024")!, ssrc: 0xeeee)
        #expect(world.hear(&other, 30) == Array(repeating: "weighed", count: 25) + Array(repeating: "forwarded", count: 5))
        #expect(world.lockedSources() == [MediaSource(endpoint: other.source, means: .learnt, packet: 26)])
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 3) == ["weighed", "weighed", "forwarded"])
    }

    @Test("A phone whose SIP has moved is followed with its media, without a re-INVITE")
    func roams() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        a.source = Endpoint("198.18.0.9:40000")!
        #expect(Set(world.hear(&a, 200)) == ["stranger"])
        world.table.follow(world.slotA, to: a.source.address)
        #expect(world.hear(&a, 3) == ["weighed", "weighed", "forwarded"])
        #expect(world.lockedSources().last?.endpoint == a.source)
    }

    @Test("A PBX that hands its media over to another address: its last packets take nothing back")
    func handedOver() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Self.signalledA }
        var pbx = RelayWorld.Stream(Self.signalledA)
        _ = world.hear(&pbx, 5)
        let phone = Endpoint("192.0.2.200:5000")!
        world.table.remote(
            world.slotA, MediaRemote(epoch: 2, rtp: phone, formats: [.pcmu], signallingSource: Self.signalledA.address),
            at: world.now)
        #expect(Set(world.hear(&pbx, 5)) == ["forwarded"])
        var new = RelayWorld.Stream(phone, ssrc: 0xbbbb)
        for _ in 0..<50 {
            #expect(world.word(world.hear(&new)) == "forwarded")
            #expect(world.word(world.hear(&pbx)) == "stranger")
        }
    }

    @Test("A goodbye in RTCP counts from the signalled port and from beside RTP; from another port there it does nothing")
    func goodbye() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        let info = RTCPSenderInfo(ntpTime: 0, timestamp: 0, packetCount: 0, octetCount: 0)
        let end = RTCPPacket.compound([.senderReport(ssrc: a.ssrc, info, []), .goodbye([a.ssrc], reason: "")])
        let other = Endpoint(RelayWorld.publicA.address, 61_000)
        for port in [RelayWorld.portA, RelayWorld.portA + 1] {
            #expect(world.arrive(end, from: other, on: port) == .dropped(.stranger))
        }
        // A report from there is taken, a goodbye after it is still not.
        let report = RTCPPacket.compound([.receiverReport(ssrc: a.ssrc, [])])
        #expect(world.word(world.arrive(report, from: other, on: RelayWorld.portA + 1)) == "forwarded")
        #expect(world.arrive(end, from: other, on: RelayWorld.portA + 1) == .dropped(.stranger))
        var beside = RelayWorld.bridged()
        _ = beside.hear(&a, 5)
        let next = Endpoint(RelayWorld.publicA.address, RelayWorld.publicA.port + 1)
        #expect(beside.word(beside.arrive(end, from: next, on: RelayWorld.portA + 1)) == "forwarded")
    }
}
