import Base
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// A world of its own: phones, routers and servers on a virtual network, in virtual time.
///
/// The boxes run the very code that serves real phones. One loop moves everything, ordered by time and then by the order in
/// which things were set going, so that the same seed gives the same run to the byte. A copy of a world is a second world:
/// what is tried out on the copy leaves the original as it was.
public struct LabWorld: Sendable {
    /// A host's place on the network.
    struct Host: Sendable {
        var stack: HostStack
        var interface: InterfaceID
    }

    struct PhoneBox: Sendable {
        var node: PhoneNode
        var host: Host
        var streams = HostStreams(isServer: false)
        var box: Int
        var status: PhoneStatus?
        var calls: [PhoneCallID: LabCall] = [:]
        /// Its media go nowhere, and during calls it wakes that seldom; nil: it is as phones are.
        var pace: Duration?
        var wokenAt = Instant.epoch
    }

    struct ServerBox: Sendable {
        var node: ServerNode
        /// Answers on port 3478; nil: nobody listens there.
        var stun: STUNServer?
        var host: Host
        var streams: HostStreams
        var box: Int
        var probes: [AddressOfRecord: [ProbeOutcome]] = [:]
        var media = ServerMedia()
        var storage = ServerStorage()
        var accounts: [Account]
        /// UDP.
        var ports: [UInt16]
    }

    struct RouterBox: Sendable {
        var node: RouterNode
        var lan: InterfaceID
        var wan: InterfaceID
        var box: Int
    }

    struct STUNBox: Sendable {
        var node: STUNServer
        var host: Host
        var box: Int
    }

    struct NameBox: Sendable {
        var node: NameServer
        var host: Host
        var box: Int
    }

    /// A host without a node: what it sends is somebody else's business.
    struct BareBox: Sendable {
        var host: Host
        var box: Int
        var received: [Datagram] = []
    }

    /// A box's place in the array of its kind.
    enum Place: Sendable {
        case phone(Int), server(Int), router(Int), stun(Int), names(Int), bare(Int)
    }

    enum Actor: Hashable, Sendable {
        case script, network
        case box(Int)
    }

    struct Cue: Sendable {
        var at: Instant
        var action: LabAction
    }

    public private(set) var now: Instant
    public internal(set) var network: PacketNetwork
    public internal(set) var records: [LabRecord] = []
    /// Records beyond `mostRecords` are not kept, only counted.
    public internal(set) var lostRecords: UInt64 = 0
    public var mostRecords = 2_000_000
    public private(set) var selection: RecordSelection
    var entropy: Entropy
    var names: [String] = []
    var places: [Place] = []
    var phones: [PhoneBox] = []
    var servers: [ServerBox] = []
    var routers: [RouterBox] = []
    var stunServers: [STUNBox] = []
    var nameServers: [NameBox] = []
    var bareHosts: [BareBox] = []
    /// Which box has an interface, by the interface's index.
    var owners: [Int] = []
    /// What phones play, in Hz: what is listened for.
    var tones: [Int] = []
    /// What is still to be done, last first.
    private var script: [Cue] = []
    private var deadlines = DeadlineQueue<Actor>()

    /// `start`: the first instant; the lab's clock shows it when nothing has happened yet.
    public init(seed: UInt64, start: Instant = Instant(seconds: 1_184_148_108), selection: RecordSelection = .everything) {
        now = start
        entropy = Entropy(labSeed: seed)
        network = PacketNetwork(entropy: entropy.fork())
        self.selection = selection
        select(selection)
    }

    /// Chooses what is recorded from now on.
    public mutating func select(_ selection: RecordSelection) {
        self.selection = selection
        network.traces.isOn = !selection.isDisjoint(with: [.losses, .traffic])
        network.tracesTraffic = selection.contains(.traffic)
        for index in phones.indices {
            phones[index].node.tracing = selection.contains(.phones)
            phones[index].host.stack.traces.isOn = selection.contains(.losses)
        }
        for index in servers.indices {
            servers[index].node.traces.isOn = selection.contains(.servers)
            servers[index].host.stack.traces.isOn = selection.contains(.losses)
        }
        for index in routers.indices { routers[index].node.isTracing = selection.contains(.routers) }
    }

    // MARK: Running

    /// When something next happens by itself; nil: never.
    public var nextDeadline: Instant? { deadlines.nextDeadline }

