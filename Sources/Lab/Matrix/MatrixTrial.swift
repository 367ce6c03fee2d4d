import ALG
import Base
import NAT
import PhoneNode
import RouterNode
import ServerNode
import VirtualNetwork

/// One cell's world, lived through and looked at.
struct MatrixTrial {
    let matrix: Matrix
    let cell: MatrixCell
    var world: LabWorld
    let phone: BoxID
    let router: BoxID
    let server: BoxID
    let aor: AddressOfRecord
    var evidence: MatrixEvidence

    /// How long after its silence a request has to be answered: timer F, and a little.
    private static let patience = Duration.seconds(33)
    /// While the first registration goes on, everything that is lost is looked at.
    private static let opening = Duration.seconds(40)

    init(_ matrix: Matrix, _ cell: MatrixCell, isRecorded: Bool = false) {
        self.matrix = matrix
        self.cell = cell
        evidence = MatrixEvidence(alg: matrix.alg)
        world = LabWorld(seed: matrix.seed, selection: [.phones, .servers, .routers, .losses])
        let home = world.addLink("home", LinkProperties(latency: .microseconds(500)), isRecorded: isRecorded)
        let internet = world.addLink("internet", LinkProperties(latency: .microseconds(19_500)), isRecorded: isRecorded)
        let phoneAddress = IPAddress.v4(IPv4Address(192, 168, 1, 64))
        let routerAddress = IPv4Address(192, 168, 1, 254)
        let serverAddress = IPAddress.v4(IPv4Address(203, 0, 113, 5))
        let stunAddress = IPAddress.v4(IPv4Address(198, 51, 100, 3))

        let identity = PhoneSettings.Identity(user: "300", password: "teleconference", registrar: serverAddress.description)
        let stun = PhoneSettings.STUNServer(host: stunAddress.description)
        var phoneSettings = PhoneSettings.seed(identity: identity, local: Endpoint(phoneAddress, 5060), stunServer: stun)
        if matrix.behaviour == .modern {
            phoneSettings = PhoneSettings(identity: identity, locals: [Endpoint(phoneAddress, 5060)], stunServer: stun)
        }
        if !cell.phoneUsesSTUN { phoneSettings.stunServer = nil }
        phoneSettings.calls = .init()
        phone = world.addPhone(
            "phone", phoneSettings, on: home, [HostStack.HostAddress(phoneAddress, prefixLength: 24, gateway: .v4(routerAddress))]
        )

        var routerSettings = RouterSettings.generic(
            name: "router", lan: routerAddress, wan: IPv4Address(192, 0, 2, 80), mapping: cell.mapping, filtering: cell.filtering,
            udpIdle: cell.udpTimer, alg: matrix.alg == .linux ? .linux : .speedtouch780)
        routerSettings.nat?.ports.preservesPort = false
        routerSettings.nat?.ports.preservesParity = false
        routerSettings.nat?.ports.order = .descending(from: 52_899)
        routerSettings.isALGEnabled = cell.routerALG
        router = world.addRouter(routerSettings, lan: home, wan: internet)

        var serverSettings = ServerSettings()
        switch cell.server {
        case .chanSIP: serverSettings = .chanSIP(natHandling: cell.natHandling)
        case .pinhole: serverSettings.natHandling = cell.natHandling
        }
        let account = Account(username: "300", realm: serverSettings.realm, password: "teleconference")
        server = world.addServer(
            "server", serverSettings, accounts: [account], on: internet, [HostStack.HostAddress(serverAddress, prefixLength: 0)])
        _ = world.addSTUNServer("stun", on: internet, [HostStack.HostAddress(stunAddress, prefixLength: 0)])
        aor = AddressOfRecord(user: "300", domain: serverSettings.realm)
    }

