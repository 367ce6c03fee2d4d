import Base
import PhoneNode
import RouterNode
import ServerNode
import VirtualNetwork

/// What came of a scenario.
public struct ScenarioResult: Sendable {
    /// One expectation, whether it was met, and what was seen.
    public struct Outcome: Sendable, Hashable {
        public var expectation: Scenario.Expectation
        public var isMet: Bool
        /// What was seen, in one line.
        public var seen: String

        package init(expectation: Scenario.Expectation, isMet: Bool, seen: String) {
            self.expectation = expectation
            self.isMet = isMet
            self.seen = seen
        }
    }

    public var name: String
    /// In the order of the file.
    public var outcomes: [Outcome]
    public var records: [LabRecord]
    public var ledger: RegistrationLedger
    /// What became of each call, in order of time.
    public var calls: [CallReview]
    /// As it stood at the end.
    public var world: LabWorld
    public var start: Instant

    public var isSuccess: Bool { outcomes.allSatisfy(\.isMet) }
}

extension Scenario {
    /// Lives through the scenario. The same scenario and seed give the same result to the byte.
    ///
    /// `seed`: instead of the scenario's own. `isRecorded`: whether each link leaves a capture in `world.captures`.
    public func run(seed: UInt64? = nil, isRecorded: Bool = false) -> ScenarioResult {
        var run = ScenarioRun(self, seed: seed ?? self.seed, isRecorded: isRecorded)
        return run.run()
    }
}

/// A scenario's world while it runs.
struct ScenarioRun {
    let scenario: Scenario
    var world: LabWorld
    private var links: [String: LinkID] = [:]
    private(set) var records: [LabRecord] = []

    init(_ scenario: Scenario, seed: UInt64, isRecorded: Bool) {
        self.scenario = scenario
        // Every packet would be too much: a minute's call has twelve thousand on each link.
        world = LabWorld(seed: seed, start: scenario.start, selection: [.phones, .servers, .routers, .losses])
        for link in scenario.links { links[link.name] = world.addLink(link.name, link.properties, isRecorded: isRecorded) }
        for router in scenario.routers {
            guard let lan = links[router.lan], let wan = links[router.wan] else { continue }
            _ = world.addRouter(router.settings, lan: lan, wan: wan)
        }
        for server in scenario.servers {
            guard let link = links[server.site.link] else { continue }
            _ = world.addServer(
                server.name, server.settings, accounts: server.accounts, on: link, server.site.addresses,
                stun: server.hasSTUN ? .init() : nil)
        }
        for server in scenario.stunServers {
            guard let link = links[server.site.link] else { continue }
            _ = world.addSTUNServer(server.name, server.settings, on: link, server.site.addresses)
        }
        for server in scenario.nameServers {
            guard let link = links[server.site.link] else { continue }
            _ = world.addNameServer(server.name, server.server, on: link, server.site.addresses)
        }
        for phone in scenario.phones {
            guard let link = links[phone.site.link] else { continue }
            let box = world.addPhone(phone.name, phone.settings, on: link, phone.site.addresses)
            if let time = phone.startsAt { world.schedule(.start(box), at: scenario.start + time) }
        }
        for (index, call) in scenario.calls.enumerated() {
            guard let phone = world.box(named: call.from) else { continue }
            let request = CallRequest(
                id: PhoneCallID(UInt64(index + 1)), target: call.target, play: .tone(call.tone), duration: call.length)
            world.schedule(.phone(phone, .call(request)), at: scenario.start + call.at)
        }
        for event in scenario.events {
            if let action = action(event.action) { world.schedule(action, at: scenario.start + event.at) }
        }
    }

    private func action(_ action: Scenario.Event.Action) -> LabAction? {
        switch action {
        case .command(let router, let line): world.box(named: router).map { .command($0, line) }
        case .reboot(let router): world.box(named: router).map { .reboot($0) }
        case .link(let name, let isUp): links[name].map { .link($0, isUp: isUp) }
        case .properties(let name, let properties): links[name].map { .properties($0, properties) }
        case .start(let phone): world.box(named: phone).map { .start($0) }
        case .stop(let phone): world.box(named: phone).map { .stop($0) }
        }
    }

    mutating func run() -> ScenarioResult {
        var outcomes: [(Int, ScenarioResult.Outcome)] = []
        let inTime = scenario.expectations.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
        for (index, expectation) in inTime {
            world.run(until: scenario.start + expectation.at)
            records += world.takeRecords()
            let (isMet, seen) = judge(expectation)
            outcomes.append((index, ScenarioResult.Outcome(expectation: expectation, isMet: isMet, seen: seen)))
        }
        world.run(until: scenario.start + scenario.length)
        records += world.takeRecords()
        return ScenarioResult(
            name: scenario.name, outcomes: outcomes.sorted { $0.0 < $1.0 }.map(\.1), records: records,
            ledger: RegistrationLedger(records), calls: CallReviewer(world, records).reviews(), world: world,
            start: scenario.start)
    }

