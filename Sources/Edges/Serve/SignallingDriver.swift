import Base
import LinuxEdge
import Media
import MediaControl
import ServerNode
import Storage
import Streams

/// The server node on real sockets: translates between datagrams and the node's inputs and outputs, nothing more.
final class SignallingDriver: DatagramDriver {
    private var node: ServerNode
    private let storage: StorageThread?
    private let reports: Mailbox<StorageThread.Report>
    private let streams: StreamService
    private let inbox: StreamInbox
    private let media: [MediaLoop]
    private let heard: Mailbox<MediaEvent>
    private let clock: RealTime
    private let watch: ServerWatch
    private let requests: Mailbox<SignallingRequest>
    private let ended: () -> Void
    private let accountsChanged: ([Account], Instant) -> Void
    private let log: @Sendable (Instant, ServeEvent) -> Void
    /// By how much the wall clock is ahead, as last noticed, and when it is looked at again.
    private var wallClockAhead = Duration.zero
    private var nextLook = Instant.epoch
    /// By loop.
    private var commands: [MediaCommandQueue]
    private var records: [CallRecord] = []
    private var guessed: [(username: String, flow: FlowID)] = []
    private var changes: [(sequence: UInt64, change: RegistrarChange)] = []
    /// What storage said last.
    private var storageWorks = true
    /// nil: nobody asked the server to stop.
    private var draining: Draining?
    private var watchdog: Watchdog?

    /// `ended`: a server that was to stop has nothing left to wait for. `manager` hears of this thread that it lives.
    init(
        _ node: ServerNode, storage: StorageThread?, reports: Mailbox<StorageThread.Report>,
        streams: StreamService, inbox: StreamInbox, media: [MediaLoop], heard: Mailbox<MediaEvent>, clock: RealTime,
        watch: ServerWatch, requests: Mailbox<SignallingRequest>, manager: ServiceManager?, ended: @escaping () -> Void,
        accountsChanged: @escaping ([Account], Instant) -> Void,
        log: @escaping @Sendable (Instant, ServeEvent) -> Void
    ) {
        self.node = node
        self.storage = storage
        self.reports = reports
        self.streams = streams
        self.inbox = inbox
        self.media = media
        self.heard = heard
        self.clock = clock
        self.watch = watch
        commands = media.map { _ in MediaCommandQueue() }
        self.requests = requests
        self.ended = ended
        self.accountsChanged = accountsChanged
        self.log = log
        watchdog = manager.flatMap { Watchdog($0, at: clock.now) }
    }

    var nextDeadline: Instant? {
        var next = node.nextDeadline
        func take(_ deadline: Instant?) {
            guard let deadline else { return }
            next = next.map { min($0, deadline) } ?? deadline
        }
        for queue in commands { take(queue.nextDeadline) }
        take(draining?.nextDeadline)
        take(watchdog?.nextDeadline)
        return next
    }
    var counters: ServerCounters { node.counters }

    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {
        followWallClock(at: now)
        let (flow, bytes) = (FlowID(.udp, local: local, remote: source), [UInt8](payload))
        watch.heard(bytes, on: flow, at: now)
        node.receive(.received(on: flow, bytes), at: now)
    }

    func woken(at now: Instant) {
        followWallClock(at: now)
        for request in requests.takeAll() { take(request, at: now) }
        for report in reports.takeAll() {
            switch report {
            case .persisted(let sequence):
                storageWorks = true
                node.receive(.persisted(through: sequence), at: now)
            case .failed(let reason):
                let promise = "registrations are kept in memory, for \(node.settings.expiry.unstored) s at most"
                log(
                    now, .trouble("nothing can be stored: \(promise), and call records are lost, until it works again. \(reason)")
                )
                storageWorks = false
                node.receive(.persistFailed(reason: reason), at: now)
            case .accounts(let accounts):
                accountsChanged(accounts, now)
                node.receive(.accounts(accounts), at: now)
            case .trouble(let text): log(now, .trouble(text))
            case .relief(let text): log(now, .relief(text))
            }
        }
        for event in heard.takeAll() { node.receive(.media(event), at: now) }
        for event in inbox.takeAll() {
            switch event {
            case .opened(let flow, _): log(now, .connected(flow))
            case .received(let flow, let bytes):
                watch.heard(bytes, on: flow, at: now)
                node.receive(.received(on: flow, bytes), at: now)
            case .closed(let flow, let reason):
                log(now, .disconnected(flow, reason))
                node.receive(.closed(flow), at: now)
            case .exhausted(let reason):
                log(
                    now,
                    .trouble(
                        "no more connections can be accepted: \(reason). Each takes a descriptor: raise the limit (LimitNOFILE= in "
                            + "systemd's unit, ulimit -n in a shell). Until one closes, new ones wait; this is said once"))
            }
        }
    }

