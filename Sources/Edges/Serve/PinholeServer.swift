import Base
import Foundation
import LinuxEdge
import MediaControl
import STUNStack
import ServerNode
import Storage
import Streams
import Synchronization

/// Why a server could not start, with the cure.
public struct ServeError: Error, Sendable, CustomStringConvertible {
    public var description: String
}

/// A server on real sockets: one thread for signalling, one for STUN, one for storage, one for streams, one or more for media.
public final class PinholeServer: Sendable {
    /// As they were at the start; what changed since is in `current`.
    let settings: ServeSettings
    let current: Mutex<ServeSettings>
    let clock: RealTime
    private let database: PinholeDatabase?
    private let wantsTraces: Bool
    let log: @Sendable (Instant, ServeEvent) -> Void
    private let stopping = Atomic(false)
    private let signallingWake: WakeSignal
    private let stunWake: WakeSignal
    let requests: Mailbox<SignallingRequest>
    let manager = ServiceManager()
    /// What only a running server has.
    let running = Mutex<Running?>(nil)

    /// The fingerprint that was told last.
    let certificate = Mutex("")

    struct Running: Sendable {
        var streams: StreamService
        var storage: StorageThread?
    }
    /// nil: no metrics are wanted.
    let metrics: MetricsFeed?

    /// Opens the database. `log` is called on the server's threads, with instants of `clock`, which are shown as that says; without `wantsTraces` it hears of troubles only.
    /// `output`: what became of what it logs.
    public init(
        _ settings: ServeSettings, clock: RealTime = RealTime(), wantsTraces: Bool = true,
        output: @escaping @Sendable () -> OutputState = { OutputState() }, log: @escaping @Sendable (Instant, ServeEvent) -> Void
    ) throws {
        self.settings = settings
        current = Mutex(settings)
        self.clock = clock
        self.wantsTraces = wantsTraces
        self.log = log
        database = try settings.database.map { path throws(StorageError) in
            try PinholeDatabase(path: path, durability: settings.durability ?? .process)
        }
        signallingWake = try WakeSignal()
        stunWake = try WakeSignal()
        requests = Mailbox(waking: signallingWake)
        metrics = settings.metrics == nil ? nil : MetricsFeed(output: output)
    }

    /// Takes no new calls from now on, and ends `run` when those that run are over, or had `drain-for`. Safe from any thread.
    public func drain() {
        manager?.isStopping("calls that run get \(current.withLock { $0.drainFor.wholeSeconds }) s")
        requests.post(.drain(for: current.withLock { $0.drainFor }))
    }

    /// What the server is doing; nil where its signalling thread does not answer within `seconds`. Blocks until then.
    package func status(within seconds: Double = 2) -> ServerSnapshot? {
        let answer = Mutex<ServerSnapshot?>(nil)
        let answered = DispatchSemaphore(value: 0)
        requests.post(
            .status { status in
                answer.withLock { $0 = status }
                answered.signal()
            })
        guard answered.wait(timeout: .now() + seconds) == .success else { return nil }
        return answer.withLock { $0 }
    }