    // MARK: Judging

    private func judge(_ expectation: Scenario.Expectation) -> (Bool, String) {
        switch expectation.claim {
        case .registered(let phone, let wanted):
            let status = status(phone)
            return ((status?.isRegistered ?? false) == wanted, panel(status))
        case .registeredBy(let phone):
            guard let box = world.box(named: phone) else { return (false, "no such phone") }
            for record in records where record.box == box {
                if case .status(let status) = record.trace, status.isRegistered {
                    return (true, "registered after \((record.at - scenario.start).shortText)")
                }
            }
            return (false, "not yet registered; \(panel(status(phone)))")
        case .status(let phone, let text):
            let status = status(phone)
            return (status?.panel.lowercased() == text.lowercased(), panel(status))
        case .reachable(let phone, let server, let wanted): return probe(phone, server, wanted)
        case .portStable(let phone, let wanted, let since):
            let ports = ports(phone, since: since)
            guard let first = ports.first else { return (false, "the server saw no REGISTER in that time") }
            let isStable = ports.allSatisfy { $0 == first }
            var shown: [String] = []
            for port in ports where shown.last != "\(port)" { shown.append("\(port)") }
            return (isStable == wanted, "the server saw \(shown.joined(separator: ", then "))")
        case .registersAtMost(let phone, let most):
            let count = world.box(named: phone).flatMap { world.phone($0) }?.counters.registration.registersSent ?? 0
            return (count <= UInt64(most), "\(count) REGISTERs")
        case .hears(let phone, let other, let wanted): return hears(phone, other, wanted)
        case .audio(let phone, let text): return audio(phone, text)
        case .says(let router, let text):
            let box = world.box(named: router)
            var last = "it has said nothing"
            for record in records where record.box == box {
                if case .text(let said) = record.trace {
                    if said.lowercased().contains(text.lowercased()) { return (true, "it has said so") }
                    last = "it said \(said.split(separator: "\n").map(String.init).joined(separator: " / "))"
                }
            }
            return (false, last)
        }
    }

    private func status(_ phone: String) -> PhoneStatus? { world.box(named: phone).flatMap { world.status(of: $0) } }

    private func panel(_ status: PhoneStatus?) -> String {
        guard let status else { return "the phone is off" }
        return "the panel says \"\(status.panel)\": \(status.explanation)"
    }

    /// Where the servers saw the phone's REGISTERs come from, told by its user.
    private func ports(_ phone: String, since: Duration) -> [Endpoint] {
        guard let user = scenario.phones.first(where: { $0.name == phone })?.settings.identity.user else { return [] }
        var ports: [Endpoint] = []
        for record in records where record.at >= scenario.start + since {
            guard case .server(.received(let flow, let message, _)) = record.trace, message.method == .register,
                let uri = (try? message.to.uri)?.sip, uri.unescapedUser?.string == user
            else { continue }
            ports.append(flow.remote)
        }
        return ports
    }

    /// Tries a request on a copy of the world: the run itself is not disturbed.
    private func probe(_ phone: String, _ server: String, _ wanted: Bool) -> (Bool, String) {
        guard let box = world.box(named: server), let node = world.server(box),
            let user = scenario.phones.first(where: { $0.name == phone })?.settings.identity.user
        else { return (false, "no such server or phone") }
        guard let aor = node.allBindings().map(\.aor).first(where: { $0.user == user }) else {
            return (!wanted, "the server holds no binding of \(user)")
        }
        var copy = world
        copy.perform(.probe(box, aor))
        _ = copy.run(until: copy.now + .seconds(33)) { $0.probeOutcome(box, aor) != nil }
        let outcomes = copy.probeOutcome(box, aor) ?? []
        let isReached = outcomes.contains { $0.isAnswered }
        let seen = outcomes.map { outcome -> String in
            switch outcome.result {
            case .answered(let status, let after):
                "\(outcome.flow.remote) answered \(status) after \(after.wholeMilliseconds) ms"
            case .timedOut: "\(outcome.flow.remote) did not answer within 32 s"
            case .unreachable: "the server has given up \(outcome.flow.remote)"
            case .unroutable: "the Contact \(outcome.contact) leads nowhere"
            case .refused: "the server was too busy to ask"
            }
        }
        return (isReached == wanted, seen.isEmpty ? "nothing to ask" : seen.joined(separator: "; "))
    }
}