    func advance(to now: Instant) {
        followWallClock(at: now)
        node.advance(to: now)
        watchdog?.advance(to: now)
        drain(at: now)
    }

    private func take(_ request: SignallingRequest, at now: Instant) {
        switch request {
        case .settings(let settings, let wantsTraces):
            node.traces.isOn = wantsTraces
            node.receive(.settings(settings), at: now)
        case .drain(let time):
            guard draining == nil else { return }
            draining = Draining(until: now + time)
            node.receive(.drain, at: now)
            log(now, .draining(calls: node.callUsage.calls, for: time))
        case .status(let answer):
            var snapshot = ServerSnapshot()
            snapshot.counters = node.counters
            snapshot.bindings = node.bindingCount
            snapshot.usage = node.callUsage
            snapshot.pendingCommits = node.pendingCommits
            snapshot.commandsWaiting = commands.reduce(0) { $0 + $1.count }
            snapshot.storageWorks = storageWorks
            snapshot.isDraining = draining != nil
            answer(snapshot)
        }
    }

    private func drain(at now: Instant) {
        var usage = node.callUsage
        // Registrations that wait for their commit get their 200 as well.
        usage.clientTransactions += node.pendingCommits
        switch draining?.step(usage, at: now) {
        case .hangUp: node.receive(.hangUp, at: now)
        case .end: ended()
        case .wait, nil: break
        }
    }

    /// At most once a second. Two clocks read one after the other differ a little, and NTP turns them a little all the time.
    private func followWallClock(at now: Instant) {
        guard now >= nextLook else { return }
        nextLook = now + .seconds(1)
        let ahead = clock.wallClockAhead
        let step = ahead - wallClockAhead
        guard step >= .milliseconds(20) || step <= .milliseconds(-20) else { return }
        wallClockAhead = ahead
        node.receive(.wallClock(ahead: ahead), at: now)
        if step >= .seconds(1) || step <= .seconds(-1) { log(now, .clockSet(by: step)) }
    }

    func nextDatagram() -> Datagram? {
        while let output = node.nextOutput() {
            switch output {
            case .send(let flow, let bytes):
                watch.said(bytes, on: flow)
                guard flow.transport.isReliable else { return Datagram(from: flow.local, to: flow.remote, bytes) }
                // Where the connection is gone, its `.closed` is on its way here.
                streams.send(bytes, on: flow)
            case .connect(let flow): streams.connect(flow)
            case .proved(let flow, let proof): streams.prove(flow, isAccount: proof == .account)
            case .persist(let sequence, let change): changes.append((sequence, change.moved(by: wallClockAhead)))
            case .media(let loop, let command): commands[loop].append(command)
            case .record(let record):
                records.append(record.moved(by: wallClockAhead))
                watch.ended(records[records.count - 1])
            case .guessed(let username, let flow): guessed.append((username, flow))
            case .probed: break
            }
        }
        return nil
    }

    func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant) {
        log(now, .sendFailed(destination, error))
    }

    func roundEnded(at now: Instant) {
        if !changes.isEmpty {
            storage?.store(changes)
            changes.removeAll(keepingCapacity: true)
        }
        for loop in media.indices { commands[loop].offer(at: now) { media[loop].post($0) } }
        if !records.isEmpty {
            storage?.keep(records)
            records.removeAll(keepingCapacity: true)
        }
        for (username, flow) in guessed {
            storage?.note(
                StoredGuess(username: username, last: now + wallClockAhead, address: "\(flow.remote.address)", times: 1))
        }
        guessed.removeAll(keepingCapacity: true)
        if draining != nil { drain(at: now) }
        while let trace = node.nextTrace() { log(now, .server(trace)) }
        watch.roundEnded(at: now)
    }
}