    mutating func run() -> MatrixResult {
        let start = world.now
        let end = start + matrix.length
        world.perform(.start(phone))
        if let settings = world.phone(phone)?.settings, settings.keepalive != .none {
            evidence.phoneKeepalive = settings.keepaliveInterval
        }
        var reach: [MatrixResult.Reach] = []
        var silentSince = world.now
        var activity = self.activity
        var isOpening = true
        var registeredFor = Duration.zero
        var registeredSince: Instant?
        while world.now < end {
            let waited = reach.count < Matrix.silences.count ? silentSince + Matrix.silences[reach.count] : end
            var goal = min(max(waited, world.now), end)
            if isOpening { goal = min(goal, start + Self.opening) }
            let seen = activity
            let isDisturbed = world.run(until: goal) { $0.phoneActivity(phone) != seen }
            activity = self.activity
            evidence.take(world.takeRecords())
            if isOpening {
                for mapping in world.router(router)?.mappings ?? [] { evidence.idle[mapping.external.port] = mapping.idle }
            }
            let isRegistered = world.status(of: phone)?.isRegistered ?? false
            if isRegistered, registeredSince == nil { registeredSince = world.now }
            if !isRegistered, let since = registeredSince {
                registeredFor += world.now - since
                registeredSince = nil
            }
            if isOpening, world.now >= start + Self.opening {
                isOpening = false
                world.select([.phones])
            }
            if isDisturbed {
                silentSince = world.now
            } else if reach.count < Matrix.silences.count, world.now >= silentSince + Matrix.silences[reach.count] {
                reach.append(probe(after: Matrix.silences[reach.count]))
            }
        }
        if let since = registeredSince { registeredFor += world.now - since }
        while reach.count < Matrix.silences.count {
            reach.append(MatrixResult.Reach(silence: Matrix.silences[reach.count], isReached: nil))
        }
        return result(reach, registeredShare: Double(registeredFor.wholeNanoseconds) / Double(matrix.length.wholeNanoseconds))
    }

    private var activity: PhoneNode.Counters? { world.phoneActivity(phone) }

    /// Tries a request on a copy of the world, so that the trial disturbs nothing.
    private mutating func probe(after silence: Duration) -> MatrixResult.Reach {
        var copy = world
        copy.select([.servers, .routers, .losses])
        copy.perform(.probe(server, aor))
        _ = copy.run(until: copy.now + Self.patience) { $0.probeOutcome(server, aor) != nil }
        let outcomes = copy.probeOutcome(server, aor) ?? []
        let isReached = outcomes.contains { $0.isAnswered }
        if !isReached, evidence.missed == nil {
            evidence.missed = MatrixEvidence.Missed(
                silence: silence, outcome: outcomes.first, losses: MatrixEvidence.losses(in: copy.takeRecords(), of: copy, router)
            )
        }
        return MatrixResult.Reach(silence: silence, isReached: isReached)
    }

    private func result(_ reach: [MatrixResult.Reach], registeredShare: Double) -> MatrixResult {
        let status = world.status(of: phone)
        let isBound = world.server(server).map { !$0.bindings(of: aor).isEmpty } ?? false
        let isRegistered = (status?.isRegistered ?? false) && isBound
        let isFlapping = evidence.mappingSurprises >= Matrix.flappingFrom
        let registers = Int(world.phone(phone)?.counters.registration.registersSent ?? 0)
        var result = MatrixResult(
            cell: cell, isRegistered: isRegistered, registeredShare: registeredShare, reach: reach, isFlapping: isFlapping,
            mappingSurprises: evidence.mappingSurprises, registers: registers,
            reason: evidence.reason(
                cell, isRegistered: isRegistered, isFlapping: isFlapping, reach: reach, status: status,
                stale: world.server(server)?.counters.stale ?? 0, keepalive: world.server(server)?.settings.keepalive.interval))
        if cell.server == .pinhole { result.audio = audio() }
        return result
    }

    /// Calls the echo test for a moment, on a copy of the world.
    private func audio() -> MatrixResult.Audio {
        var copy = world
        _ = copy.takeRecords()
        copy.select([.phones, .servers, .routers, .losses])
        let request = CallRequest(id: PhoneCallID(1), target: "600", play: .tone(440), duration: .milliseconds(2_000))
        copy.perform(.phone(phone, .call(request)))
        _ = copy.run(until: copy.now + Self.patience) { $0.calls(of: phone).first?.report != nil }
        guard let review = CallReviewer(copy, copy.records).reviews().first else { return .noCalls }
        guard review.answeredAt != nil else { return .notAnswered(because: review.outcome) }
        guard let way = review.ways.first else { return .broken(because: "it was over before anything could be heard") }
        return way.isHeard ? .bothWays : .broken(because: way.reason?.text ?? "it was heard for a part of the time only")
    }
}

extension LabWorld {
    /// What the phone has done so far about its registration; a change means that it is not silent.
    func phoneActivity(_ box: BoxID) -> PhoneNode.Counters? {
        guard var counters = phone(box)?.counters else { return nil }
        counters.registration.keepalivesSent = 0
        counters.requestsAnswered = 0
        counters.dropped = 0
        return counters
    }
}
