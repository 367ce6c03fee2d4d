import Base
import STUN
import STUNStack
import Testing

@Suite struct NATBehaviourDiscoveryTests {
    static let one = Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 3478)
    static let two = Endpoint(.v4(IPv4Address(198, 51, 100, 2)), 3479)
    static let locals = (0..<4).map { Endpoint(.v4(IPv4Address(192, 168, 1, 64)), 6000 + UInt16($0)) }
    static let server = STUNServer(STUNServerSettings(alternateIPv4: STUNAlternate(primary: one, alternate: two)))

    /// Runs to the end; a datagram takes 10 ms to come back.
    private func run(_ plan: NATBehaviourDiscovery.Plan, through nat: SimulatedNAT) throws -> (NATBehaviourReport, Duration) {
        var nat = nat
        let start = Instant(seconds: 5000)
        var now = start
        var machine = NATBehaviourDiscovery(plan, entropy: Entropy(labSeed: 4), at: now)
        var arriving: [(at: Instant, Datagram)] = []
        for _ in 0..<10_000 {
            while let output = machine.nextOutput() {
                switch output {
                case .send(let datagram):
                    for back in nat.send(datagram, at: now) { arriving.append((now + .milliseconds(10), back)) }
                case .finished(let report):
                    #expect(machine.nextDeadline == nil)
                    return (report, now - start)
                }
            }
            let deadline = try #require(machine.nextDeadline)
            if let first = arriving.first, first.at <= deadline {
                now = first.at
                arriving.removeFirst()
                machine.receive(.received(first.1), at: now)
            } else {
                now = deadline
                machine.advance(to: now)
            }
        }
        throw Endless()
    }

    struct Endless: Error {}

    @Test(
        "RFC 5780 4.3, 4.4: each of the nine mapping and filtering pairs is recognised",
        arguments: ObservedDependence.allCases, ObservedDependence.allCases)
    func nine(mapping: ObservedDependence, filtering: ObservedDependence) throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.mapping, .filtering]
        let nat = SimulatedNAT(mapping: mapping, filtering: filtering, server: Self.server)
        let (report, _) = try run(plan, through: nat)
        #expect(report.mapping == .success(.translated(mapping)))
        #expect(report.filtering == .success(filtering))
        #expect(report.reflexive == Endpoint(SimulatedNAT.outside, 40001))
        #expect(report.hairpinning == .failure(.notAsked))
        #expect(report.lifetime == .failure(.notAsked))
    }

    @Test("RFC 5780 4.3: without translation it says so; there is nothing to hairpin or to expire")
    func noNAT() throws {
        let plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        let nat = SimulatedNAT(mapping: nil, filtering: .endpointIndependent, server: Self.server)
        let (report, _) = try run(plan, through: nat)
        #expect(report.mapping == .success(.noTranslation))
        #expect(report.filtering == .success(.endpointIndependent))
        #expect(report.hairpinning == .failure(.noTranslation))
        #expect(report.lifetime == .failure(.noTranslation))
        #expect(report.reflexive == Self.locals[0])
    }

    @Test("RFC 5780 4.5: hairpinning is seen when it is there, and only then", arguments: [true, false])
    func hairpin(works: Bool) throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.hairpinning]
        var nat = SimulatedNAT(mapping: .endpointIndependent, filtering: .endpointIndependent, server: Self.server)
        nat.hairpins = works
        let (report, took) = try run(plan, through: nat)
        #expect(report.hairpinning == .success(works))
        #expect(took < .seconds(4))
        #expect(report.mapping == .failure(.notAsked))
    }

    @Test("RFC 5780 4.6: the lifetime of a mapping is bracketed to the resolution", arguments: [30, 60, 143, 300])
    func lifetime(seconds: Int) throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.lifetime]
        var nat = SimulatedNAT(mapping: .endpointIndependent, filtering: .addressAndPortDependent, server: Self.server)
        nat.lifetime = .seconds(seconds)
        let (report, _) = try run(plan, through: nat)
        let found = try report.lifetime.get()
        let gone = try #require(found.goneAfter)
        // The probe takes 10 ms more than the silence.
        #expect(found.aliveAfter < .seconds(seconds) && gone >= .seconds(seconds) - .milliseconds(20))
        #expect(gone - found.aliveAfter <= .seconds(5))
    }

    @Test("RFC 5780 4.6: a mapping that outlives the longest silence is reported so")
    func longLifetime() throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.lifetime]
        var nat = SimulatedNAT(mapping: .endpointIndependent, filtering: .endpointIndependent, server: Self.server)
        nat.lifetime = .seconds(7200)
        let (report, _) = try run(plan, through: nat)
        #expect(report.lifetime == .success(ObservedLifetime(aliveAfter: .seconds(600), goneAfter: nil)))
    }

    @Test("a server without a second address leaves mapping and filtering open, with the reason")
    func noAlternate() throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.mapping, .filtering]
        let nat = SimulatedNAT(mapping: .addressDependent, filtering: .addressDependent, server: STUNServer())
        let (report, _) = try run(plan, through: nat)
        #expect(report.mapping == .failure(.noAlternate))
        #expect(report.filtering == .failure(.noAlternate))
    }

    @Test("no server at all: every test that was asked for ends with no answer, after 39.5 s")
    func noServer() throws {
        let plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        var nat = SimulatedNAT(mapping: .addressDependent, filtering: .addressDependent, server: Self.server)
        nat.dead = [Self.one]
        let (report, took) = try run(plan, through: nat)
        #expect(took == .milliseconds(39_500))
        #expect(report.mapping == .failure(.noAnswer))
        #expect(report.filtering == .failure(.noAnswer))
        #expect(report.hairpinning == .failure(.noAnswer))
        #expect(report.lifetime == .failure(.noAnswer))
    }

    @Test("a silent alternate endpoint is not mistaken for a mapping behaviour")
    func silentAlternate() throws {
        var plan = NATBehaviourDiscovery.Plan(server: Self.one, locals: Self.locals)
        plan.tests = [.mapping]
        var nat = SimulatedNAT(mapping: .endpointIndependent, filtering: .addressDependent, server: Self.server)
        nat.dead = [Endpoint(Self.two.address, Self.one.port)]
        #expect(try run(plan, through: nat).0.mapping == .failure(.alternateSilent))
    }
}

