import Base
import CLinux
import Conference
import LinuxEdge
import MediaControl
import MediaPlane
import Relay

/// What the media loop's thread does: receive what waits at each port, judge it in place, send it on from the same buffer.
final class MediaRunner {
    /// Datagrams taken from a socket at a time; longer ones than a slot are dropped.
    private static let batch: UInt32 = 32
    private static let slotSize = 2_048
    /// For what SRTP adds.
    private static let room = 64
    private static let wakeTag = UInt64.max
    private static let timerTag = UInt64.max - 1
    /// How long we believe what the routing table said.
    private static let routeLife = Duration.seconds(5)
    /// How long an event waits for room in a full mailbox.
    private static let retry = Duration.milliseconds(20)

    /// From where the kernel sends to a leg's party by itself.
    private struct Route {
        var destination = IPAddress.v4(.any)
        var source = IPAddress.v4(.any)
        var isKernels = false
        var until = Instant.epoch
    }

    private var plane: MediaPlane
    private let sockets: MediaSockets
    private let wake: WakeSignal
    private let clock: RealTime
    private let events: Mailbox<MediaEvent>
    private let recordings: Mailbox<RecordingEvent>?
    private let reports: (@Sendable (RelayTable.PassingReport, Instant) -> Void)?
    private let epoll: Int32
    private let timer: Int32
    /// What the timer is set to.
    private var armed: Instant?
    private let relay: OpaquePointer
    private var queuedOn = -1
    /// By socket.
    private var routes: [Route]
    private var heldEvents: [MediaEvent] = []
    private var counters = MediaCounters()
    private var nextPublication = Instant.epoch
    private var receivedAtPublication: UInt64 = 0
    /// Interface of link-local peers, which an `Endpoint` does not carry. Bounded: cleared when full.
    private var scopes: [IPAddress: UInt32] = [:]

    init(
        _ plane: MediaPlane, sockets: MediaSockets, wake: WakeSignal, clock: RealTime, events: Mailbox<MediaEvent>,
        recordings: Mailbox<RecordingEvent>?, reports: (@Sendable (RelayTable.PassingReport, Instant) -> Void)?
    ) throws(SystemError) {
        self.plane = plane
        self.sockets = sockets
        routes = [Route](repeating: Route(), count: sockets.sockets.count)
        self.wake = wake
        self.clock = clock
        self.events = events
        self.recordings = recordings
        self.reports = reports
        let epoll = pl_epoll_create()
        guard epoll >= 0 else { throw SystemError(code: -epoll, doing: "creating an epoll") }
        self.epoll = epoll
        let timer = pl_timer_create()
        guard timer >= 0 else {
            pl_close(epoll)
            throw SystemError(code: -timer, doing: "creating a timer")
        }
        self.timer = timer
        guard let relay = pl_relay_create(Self.batch, Self.slotSize, Self.room) else {
            pl_close(epoll)
            pl_close(timer)
            throw SystemError(code: 12, doing: "allocating media buffers")
        }
        self.relay = relay
        for (index, socket) in sockets.sockets.enumerated() {
            let result = pl_epoll_add(epoll, socket.descriptor, UInt64(index))
            guard result == 0 else { throw SystemError(code: -result, doing: "watching media port \(socket.port)") }
        }
        let result = pl_epoll_add(epoll, wake.descriptor, Self.wakeTag)
        guard result == 0 else { throw SystemError(code: -result, doing: "watching the wake signal") }
        let second = pl_epoll_add(epoll, timer, Self.timerTag)
        guard second == 0 else { throw SystemError(code: -second, doing: "watching the timer") }
    }

    deinit {
        pl_relay_destroy(relay)
        pl_close(timer)
        pl_close(epoll)
    }

    func run(
        until isOver: () -> Bool, commands: () -> [MediaCommand], publish: (MediaCounters) -> Void
    ) throws(SystemError) {
        var tags = [UInt64](repeating: 0, count: 256)
        publishIfDue(clock.now, publish)
        while !isOver() {
            setTimer()
            let ready = pl_epoll_wait(epoll, &tags, Int32(tags.count), -1)
            guard ready >= 0 else { throw SystemError(code: -ready, doing: "waiting for media") }
            let now = clock.now
            // Commands first: what was said before a packet was sent must be known when it is looked at.
            if tags[..<Int(ready)].contains(Self.wakeTag) {
                wake.drain()
                for command in commands() { plane.command(command, at: now) }
            }
            for tag in tags[..<Int(ready)] {
                if tag < Self.timerTag { receive(on: Int(tag), at: now) } else if tag == Self.timerTag { armed = .epoch }
            }
            if let deadline = plane.nextDeadline, deadline <= now { plane.advance(to: now) }
            while let datagram = plane.nextDatagram() { send(datagram, at: now) }
            tell(at: now)
            counters.rounds.add(clock.now - now)
            publishIfDue(now, publish)
        }
    }