    /// Plans an action. Equal times go by the order of planning.
    public mutating func schedule(_ action: LabAction, at time: Instant) {
        let place = script.firstIndex { $0.at <= time } ?? script.count
        script.insert(Cue(at: max(time, now), action: action), at: place)
        deadlines.set(.script, to: script.last?.at)
    }

    /// Does something at once.
    public mutating func perform(_ action: LabAction) {
        note(.did(action), box: nil)
        switch action {
        case .command(let box, let line):
            if case .router(let index) = places[box.index] {
                routers[index].node.receive(.command(line), at: now)
                drainRouter(index)
            }
        case .reboot(let box):
            if case .router(let index) = places[box.index] {
                routers[index].node.receive(.reboot, at: now)
                drainRouter(index)
            }
        case .link(let link, let isUp):
            network.receive(.link(link, isUp: isUp), at: now)
            drainNetwork()
        case .properties(let link, let properties):
            network.receive(.properties(link, properties), at: now)
            drainNetwork()
        case .start(let box):
            if case .phone(let index) = places[box.index] {
                phones[index].node.receive(.start, at: now)
                drainPhone(index)
            }
        case .stop(let box):
            if case .phone(let index) = places[box.index] {
                phones[index].node.receive(.stop, at: now)
                drainPhone(index)
            }
        case .probe(let box, let aor):
            if case .server(let index) = places[box.index] {
                servers[index].probes[aor] = nil
                servers[index].node.receive(.probe(aor: aor), at: now)
                drainServer(index)
            }
        case .phone(let box, let input):
            if case .phone(let index) = places[box.index] { tell(index, input) }
        case .note: break
        }
        settle()
    }

    /// Lets time pass until `end`, everything due at `end` included.
    public mutating func run(until end: Instant) {
        while let next = deadlines.nextDeadline, next <= end { step() }
        now = max(now, end)
    }

    /// Lets time pass until `condition` holds or it is `end`; whether it holds.
    public mutating func run(until end: Instant, or condition: (LabWorld) -> Bool) -> Bool {
        while !condition(self) {
            guard let next = deadlines.nextDeadline, next <= end else {
                now = max(now, end)
                return condition(self)
            }
            step()
        }
        return true
    }

    private mutating func step() {
        guard let next = deadlines.nextDeadline else { return }
        now = max(now, next)
        guard let actor = deadlines.popDue(at: now) else { return }
        switch actor {
        case .script:
            if let cue = script.popLast() { perform(cue.action) }
            deadlines.set(.script, to: script.last?.at)
        case .network:
            network.advance(to: now)
            drainNetwork()
        case .box(let index): advance(index)
        }
        settle()
    }

    private mutating func advance(_ box: Int) {
        switch places[box] {
        case .phone(let index):
            phones[index].wokenAt = now
            phones[index].node.advance(to: now)
            phones[index].host.stack.advance(to: now)
            drainPhone(index)
        case .server(let index):
            servers[index].node.advance(to: now)
            servers[index].media.advance(to: now)
            servers[index].host.stack.advance(to: now)
            drainServer(index)
        case .router(let index):
            routers[index].node.advance(to: now)
            drainRouter(index)
        case .stun(let index):
            stunServers[index].host.stack.advance(to: now)
            drainSTUN(index)
        case .names(let index):
            nameServers[index].host.stack.advance(to: now)
            drainNames(index)
        case .bare(let index):
            bareHosts[index].host.stack.advance(to: now)
            drainBare(index)
        }
    }

    mutating func settle() {
        deadlines.set(.network, to: network.nextDeadline)
        drainNetworkTraces()
    }

    func soonest(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a else { return b }
        return b.map { min(a, $0) } ?? a
    }

    mutating func setDeadline(_ box: Int, _ deadline: Instant?) { deadlines.set(.box(box), to: deadline) }

    // MARK: Records

    mutating func note(_ trace: @autoclosure () -> LabTrace, box: Int?) {
        guard selection != [] else { return }
        guard records.count < mostRecords else {
            lostRecords += 1
            return
        }
        records.append(LabRecord(at: now, box: box.map { BoxID(index: $0) }, trace: trace()))
    }

    /// Hands over the records so far and starts afresh.
    public mutating func takeRecords() -> [LabRecord] {
        defer { records.removeAll(keepingCapacity: true) }
        return records
    }
}