@Suite struct STUNMappingWatchTests {
    static let local = Endpoint(.v4(IPv4Address(192, 168, 1, 64)), 5060)
    static let server = NATBehaviourDiscoveryTests.one

    @Test("asks every interval, tells the mapping at first and when it changes, and no more", arguments: [false, true])
    func changes(classic: Bool) throws {
        var nat = SimulatedNAT(
            mapping: .endpointIndependent, filtering: .endpointIndependent, server: NATBehaviourDiscoveryTests.server)
        nat.lifetime = .seconds(3600)
        let settings = STUNMappingWatch.Settings(
            local: Self.local, server: Self.server, interval: .seconds(30), dialect: classic ? .rfc3489 : .rfc8489)
        let start = Instant(seconds: 0)
        var now = start
        var watch = STUNMappingWatch(settings, entropy: Entropy(labSeed: 8), at: now)
        var told: [Endpoint] = []
        var asked: [Int64] = []
        while now <= start + .seconds(150) {
            while let output = watch.nextOutput() {
                switch output {
                case .send(let datagram):
                    asked.append(now.unixSeconds)
                    #expect(try STUNMessage(datagram.payload).transactionID.hasCookie == !classic)
                    for back in nat.send(datagram, at: now) {
                        #expect(watch.expects(back.payload))
                        watch.receive(.received(back), at: now)
                    }
                case .mapped(let endpoint): told.append(endpoint)
                case .lost: Issue.record("lost")
                }
            }
            now = try #require(watch.nextDeadline)
            if now == Instant(seconds: 90) { nat.lifetime = .seconds(1) }
            if now == Instant(seconds: 120) { nat.lifetime = .seconds(3600) }
            watch.advance(to: now)
        }
        #expect(asked == [0, 30, 60, 90, 120, 150])
        #expect(told == [Endpoint(SimulatedNAT.outside, 40001), Endpoint(SimulatedNAT.outside, 40002)])
        #expect(watch.mapped == Endpoint(SimulatedNAT.outside, 40002))
        watch.receive(.stop, at: now)
        #expect(watch.nextDeadline == nil)
    }

    @Test("silence is told once, and the mapping anew after it")
    func silence() throws {
        var nat = SimulatedNAT(
            mapping: .endpointIndependent, filtering: .endpointIndependent, server: NATBehaviourDiscoveryTests.server)
        nat.lifetime = .seconds(3600)
        nat.dead = [Self.server]
        let settings = STUNMappingWatch.Settings(local: Self.local, server: Self.server, interval: .seconds(30))
        var now = Instant(seconds: 0)
        var watch = STUNMappingWatch(settings, entropy: Entropy(labSeed: 8), at: now)
        var events: [String] = []
        while now < Instant(seconds: 200) {
            while let output = watch.nextOutput() {
                switch output {
                case .send(let datagram):
                    for back in nat.send(datagram, at: now) { watch.receive(.received(back), at: now) }
                case .mapped(let endpoint): events.append("\(endpoint) at \(now.unixSeconds)")
                case .lost(let outcome): events.append("\(outcome) at \(now.unixSeconds)")
                }
            }
            now = try #require(watch.nextDeadline)
            if now >= Instant(seconds: 100) { nat.dead = [] }
            watch.advance(to: now)
        }
        #expect(events.count == 2)
        #expect(events.first == "timedOut at 39")
        #expect(events.last?.hasPrefix("203.0.113.5:40001 at 1") == true)
    }
}