    /// Sees to it that the wait ends when something is due. `armed` is `.epoch` after the timer went off: then it must be set anew.
    private func setTimer() {
        var deadline = plane.nextDeadline
        if !heldEvents.isEmpty { deadline = min(deadline ?? .distantFuture, clock.now + Self.retry) }
        // While packets come the figures are worth a look a second; an idle loop sleeps.
        let hasNews = counters.received != receivedAtPublication || counters.legs != plane.legCount
        if hasNews { deadline = min(deadline ?? .distantFuture, nextPublication) }
        guard deadline != armed else { return }
        armed = deadline
        // What is due already goes off at once; 0 would mean never.
        pl_timer_set(timer, deadline.map { max(1, clock.monotonic($0)) } ?? 0)
    }

    // MARK: - In and on

    private func receive(on index: Int, at now: Instant) {
        let socket = sockets.sockets[index]
        let count = pl_relay_receive(relay, socket.descriptor, false)
        guard count > 0 else { return }
        counters.received &+= UInt64(count)
        for slot in 0..<UInt32(count) {
            var from = pl_address()
            pl_relay_source(relay, slot, &from)
            guard let source = Endpoint(from) else { continue }
            if from.scope != 0, source.address.isLinkLocalIPv6 {
                if scopes.count >= 4_096 { scopes.removeAll() }
                scopes[source.address] = from.scope
            }
            let buffer = UnsafeMutableRawBufferPointer(start: pl_relay_payload(relay, slot), count: Self.slotSize)
            let length = pl_relay_length(relay, slot)
            switch plane.receive(buffer, length: length, on: socket.port, from: source, at: now) {
            case .drop: counters.dropped &+= 1
            case .forward(let length, let from, let to): queue(slot, length, from, to, at: now)
            case .consumed: break
            }
        }
        flush()
    }

    @inline(__always)
    private func queue(_ slot: UInt32, _ length: Int, _ from: Endpoint, _ to: Endpoint, at now: Instant) {
        guard let target = sockets.index(from: from, to: to) else {
            counters.sendFailures &+= 1
            return
        }
        if target != queuedOn {
            flush()
            queuedOn = target
        }
        var destination = kernelAddress(to)
        var source = sender(from, to: to, on: target, at: now)
        pl_relay_queue(relay, slot, length, &destination, &source)
    }

    private func flush() {
        let queued = pl_relay_queued(relay)
        guard queued > 0 else { return }
        let left = pl_relay_flush(relay, sockets.sockets[queuedOn].descriptor)
        counters.forwarded &+= UInt64(left)
        counters.sendFailures &+= UInt64(queued - left)
    }

    private func send(_ datagram: Datagram, at now: Instant) {
        guard let target = sockets.index(from: datagram.source, to: datagram.destination) else {
            counters.sendFailures &+= 1
            return
        }
        var destination = kernelAddress(datagram.destination)
        var source = sender(datagram.source, to: datagram.destination, on: target, at: now)
        let result = pl_udp_send_one(
            sockets.sockets[target].descriptor, datagram.payload, datagram.payload.count, &destination, &source)
        if result == 0 { counters.sent &+= 1 } else { counters.sendFailures &+= 1 }
    }

    private func kernelAddress(_ endpoint: Endpoint) -> pl_address {
        endpoint.kernelAddress(scope: endpoint.address.isLinkLocalIPv6 ? scopes[endpoint.address] ?? 0 : 0)
    }

    /// Which of our addresses it leaves from, where the socket itself does not say and the leg does; nothing where the kernel would
    /// choose that very one, as saying so costs it more than all we do.
    @inline(__always)
    private func sender(_ from: Endpoint, to: Endpoint, on target: Int, at now: Instant) -> pl_address {
        let bound = sockets.sockets[target].address
        guard bound.isUnspecified, !from.address.isUnspecified, from.address.isIPv6 == bound.isIPv6 else { return pl_address() }
        if routes[target].until <= now || routes[target].destination != to.address || routes[target].source != from.address {
            routes[target] = Route(
                destination: to.address, source: from.address, isKernels: KernelRoute.source(towards: to.address) == from.address,
                until: now + Self.routeLife)
        }
        return routes[target].isKernels ? pl_address() : kernelAddress(from)
    }

    // MARK: - What is told

    /// No event is lost: signalling frees ports by them.
    private func tell(at now: Instant) {
        while let report = plane.nextReport() { reports?(report, now) }
        // A recorder that is behind has gaps in its file; nobody's sound waits for a disk.
        while let recording = plane.nextRecording() { recordings?.post(recording) }
        while let event = plane.nextEvent() { heldEvents.append(event) }
        guard !heldEvents.isEmpty else { return }
        let posted = heldEvents.prefix { events.post($0) }.count
        heldEvents.removeFirst(posted)
    }

    private func publishIfDue(_ now: Instant, _ publish: (MediaCounters) -> Void) {
        guard now >= nextPublication else { return }
        nextPublication = now + .seconds(1)
        receivedAtPublication = counters.received
        counters.legs = plane.legCount
        counters.rooms = plane.roomCount
        counters.drops = plane.drops
        counters.cpu = .nanoseconds(pl_thread_clock())
        publish(counters)
    }
}
