import Base
import ICE
import RTP
import SDP
import STUN
import STUNStack
import Testing

/// Two agents and what lies between them, in virtual time.
private struct ICEWorld {
    var agents: [ICEAgent]
    var now = Instant(seconds: 1_000)
    var wire: (Datagram) -> Datagram? = { $0 }
    private(set) var events: [[ICEAgent.Output]] = [[], []]
    private(set) var sent: [(at: Duration, from: Int, datagram: Datagram)] = []
    private var queue: [(at: Instant, datagram: Datagram)] = []
    private let start = Instant(seconds: 1_000)
    /// Sockets of either side, for delivery.
    let sockets: [Set<Endpoint>]

    init(_ a: [ICECandidate], _ b: [ICECandidate], roles: [Bool] = [true, false], seeds: [UInt64] = [1, 2]) {
        agents = [
            ICEAgent(candidates: a, isControlling: roles[0], t1: .milliseconds(500), entropy: Entropy(labSeed: seeds[0])),
            ICEAgent(candidates: b, isControlling: roles[1], t1: .milliseconds(500), entropy: Entropy(labSeed: seeds[1])),
        ]
        sockets = [a, b].map { Set($0.filter { $0.kind == .host }.map(\.endpoint)) }
    }

    var elapsed: Duration { now - start }

    mutating func begin(_ side: Int, multiplexed: Bool = true, _ change: (inout SDPICE) -> Void = { _ in }) {
        var description = agents[1 - side].description
        change(&description)
        let isControlling = agents[side].isControlling
        agents[side].receive(.begin(description, multiplexed: multiplexed, isControlling: isControlling), at: now)
        collect(side)
    }

    mutating func run(for duration: Duration) {
        let limit = now + duration
        while true {
            let arrival = queue.map(\.at).min()
            guard let at = ([arrival] + agents.map(\.nextDeadline)).compactMap({ $0 }).min(), at <= limit else { break }
            now = max(now, at)
            if let place = queue.firstIndex(where: { $0.at <= now }) {
                let datagram = queue.remove(at: place).datagram
                for side in 0...1 where sockets[side].contains(datagram.destination) {
                    agents[side].receive(.received(datagram), at: now)
                    collect(side)
                }
            } else {
                for side in 0...1 where agents[side].nextDeadline.map({ $0 <= now }) ?? false {
                    agents[side].advance(to: now)
                    collect(side)
                }
            }
        }
        now = limit
    }

    mutating func receive(_ side: Int, _ datagram: Datagram) {
        agents[side].receive(.received(datagram), at: now)
        collect(side)
    }

    private mutating func collect(_ side: Int) {
        while let event = agents[side].nextOutput() {
            events[side].append(event)
            guard case .send(let datagram) = event else { continue }
            sent.append((elapsed, side, datagram))
            if let passing = wire(datagram) { queue.append((now + .milliseconds(10), passing)) }
        }
    }

    func selection(_ side: Int, _ component: Int = 1) -> ICEPair.ID? { agents[side].selected[component]?.id }
}

private func host(_ text: String, component: Int = 1, preference: UInt16 = .max, foundation: String = "h0") -> ICECandidate {
    ICECandidate(
        foundation: foundation, component: component,
        priority: ICECandidate.priority(.host, localPreference: preference, component: component), endpoint: Endpoint(text)!,
        kind: .host)
}

@Suite("ICE (RFC 8445)")
struct ICETests {
    @Test("RFC 8445 6.1.2.3: the priority of a pair is the same number on both sides")
    func priority() {
        let a = host("10.0.0.1:4000")
        let b = host("10.0.0.2:4000", preference: 100)
        let own = ICEPair(a, b)
        let theirs = ICEPair(b, a)
        #expect(own.priority(isControlling: true) == theirs.priority(isControlling: false))
        #expect(own.priority(isControlling: false) == theirs.priority(isControlling: true))
        let (g, d) = (UInt64(a.priority), UInt64(b.priority))
        #expect(own.priority(isControlling: true) == min(g, d) << 32 + 2 * max(g, d) + 1)
    }

