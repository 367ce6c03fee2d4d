import Base
import CLinux
import Synchronization

/// What a `DatagramLoop` drives: a node in disguise. Called on the loop's thread only.
public protocol DatagramDriver: AnyObject {
    var nextDeadline: Instant? { get }
    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant)
    /// Something was posted to a mailbox that shares the loop's wake signal.
    func woken(at now: Instant)
    func advance(to now: Instant)
    /// What is to be sent; a source with an unspecified address leaves the choice to the kernel.
    func nextDatagram() -> Datagram?
    /// The kernel refused a datagram (no route, firewall, full buffer), or ICMP reported that one did not arrive.
    func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant)
    /// After each round: everything received so far is dealt with and sent.
    func roundEnded(at now: Instant)
}

/// One thread's loop over UDP sockets: receive a batch, let the driver think, send a batch, sleep until the next deadline.
public final class DatagramLoop {
    /// Receives and sends move this many datagrams a system call.
    private static let batchSize: UInt32 = 64

    private let sockets: [UDPSocket]
    private let wake: WakeSignal
    private let clock: RealTime
    private let epoll: Int32
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private var queued: UInt32 = 0
    private var queuedSocket: UDPSocket?
    /// Interface of link-local peers, which an `Endpoint` does not carry. Bounded: cleared when full.
    private var scopes: [IPAddress: UInt32] = [:]

    public init(sockets: [UDPSocket], wake: WakeSignal, clock: RealTime) throws(SystemError) {
        self.sockets = sockets
        self.wake = wake
        self.clock = clock
        let epoll = pl_epoll_create()
        guard epoll >= 0 else { throw SystemError(code: -epoll, doing: "creating an epoll") }
        self.epoll = epoll
        guard let incoming = pl_batch_create(Self.batchSize, 65_536), let outgoing = pl_batch_create(Self.batchSize, 65_536)
        else { throw SystemError(code: 12, doing: "allocating datagram buffers") }
        self.incoming = incoming
        self.outgoing = outgoing
        for (index, socket) in sockets.enumerated() {
            let result = pl_epoll_add(epoll, socket.descriptor, UInt64(index))
            guard result == 0 else { throw SystemError(code: -result, doing: "watching \(socket.local)") }
        }
        let result = pl_epoll_add(epoll, wake.descriptor, .max)
        guard result == 0 else { throw SystemError(code: -result, doing: "watching the wake signal") }
    }

    deinit {
        pl_batch_destroy(incoming)
        pl_batch_destroy(outgoing)
        pl_close(epoll)
    }

    /// Runs until `stop` is set and the wake signal given; the driver's last datagrams are sent first.
    public func run(_ driver: any DatagramDriver, until stop: borrowing Atomic<Bool>) throws(SystemError) {
        var tags = [UInt64](repeating: 0, count: 64)
        driver.advance(to: clock.now)
        drain(driver)
        while !stop.load(ordering: .acquiring) {
            var wait: Int64 = -1
            if let deadline = driver.nextDeadline {
                wait = max(0, (deadline - clock.now).wholeNanoseconds)
            }
            let ready = pl_epoll_wait(epoll, &tags, Int32(tags.count), wait)
            guard ready >= 0 else { throw SystemError(code: -ready, doing: "waiting for datagrams") }
            let now = clock.now
            for tag in tags[..<Int(ready)] {
                if tag == .max {
                    wake.drain()
                    driver.woken(at: now)
                } else {
                    receive(on: sockets[Int(tag)], driver, at: now)
                }
            }
            if let deadline = driver.nextDeadline, deadline <= now { driver.advance(to: now) }
            drain(driver)
            driver.roundEnded(at: now)
        }
    }

    private func receive(on socket: UDPSocket, _ driver: any DatagramDriver, at now: Instant) {
        if socket.hearsErrors { hearErrors(of: socket, driver) }
        let count = pl_udp_receive(socket.descriptor, incoming)
        guard count > 0 else { return }
        for slot in 0..<UInt32(count) {
            let from = pl_batch_source(incoming, slot)
            guard let source = Endpoint(from) else { continue }
            if source.address.isLinkLocalIPv6 {
                if scopes.count >= 4_096 { scopes.removeAll() }
                scopes[source.address] = from.scope
            }
            let to = Endpoint(pl_batch_local(incoming, slot))?.address ?? socket.local.address
            let payload = UnsafeRawBufferPointer(start: pl_batch_payload(incoming, slot), count: pl_batch_length(incoming, slot))
            driver.received(payload, from: source, to: Endpoint(to, socket.local.port), at: now)
        }
    }

    private func hearErrors(of socket: UDPSocket, _ driver: any DatagramDriver) {
        for _ in 0..<64 {
            var destination = pl_address()
            let code = pl_udp_error(socket.descriptor, &destination)
            guard code != 0 else { return }
            guard let endpoint = Endpoint(destination) else { continue }
            driver.sendFailed(
                to: endpoint, SystemError(code: code, doing: "ICMP about what \(socket.local) sent"), at: clock.now)
        }
    }

    private func drain(_ driver: any DatagramDriver) {
        while let datagram = driver.nextDatagram() { queue(datagram, driver) }
        flush(driver)
    }

    private func queue(_ datagram: Datagram, _ driver: any DatagramDriver) {
        let family = datagram.destination.address.isIPv6
        let socket = sockets.first { socket in
            socket.local.address.isIPv6 == family && socket.local.port == datagram.source.port
                && (socket.local.address == datagram.source.address || socket.local.address.isUnspecified
                    || datagram.source.address.isUnspecified)
        }
        guard let socket else {
            let error = SystemError(code: 99, doing: "no socket of ours is \(datagram.source)")
            driver.sendFailed(to: datagram.destination, error, at: clock.now)
            return
        }
        guard datagram.payload.count <= 65_507 else {
            let error = SystemError(code: 90, doing: "sending \(datagram.payload.count) bytes")
            driver.sendFailed(to: datagram.destination, error, at: clock.now)
            return
        }
        if let queuedSocket, queuedSocket !== socket { flush(driver) }
        queuedSocket = socket
        let slot = queued
        datagram.payload.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            UnsafeMutableRawPointer(pl_batch_payload(outgoing, slot)!).copyMemory(from: start, byteCount: bytes.count)
        }
        var destination = datagram.destination.kernelAddress(
            scope: datagram.destination.address.isLinkLocalIPv6 ? scopes[datagram.destination.address] ?? 0 : 0)
        var source = datagram.source.address.isUnspecified ? pl_address() : datagram.source.kernelAddress()
        pl_batch_address(outgoing, slot, datagram.payload.count, &destination, &source)
        queued += 1
        if queued == Self.batchSize { flush(driver) }
    }

    private func flush(_ driver: any DatagramDriver) {
        guard let socket = queuedSocket, queued > 0 else { return }
        var first: UInt32 = 0
        while first < queued {
            let sent = pl_udp_send(socket.descriptor, outgoing, first, queued)
            if sent > 0 {
                first += UInt32(sent)
            } else {
                let destination = Endpoint(pl_batch_source(outgoing, first))
                let error = SystemError(code: -sent, doing: "sending from \(socket.local)")
                if let destination { driver.sendFailed(to: destination, error, at: clock.now) }
                first += 1
            }
        }
        queued = 0
        queuedSocket = nil
    }
}
