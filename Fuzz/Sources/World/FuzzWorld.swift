import Base
import Lab
import Packet
import ServerNode
import SIP
import VirtualNetwork

/// A small world of whole nodes, in virtual time: what bytes make happen to it, and what a simple reference model says of it after each step.
///
/// Everything random is drawn from one fixed seed, so the same transitions give the same packets, to the byte.
package struct FuzzWorld: Sendable {
    /// The most that may happen while time passes once: more is a box that never comes to rest.
    static let mostEvents = 40_000

    let variant: Variant
    var world: LabWorld
    let places: Places
    var endpoint: ScriptedEndpoint
    var stranger: Stranger
    var model: ReferenceModel
    var lastCall: UInt64 = 0
    /// What was done, and what the server says of it; nil: nobody listens.
    var story: [String]?
    /// FNV-1a over every packet that was sent, its time and its link.
    package private(set) var transcript: UInt64 = 0xcbf2_9ce4_8422_2325
    /// Packets sent.
    package private(set) var packets = 0

    package init(_ variant: Variant, flaw: ReferenceModel.Flaw? = nil) {
        self.variant = variant
        world = LabWorld(seed: 7, selection: [.servers, .losses, .traffic])
        places = Self.build(&world, variant)
        let local = Endpoint(.v4(Cast.endpoint), 5060)
        endpoint = ScriptedEndpoint(user: "dave", local: local, server: Cast.serverSIP, entropy: Entropy(labSeed: 4))
        stranger = Stranger(local: Endpoint(.v4(Cast.stranger), 5060), server: Cast.serverSIP)
        model = ReferenceModel(Self.serverSettings(variant), flaw: flaw)
        listen()
    }

    /// What the model found to be wrong, oldest first; empty: nothing.
    package var violations: [String] { model.violations }

    var server: ServerNode { world.server(places.server)! }

    // MARK: Running

    /// Carries out one transition, then asks the model.
    package mutating func perform(_ transition: Transition) {
        story?.append(transition.text)
        switch transition {
        case .wait(let duration): pass(duration)
        case .deadlines(let count):
            for _ in 0..<count { if let next = world.nextDeadline { pass(max(next - world.now, .zero)) } }
        case .phone(let phone, let deed): perform(deed, phone)
        case .router(let router, let deed): perform(deed, places.routers[router])
        case .linkDown(let link, let isDown): world.perform(.link(places.links[link], isUp: !isDown))
        case .packet(let place, let fate): perform(fate, place)
        case .server(let deed): perform(deed)
        case .media(let deed): perform(deed)
        case .endpoint(let deed): endpoint.perform(deed)
        case .stranger(let deed):
            if let bytes = stranger.replayed(deed) { excuse(bytes) }
            stranger.perform(deed)
        }
        listen()
        check()
    }

    /// Lets time pass. The scripted endpoint answers when something comes to it.
    mutating func pass(_ duration: Duration) {
        let end = world.now + duration
        var events = 0
        listen()
        while true {
            let isStopped = world.run(until: end) { world in
                events += 1
                return events > Self.mostEvents || world.hasReceived(places.endpoint)
            }
            listen()
            guard isStopped else { break }
            guard events <= Self.mostEvents else { return model.complain("the world does not come to rest", at: world.now) }
        }
        model.checkDeadlines(world, places)
    }

    /// Has the hosts without a node send what they have to say, and hear what came; notes what was sent.
    private mutating func listen() {
        read()
        _ = world.takeReceived(by: places.stranger)
        while let datagram = stranger.outbox.next() { world.send(datagram, from: places.stranger) }
        for datagram in world.takeReceived(by: places.endpoint) { endpoint.receive(datagram) }
        while let datagram = endpoint.outbox.next() { world.send(datagram, from: places.endpoint) }
        read()
    }

    private mutating func read() {
        for record in world.takeRecords() {
            switch record.trace {
            case .network(.sent(let link, let from, _, let packet)):
                packets += 1
                mix(UInt64(bitPattern: record.at.nanoseconds))
                mix(UInt64(link.index))
                mix(packet)
                guard link == places.links[0], world.owner(of: from) != places.stranger else { continue }
                if let datagram = Self.datagram(packet) { stranger.see(datagram) }
            case .server(let trace):
                model.take(trace, at: record.at)
                story?.append("    \(record.at) \(trace.text)")
                if case .received(_, let message, _) = trace { story?.append("\(message)") }
                if case .sent(_, let message, _) = trace { story?.append("\(message)") }
            case .recorded: model.recorded += 1
            default: break
            }
        }
    }

    static func datagram(_ packet: [UInt8]) -> Datagram? {
        guard let parsed = try? IPPacket(packet), case .udp(let udp) = parsed.transport else { return nil }
        let source = Endpoint(parsed.source, udp.source)
        return Datagram(from: source, to: Endpoint(parsed.destination, udp.destination), Array(packet[udp.payload]))
    }

    private mutating func mix(_ word: UInt64) { transcript = (transcript ^ word) &* 0x100_0000_01b3 }

    /// Eight bytes at a time, as a debug build would be slow otherwise.
    private mutating func mix(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var place = 0
            while place + 8 <= bytes.count {
                mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
                place += 8
            }
            while place < bytes.count {
                mix(UInt64(bytes[place]))
                place += 1
            }
        }
        mix(UInt64(bytes.count))
    }

    // MARK: Asking the model

    private mutating func check() {
        model.check(server, legs: world.scriptedLegs(of: places.server), at: world.now)
        for phone in places.phones.indices {
            let status = world.status(of: places.phones[phone])
            model.checkRegistration(phone, status?.registration, server, at: world.now)
        }
    }

    /// A message was changed, held back or sent by somebody else: where it is about a registration, that may come to anything, until it would have
    /// run out.
    mutating func excuse(_ bytes: [UInt8]) {
        let mark = Array("REGISTER".utf8)
        guard bytes.count >= mark.count,
            (0...(bytes.count - mark.count)).contains(where: { bytes[$0..<($0 + mark.count)].elementsEqual(mark) })
        else { return }
        for phone in places.phones.indices { model.excuse(phone, until: world.now + .seconds(400)) }
    }

    /// Everything is repaired, everybody falls silent, and all timers run out: nothing may be left.
    package mutating func end() {
        for link in places.links { world.perform(.link(link, isUp: true)) }
        world.holdVerdicts(of: places.server, false)
        world.setStorage(of: places.server, .works)
        world.tell(places.server, .accounts(Self.accounts(variant)))
        (endpoint.answers, endpoint.acknowledges) = (true, true)
        pass(.seconds(100))
        check()
        probe()
        // What does not answer any more has to be noticed by timers.
        (endpoint.answers, endpoint.acknowledges) = (false, false)
        for phone in places.phones {
            for call in world.calls(of: phone) where call.report == nil { world.perform(.phone(phone, .hangUp(call.id))) }
            world.perform(.stop(phone))
        }
        for _ in 0..<7 {
            pass(.seconds(100))
            check()
        }
        model.checkEnd(server, world, places)
    }

    /// Whoever is said to be reachable, after a time in which nothing went wrong, is; tried on a copy of the world.
    private mutating func probe() {
        guard !variant.isChanSIP else { return }
        for user in Cast.users.prefix(places.phones.count) {
            let aor = AddressOfRecord(user: user, domain: Cast.realm)
            guard !server.bindings(of: aor).isEmpty else { continue }
            var copy = world
            copy.perform(.probe(places.server, aor))
            _ = copy.run(until: copy.now + .seconds(40)) { $0.probeOutcome(places.server, aor) != nil }
            model.checkProbe(user, copy.probeOutcome(places.server, aor), at: world.now)
        }
    }
}