    @Test("Two sides that reach each other settle on the same pair within a second; checks are 50 ms apart")
    func straight() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(1))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.selection(0)?.remote == Endpoint("10.0.0.2:5000"))
        #expect(world.selection(1)?.remote == Endpoint("10.0.0.1:4000"))
        #expect(world.agents.map(\.isOver) == [true, true])
    }

    @Test("RFC 8445 14.2: with many candidates no two new checks are less than 50 ms apart")
    func pacing() {
        let many = (1...6).map { host("10.0.1.\($0):4000", preference: 1000 - UInt16($0), foundation: "h\($0)") }
        var world = ICEWorld([host("10.0.0.1:4000")], many)
        world.wire = { _ in nil }
        world.begin(0)
        world.run(for: .milliseconds(290))
        let times = world.sent.filter { $0.from == 0 }.map(\.at)
        #expect(times == (0..<6).map { .milliseconds($0 * 50) })
        let targets = world.sent.filter { $0.from == 0 }.map(\.datagram.destination)
        #expect(targets == many.map(\.endpoint))
    }

    @Test("RFC 8445 8.1.1: of two ways that work the one of higher priority is taken")
    func best() {
        var world = ICEWorld(
            [host("10.0.0.1:4000", preference: 65_535), host("192.0.2.1:4000", preference: 100, foundation: "h1")],
            [host("10.0.0.2:5000", preference: 65_535), host("192.0.2.2:5000", preference: 100, foundation: "h1")])
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(2))
        #expect(
            world.selection(0) == ICEPair.ID(component: 1, local: Endpoint("10.0.0.1:4000")!, remote: Endpoint("10.0.0.2:5000")!))
        #expect(world.selection(1)?.remote == Endpoint("10.0.0.1:4000"))
    }

    @Test("Where the best way is blocked the next is taken after a pause")
    func blocked() {
        var world = ICEWorld(
            [host("10.0.0.1:4000"), host("192.0.2.1:4000", preference: 100, foundation: "h1")],
            [host("10.0.0.2:5000"), host("192.0.2.2:5000", preference: 100, foundation: "h1")])
        world.wire = { datagram in
            let isPrivate = datagram.source.description.hasPrefix("10.")
            return isPrivate == datagram.destination.description.hasPrefix("10.") && !isPrivate ? datagram : nil
        }
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(3))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.selection(0)?.local == Endpoint("192.0.2.1:4000"))
        #expect(world.selection(1)?.local == Endpoint("192.0.2.2:5000"))
    }

    @Test(
        "RFC 8445 7.3.1.1: two sides that both control or both are controlled agree by their tie-breakers",
        arguments: [true, false], [1, 5] as [UInt64])
    func roleConflict(both: Bool, seed: UInt64) {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")], roles: [both, both], seeds: [seed, 9])
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(2))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.agents[0].isControlling != world.agents[1].isControlling)
        let changes = world.events.joined().filter { if case .roleChanged = $0 { true } else { false } }
        #expect(changes.count == 1)
    }

    @Test("RFC 8445 7.3.1.3: a side behind a NAT is learnt from its checks; the reflexive address wins though nobody named it")
    func peerReflexive() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("203.0.113.5:5000")])
        let inside = Endpoint("10.0.0.1:4000")!
        let outside = Endpoint("198.51.100.1:61000")!
        world.wire = { datagram in
            var datagram = datagram
            if datagram.source == inside { datagram.source = outside }
            if datagram.destination == inside { return nil }
            if datagram.destination == outside { datagram.destination = inside }
            return datagram
        }
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(2))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.selection(1)?.remote == outside)
        #expect(world.agents[1].selected[1]?.remote.kind == .peerReflexive)
    }

    @Test("RFC 8445 6.1.1: against ICE-lite the full side controls, whatever the offer says, and nominates")
    func lite() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")], roles: [false, false])
        // A lite side is an agent that never begins: it answers and takes what is nominated.
        world.begin(0) { $0.isLite = true }
        world.run(for: .seconds(1))
        #expect(world.agents[0].isControlling)
        #expect(world.agents[0].phase == .completed)
        let nominations = world.sent.filter { sent in
            sent.from == 0 && ((try? STUNMessage(sent.datagram.payload))?.place(of: .useCandidate) != nil)
        }
        #expect(nominations.count == 1)
    }

    @Test("RFC 8445 7.3: checks that come before the description are answered, and used once it comes")
    func early() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.begin(0)
        world.run(for: .milliseconds(300))
        #expect(world.agents[1].phase == .idle)
        world.begin(1)
        world.run(for: .seconds(1))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
    }

    @Test("RTP and RTCP each get a pair; RTCP's waits until RTP's foundation has proved itself (RFC 8445 6.1.2.6)")
    func components() {
        var world = ICEWorld(
            [host("10.0.0.1:4000"), host("10.0.0.1:4001", component: 2)],
            [host("10.0.0.2:5000"), host("10.0.0.2:5001", component: 2)])
        world.begin(0, multiplexed: false)
        world.begin(1, multiplexed: false)
        world.run(for: .seconds(2))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.selection(0, 2)?.remote == Endpoint("10.0.0.2:5001"))
        #expect(world.sent.first { $0.from == 0 }?.datagram.destination == Endpoint("10.0.0.2:5000"))
    }

    @Test("Nothing gets through: ICE fails after the last retransmission, and says so once")
    func failure() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.wire = { _ in nil }
        world.begin(0)
        world.run(for: .seconds(39))
        #expect(world.agents[0].phase == .checking)
        world.run(for: .seconds(1))
        #expect(world.agents[0].phase == .failed)
        #expect(world.events[0].filter { $0 == .failed }.count == 1)
        #expect(world.agents[0].nextDeadline == nil)
    }

    @Test("RFC 8445 11: the chosen pair is kept alive by indications every 15 s")
    func keepalive() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(1))
        let before = world.sent.count
        world.run(for: .seconds(60))
        let after = world.sent[before...].filter { $0.from == 0 }
        #expect(after.count == 4)
        let types = after.map { (try? STUNMessage($0.datagram.payload))?.type }
        #expect(types.allSatisfy { $0 == .bindingIndication })
    }

    @Test("Every n-th datagram lost, for every n from 3: the sides agree all the same", arguments: 3...12)
    func loss(n: Int) {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        var count = 0
        world.wire = { datagram in
            count += 1
            return count % n == 0 ? nil : datagram
        }
        world.begin(0)
        world.begin(1)
        world.run(for: .seconds(20))
        #expect(world.agents.map(\.phase) == [.completed, .completed])
        #expect(world.selection(0)?.remote == Endpoint("10.0.0.2:5000"))
        #expect(world.selection(1)?.remote == Endpoint("10.0.0.1:4000"))
    }

    @Test("Who does not know the password gets an error no longer than the request, and changes nothing")
    func strangers() throws {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.wire = { _ in nil }
        world.begin(0)
        let stranger = Endpoint("192.0.2.66:1234")!
        var entropy = Entropy(labSeed: 3)
        func request(_ build: (inout STUNWriter) -> Void) -> Datagram {
            var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
            build(&writer)
            return Datagram(from: stranger, to: Endpoint("10.0.0.1:4000")!, writer.bytes)
        }
        let own = world.agents[0].credentials
        let cases = [
            request { _ in },
            request { $0.add(.username(Array("\(own.ufrag):x".utf8))) },
            request {
                $0.add(.username(Array("\(own.ufrag):x".utf8)))
                $0.addIntegrity(.shortTerm(password: "guess"))
            },
            request {
                $0.add(.username(Array("other:x".utf8)))
                $0.addIntegrity(.shortTerm(password: own.password))
            },
            Datagram(from: stranger, to: Endpoint("10.0.0.1:4000")!, [0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42]),
        ]
        for datagram in cases {
            let before = world.sent.count
            world.receive(0, datagram)
            for answer in world.sent[before...] {
                #expect(answer.datagram.payload.count <= datagram.payload.count)
                let type = (try? STUNMessage(answer.datagram.payload))?.type
                #expect(type == .bindingError)
            }
        }
        #expect(!world.events[0].contains(.proved(stranger)))
        #expect(world.agents[0].selected.isEmpty)
    }

    @Test("A flood of true checks from ever new addresses grows nothing beyond its cap")
    func flood() {
        var world = ICEWorld([host("10.0.0.1:4000")], [host("10.0.0.2:5000")])
        world.wire = { _ in nil }
        world.begin(0)
        var entropy = Entropy(labSeed: 3)
        let (own, peer) = (world.agents[0].credentials, world.agents[1].credentials)
        for port in 1...2_000 {
            var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
            writer.add(.username(Array("\(own.ufrag):\(peer.ufrag)".utf8)))
            writer.addIntegrity(.shortTerm(password: own.password))
            writer.addFingerprint()
            world.receive(
                0,
                Datagram(
                    from: Endpoint(.v4(IPv4Address(192, 0, 2, 66)), UInt16(port)), to: Endpoint("10.0.0.1:4000")!, writer.bytes))
        }
        #expect(world.agents[0].pairCount <= 40)
    }
}