    /// Ends `run`; safe from any thread.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        signallingWake.signal()
        stunWake.signal()
    }

    /// Serves until `stop`. Throws what kept it from starting. Blocks; call it on a thread that may block.
    public func run() throws {
        log(clock.now, .database(settings.database))
        let sockets = try open(settings.listen, "SIP over UDP", skippingAbsentFamilies: settings.listensByDefault, clock)
        let ports = (settings.media.ports ?? ServeSettings.Media.usualPorts[0]).count
        raiseDescriptorLimit(to: settings.streams.limits.connections + ports * sockets.count + 4_096)
        let stunSockets = settings.stun.isOn ? try openSTUN(clock) : []
        let wake = signallingWake
        let inbox = StreamInbox { wake.signal() }
        var limits = settings.streams.limits
        // Stored bindings may name connections of an earlier life; a new one must not be taken for them.
        limits.firstConnection = UInt64(clamping: clock.now.nanoseconds / 1_000)
        let streams = StreamService(settings: limits, inbox: inbox)
        do {
            try openStreams(streams, beside: sockets.map(\.local), clock)
        } catch {
            streams.stop()
            throw error
        }
        let media: MediaService
        do {
            media = try MediaService(settings, beside: sockets.map(\.local)) { [log, clock] in log(clock.now, $0) }
        } catch {
            streams.stop()
            throw error
        }
        // Before the accounts are read, so that one added meanwhile is noticed.
        let mark = try database?.changeMark() ?? 0
        var entropy = Entropy.system()
        var node = try makeNode(media, &entropy, clock)
        node.receive(.mediaPorts(media.ports), at: clock.now)
        log(
            clock.now,
            .media(
                ports: media.ports.reduce(0) { $0 + $1.count }, of: media.range, codecs: media.formats.map(\.encoding),
                speaks: media.speaks))
        if settings.media.believesAnyone { log(clock.now, .believesAnyone) }
        if let database, settings.server.isPersistent {
            let stored = try database.bindings(aliveAt: clock.now)
            node.receive(.restore(stored), at: clock.now)
            log(clock.now, .restored(stored.count))
        }
        let reports = Mailbox<StorageThread.Report>(waking: signallingWake)
        let storage = database.map {
            StorageThread(
                $0, since: mark, records: settings.records, clock: clock, commits: metrics?.commits, reportingTo: reports)
        }
        storage?.start()
        // A semaphore must not die below the value it was made with, so "nothing to wait for" is a signal, not a value.
        let stunEnded = DispatchSemaphore(value: 0)
        if stunSockets.isEmpty { stunEnded.signal() } else { startSTUN(stunSockets, clock, ended: stunEnded) }
        // As many as a loop's legs can say at once without waiting.
        let heard = Mailbox<MediaEvent>(waking: signallingWake, capacity: 1 << 18)
        let hep = startHEP(clock)
        media.start(settings, entropy: &entropy, events: heard, clock: clock, hep: hep) { [log, clock] in log(clock.now, $0) }
        let page = openMetrics(streams, media, hep, clock)
        let driver = SignallingDriver(
            node, storage: storage, reports: reports, streams: streams, inbox: inbox, media: media.loops, heard: heard,
            clock: clock, watch: ServerWatch(metrics, hep, clock), requests: requests, manager: manager,
            ended: { [self] in stop() }, accountsChanged: tell, log: log)
        let loop = try DatagramLoop(sockets: sockets, wake: signallingWake, clock: clock)
        running.withLock { $0 = Running(streams: streams, storage: storage) }
        manager?.isReady()
        defer {
            stop()
            running.withLock { $0 = nil }
            page?.stop()
            streams.stop()
            media.stop()
            // Before what may wait for a name server.
            storage?.stop()
            hep?.stop()
            for case .trouble(let text) in reports.takeAll() { log(clock.now, .trouble(text)) }
            stunEnded.wait()
            log(clock.now, .stopped(driver.counters, streams.counters, media.counters))
        }
        try loop.run(driver, until: stopping)
    }

    private func makeNode(_ media: MediaService, _ entropy: inout Entropy, _ clock: RealTime) throws -> ServerNode {
        var server = settings.server
        server.calls.codecs = media.formats
        server.calls.srtpAvailable = settings.media.isSecurable
        if server.nonceKey == nil, let database { server.nonceKey = try database.nonceKey(drawnFrom: &entropy) }
        var node = ServerNode(settings: server, entropy: entropy.fork(), traces: TraceBox(isOn: wantsTraces))
        if let database {
            let accounts = try database.accounts()
            node.receive(.accounts(accounts), at: clock.now)
            tell(accounts, clock.now)
        }
        return node
    }

    private func tell(_ accounts: [Account], _ now: Instant) {
        log(now, .accounts(accounts.count))
        for warning in current.withLock({ $0 }).warnings(about: accounts) { log(now, .warning(warning)) }
    }

    private func startSTUN(_ sockets: [UDPSocket], _ clock: RealTime, ended: DispatchSemaphore) {
        let settings = stunSettings
        let (wake, log) = (stunWake, log)
        Thread.detachNewThread { [self] in
            defer { ended.signal() }
            do {
                var server = STUNServer(settings)
                try AnswerLoop(sockets: sockets, wake: wake).run(until: stopping) { request, source, local, room in
                    let verdict = server.answer(request, from: source, to: local, into: room)
                    guard case .answer(let count, let source, let destination, _) = verdict else { return nil }
                    return DatagramAnswer(count, from: source, to: destination)
                }
            } catch {
                log(clock.now, .trouble("the STUN service ended: \(error)"))
            }
        }
    }

    private var stunSettings: STUNServerSettings {
        var result = STUNServerSettings(software: settings.server.software)
        if let alternate = settings.stun.alternate, let primary = settings.stun.address {
            let pair = STUNAlternate(primary: Endpoint(primary, settings.stun.port), alternate: alternate)
            if alternate.address.isIPv6 { result.alternateIPv6 = pair } else { result.alternateIPv4 = pair }
        }
        return result
    }

    private func openSTUN(_ clock: RealTime) throws(ServeError) -> [UDPSocket] {
        var endpoints = settings.listen.map { Endpoint($0.address, settings.stun.port) }
        if let address = settings.stun.address,
            !endpoints.contains(where: { $0.address.isUnspecified && $0.address.isIPv6 == address.isIPv6 })
        {
            endpoints.append(Endpoint(address, settings.stun.port))
        }
        if let alternate = settings.stun.alternate {
            let listensEverywhere = endpoints.contains {
                $0.address.isUnspecified && $0.address.isIPv6 == alternate.address.isIPv6
            }
            if listensEverywhere {
                let any = alternate.address.isIPv6 ? IPAddress.v6(.any) : .v4(.any)
                endpoints.append(Endpoint(any, alternate.port))
            } else if let primary = settings.stun.address {
                endpoints.append(Endpoint(primary, alternate.port))
                endpoints.append(Endpoint(alternate.address, settings.stun.port))
                endpoints.append(alternate)
            }
        }
        var distinct: [Endpoint] = []
        for endpoint in endpoints where !distinct.contains(endpoint) { distinct.append(endpoint) }
        return try open(distinct, "STUN", skippingAbsentFamilies: settings.listensByDefault, clock)
    }

    private func open(
        _ endpoints: [Endpoint], _ service: String, skippingAbsentFamilies: Bool, _ clock: RealTime
    ) throws(ServeError) -> [UDPSocket] {
        var sockets: [UDPSocket] = []
        for endpoint in endpoints {
            do {
                let socket = try UDPSocket(endpoint)
                log(clock.now, .listening(service, socket.local))
                sockets.append(socket)
            } catch {
                if skippingAbsentFamilies, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL {
                    log(clock.now, .notListening(service, endpoint, "\(error)"))
                    continue
                }
                throw ServeError(description: Self.explain(error, service, endpoint))
            }
        }
        guard !sockets.isEmpty else { throw ServeError(description: "\(service): none of the addresses could be opened") }
        return sockets
    }

    static func explain(_ error: SystemError, _ service: String, _ endpoint: Endpoint) -> String {
        let option =
            switch service {
            case "STUN": "--stun-port PORT (or --no-stun)"
            case "SIP over UDP": "--listen \(endpoint.address.uriHost):PORT"
            case "SIP over TLS": "--set tls.listen=\(endpoint.address.uriHost):PORT (or --set tls=off)"
            case "SIP over TCP": "--set tcp=\(endpoint.address.uriHost):PORT (or --set tcp=off)"
            default: "--set \(service.hasSuffix("secure WebSocket") ? "wss" : "ws")=\(endpoint.address.uriHost):PORT"
            }
        let isUDP = service == "STUN" || service == "SIP over UDP"
        switch error.code {
        case EADDRINUSE:
            return "\(service): port \(endpoint.port) on \(endpoint.address) is taken by another program. "
                + "See which with: ss -\(isUDP ? "u" : "t")lpn 'sport = :\(endpoint.port)'; stop it, or choose another port with \(option)."
        case EACCES:
            return
                "\(service): the system does not let you open port \(endpoint.port). Ports below 1024 need root or CAP_NET_BIND_SERVICE; "
                + "choose another with \(option)."
        case EADDRNOTAVAIL:
            return "\(service): \(endpoint.address) is not an address of this machine. See them with: ip address; "
                + "behind a 1:1 NAT listen on the private address and name the public one under advertise:."
        default:
            return "\(service): \(endpoint) cannot be opened: \(error)"
        }
    }
}
