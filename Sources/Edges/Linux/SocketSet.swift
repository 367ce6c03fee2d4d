import Base
import CLinux

/// The sockets of one loop, and the batches in which datagrams come in and leave. For that loop's thread only.
final class SocketSet {
    /// Receives and sends move this many datagrams a system call.
    private static let batchSize: UInt32 = 64
    /// Any datagram, and what an answer may be longer than its request. No multiple of a cache's size: else the first
    /// bytes of all slots would fight for the same few lines of it.
    private static let slotSize = 65_536 + 320
    /// What `wait` tells of the wake signal in place of a socket.
    private static let wakeTag = UInt64.max

    let sockets: [UDPSocket]
    private let wake: WakeSignal
    private let epoll: Int32
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private var tags = [UInt64](repeating: 0, count: 64)
    /// The slots from `first` up to `next` wait for leaving from `socket`.
    private var first: UInt32 = 0
    private var next: UInt32 = 0
    private var socket: UDPSocket?
    /// Interface of link-local peers, which an `Endpoint` does not carry. Bounded: cleared when full.
    private var scopes: [IPAddress: UInt32] = [:]

    init(_ sockets: [UDPSocket], wake: WakeSignal) throws(SystemError) {
        self.sockets = sockets
        self.wake = wake
        let epoll = pl_epoll_create()
        guard epoll >= 0 else { throw SystemError(code: -epoll, doing: "creating an epoll") }
        self.epoll = epoll
        guard let incoming = pl_batch_create(Self.batchSize, Self.slotSize),
            let outgoing = pl_batch_create(Self.batchSize, Self.slotSize)
        else { throw SystemError(code: 12, doing: "allocating datagram buffers") }
        self.incoming = incoming
        self.outgoing = outgoing
        for (index, socket) in sockets.enumerated() {
            let result = pl_epoll_add(epoll, socket.descriptor, UInt64(index))
            guard result == 0 else { throw SystemError(code: -result, doing: "watching \(socket.local)") }
        }
        let result = pl_epoll_add(epoll, wake.descriptor, Self.wakeTag)
        guard result == 0 else { throw SystemError(code: -result, doing: "watching the wake signal") }
    }

    deinit {
        pl_batch_destroy(incoming)
        pl_batch_destroy(outgoing)
        pl_close(epoll)
    }

    /// Waits until something is there, at most `nanoseconds` (negative: for ever). Returns on how many sockets, the wake signal included.
    func wait(_ nanoseconds: Int64) throws(SystemError) -> Int {
        let count = pl_epoll_wait(epoll, &tags, Int32(tags.count), nanoseconds)
        guard count >= 0 else { throw SystemError(code: -count, doing: "waiting for datagrams") }
        return Int(count)
    }

    /// One of those that `wait` found; nil for the wake signal, which is taken back.
    func ready(_ index: Int) -> UDPSocket? {
        if tags[index] != Self.wakeTag { return sockets[Int(tags[index])] }
        wake.drain()
        return nil
    }

    /// One batch of what has come in: each datagram, whom it is from and which endpoint of ours it was sent to.
    func receive(on socket: UDPSocket, _ take: (UnsafeRawBufferPointer, _ source: Endpoint, _ local: Endpoint) -> Void) {
        let count = pl_udp_receive(socket.descriptor, incoming)
        guard count > 0 else { return }
        for slot in 0..<UInt32(count) {
            let from = pl_batch_source(incoming, slot)
            guard let source = Endpoint(from) else { continue }
            if source.address.isLinkLocalIPv6 {
                if scopes.count >= 4_096 { scopes.removeAll() }
                scopes[source.address] = from.scope
            }
            var local = socket.local
            if local.address.isUnspecified, let address = Endpoint(pl_batch_local(incoming, slot))?.address {
                local.address = address
            }
            take(
                UnsafeRawBufferPointer(start: pl_batch_payload(incoming, slot), count: pl_batch_length(incoming, slot)), source,
                local)
        }
    }

    /// The next ICMP error about what `socket` sent: whom it was meant for, nil where that is not said. Nil when there is none.
    func error(of socket: UDPSocket) -> (destination: Endpoint?, error: SystemError)? {
        var destination = pl_address()
        let code = pl_udp_error(socket.descriptor, &destination)
        guard code != 0 else { return nil }
        return (Endpoint(destination), SystemError(code: code, doing: "ICMP about what \(socket.local) sent"))
    }

    /// Where the next datagram to leave is to be written.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: pl_batch_payload(outgoing, next), count: Self.slotSize)
    }

    /// The first `count` bytes of `room` leave with their batch; a source with an unspecified address leaves the choice to the kernel.
    /// `failed`: what was refused, this datagram or another one of the batch.
    func send(
        _ count: Int, from source: Endpoint, to destination: Endpoint, _ failed: (_ destination: Endpoint, SystemError) -> Void
    ) {
        let family = destination.address.isIPv6
        let socket = sockets.first { socket in
            socket.local.address.isIPv6 == family && socket.local.port == source.port
                && (socket.local.address == source.address || socket.local.address.isUnspecified || source.address.isUnspecified)
        }
        guard let socket else {
            return failed(destination, SystemError(code: 99, doing: "no socket of ours is \(source)"))
        }
        guard count <= 65_507 else { return failed(destination, SystemError(code: 90, doing: "sending \(count) bytes")) }
        if self.socket !== socket {
            sendQueued(failed)
            self.socket = socket
        }
        var to = destination.kernelAddress(
            scope: destination.address.isLinkLocalIPv6 ? scopes[destination.address] ?? 0 : 0)
        // A socket bound to one address sends from there anyway.
        let isChosen = socket.local.address.isUnspecified && !source.address.isUnspecified
        var from = isChosen ? source.kernelAddress() : pl_address()
        pl_batch_address(outgoing, next, count, &to, &from)
        next += 1
        if next == Self.batchSize { flush(failed) }
    }

    /// Everything queued leaves.
    func flush(_ failed: (_ destination: Endpoint, SystemError) -> Void) {
        sendQueued(failed)
        first = 0
        next = 0
    }

    private func sendQueued(_ failed: (_ destination: Endpoint, SystemError) -> Void) {
        guard let socket else { return }
        while first < next {
            let sent = pl_udp_send(socket.descriptor, outgoing, first, next)
            if sent > 0 {
                first += UInt32(sent)
            } else {
                let destination = Endpoint(pl_batch_source(outgoing, first))
                if let destination { failed(destination, SystemError(code: -sent, doing: "sending from \(socket.local)")) }
                first += 1
            }
        }
    }
}
