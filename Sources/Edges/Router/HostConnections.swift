import Base
import Glibc
import LinuxEdge
import Packet
import TCP

/// Connections from behind a router to this machine's network: each is ended here, by a TCP of our own, and is a socket's from here on.
///
/// A SYN is answered once the socket is connected, and refused where it is not. What one end does not take the other is not asked for.
final class HostConnections {
    /// At once; further ones are refused.
    static let most = 512
    /// Octets that may wait for the program inside before the socket is read again.
    static let mostUnsent = 256 << 10
    /// How long the program has to acknowledge our SYN.
    static let patience = Duration.seconds(60)

    private enum State {
        /// The program's SYN waits for the socket.
        case connecting(TCPSegment)
        /// The socket is connected, and the program has not acknowledged our SYN yet.
        case answered(until: Instant)
        case open(Open)
    }

    private struct Open {
        var id: TCPConnectionID
        /// What the socket had no room for; nothing more is asked of the program meanwhile.
        var unwritten: ArraySlice<UInt8> = []
        /// No more comes from the program, or from the socket.
        var isInnerEnded = false
        var isOuterEnded = false
    }

    private struct Pair: Hashable {
        var inner: Endpoint
        var outer: Endpoint
    }

    private struct Line {
        var pair: Pair
        var state: State
    }

    private let poll: EpollSet
    private var host: TCPHost
    private var lines: [Int32: Line] = [:]
    private var descriptors: [Pair: Int32] = [:]
    private var opened: [TCPConnectionID: Int32] = [:]
    private var segments = Outbox<TCPSegment>()
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    init(mtu: Int, poll: EpollSet, entropy: Entropy) {
        self.poll = poll
        var settings = TCPSettings()
        settings.mtu = mtu
        settings.mostConnections = Self.most
        host = TCPHost(settings, entropy: entropy)
    }

    deinit { for descriptor in lines.keys { close(descriptor) } }

    func nextSegment() -> TCPSegment? { segments.next() }

    var nextDeadline: Instant? {
        let answered = lines.values.compactMap { if case .answered(let until) = $0.state { until } else { nil } }
        return (answered + [host.nextDeadline].compactMap { $0 }).min()
    }

    func advance(to now: Instant) {
        host.advance(to: now)
        for (descriptor, line) in lines {
            if case .answered(let until) = line.state, until <= now { forget(descriptor) }
        }
        collect(now)
    }

    // MARK: From inside

    func receive(_ segment: TCPSegment, at now: Instant) {
        let pair = Pair(inner: segment.source, outer: segment.destination)
        let isFirst = segment.flags.contains(.syn) && segment.flags.isDisjoint(with: [.ack, .rst, .fin])
        if let descriptor = descriptors[pair], case .connecting? = lines[descriptor]?.state {
            // The program asks again, or gives up.
            if segment.flags.contains(.rst) { forget(descriptor) }
        } else if isFirst, descriptors[pair] == nil, lines.count < Self.most {
            connect(pair, segment, now)
        } else {
            host.receive(.segment(segment), at: now)
            collect(now)
            // What was acknowledged makes room.
            if let descriptor = descriptors[pair], case .open(let open)? = lines[descriptor]?.state { watch(open.id) }
        }
    }

    private func connect(_ pair: Pair, _ segment: TCPSegment, _ now: Instant) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0, let place = SocketAddress(HostUplink.outer(pair.outer)) else {
            if descriptor >= 0 { close(descriptor) }
            return refuse(segment, now)
        }
        guard place.use({ Glibc.connect(descriptor, $0, $1) }) == 0 || errno == EINPROGRESS else {
            close(descriptor)
            return refuse(segment, now)
        }
        lines[descriptor] = Line(pair: pair, state: .connecting(segment))
        descriptors[pair] = descriptor
        poll.watch(descriptor, for: .output)
    }

    /// Nobody listens there.
    private func refuse(_ segment: TCPSegment, _ now: Instant) {
        host.receive(.segment(segment), at: now)
        collect(now)
    }

    private func collect(_ now: Instant) {
        while let output = host.nextOutput() {
            switch output {
            case .segment(let segment): segments.append(segment)
            case .event(.accepted(let id, let local, let remote)):
                guard let descriptor = descriptors[Pair(inner: remote, outer: local)] else {
                    host.receive(.command(.abort(id)), at: now)
                    continue
                }
                lines[descriptor]?.state = .open(Open(id: id))
                opened[id] = descriptor
                poll.watch(descriptor, for: .input)
            case .event(.received(let id, let bytes)):
                change(id) { $0.unwritten.append(contentsOf: bytes) }
                write(id, now)
            case .event(.ended(let id)):
                change(id) { $0.isInnerEnded = true }
                write(id, now)
            case .event(.closed(let id, _)):
                if let descriptor = opened[id] { forget(descriptor) }
            case .event(.connected): break
            }
        }
    }

    // MARK: Sockets

    func ready(_ descriptor: Int32, at now: Instant) {
        guard let line = lines[descriptor] else { return }
        switch line.state {
        case .connecting(let segment):
            var problem: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
            if problem == 0 {
                lines[descriptor]?.state = .answered(until: now + Self.patience)
                poll.watch(descriptor, for: .nothing)
                let port = segment.destination.port
                host.receive(.command(.listen(port)), at: now)
                host.receive(.segment(segment), at: now)
                host.receive(.command(.unlisten(port)), at: now)
            } else {
                forget(descriptor)
                host.receive(.segment(segment), at: now)
            }
            collect(now)
        case .answered: break
        case .open(let open) where !open.unwritten.isEmpty: write(open.id, now)
        case .open(let open): read(open, descriptor, now)
        }
    }

    private func read(_ open: Open, _ descriptor: Int32, _ now: Instant) {
        guard host.unsent(of: open.id) < Self.mostUnsent else { return watch(open.id) }
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            host.receive(.command(.send(open.id, Array(buffer[..<count]))), at: now)
        } else if count == 0 {
            change(open.id) { $0.isOuterEnded = true }
            host.receive(.command(.close(open.id)), at: now)
        } else if errno != EAGAIN, errno != EINTR {
            host.receive(.command(.abort(open.id)), at: now)
            forget(descriptor)
        }
        watch(open.id)
        collect(now)
    }

    private func write(_ id: TCPConnectionID, _ now: Instant) {
        guard let descriptor = opened[id], case .open(var open)? = lines[descriptor]?.state else { return }
        let wasFull = !open.unwritten.isEmpty
        while !open.unwritten.isEmpty {
            let count = open.unwritten.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 {
                open.unwritten.removeFirst(count)
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                host.receive(.command(.abort(id)), at: now)
                forget(descriptor)
                return collect(now)
            }
        }
        lines[descriptor]?.state = .open(open)
        if open.unwritten.isEmpty {
            if open.isInnerEnded { shutdown(descriptor, Int32(SHUT_WR)) }
            if wasFull { host.receive(.command(.release(id)), at: now) }
        } else {
            host.receive(.command(.hold(id)), at: now)
        }
        watch(id)
    }

    /// Room comes first; then what the far end says, as long as the program takes it.
    private func watch(_ id: TCPConnectionID) {
        guard let descriptor = opened[id], case .open(let open)? = lines[descriptor]?.state else { return }
        let mayRead = !open.isOuterEnded && host.unsent(of: id) < Self.mostUnsent
        poll.watch(descriptor, for: !open.unwritten.isEmpty ? .output : mayRead ? .input : .nothing)
    }

    private func change(_ id: TCPConnectionID, _ body: (inout Open) -> Void) {
        guard let descriptor = opened[id], case .open(var open)? = lines[descriptor]?.state else { return }
        body(&open)
        lines[descriptor]?.state = .open(open)
    }

    private func forget(_ descriptor: Int32) {
        guard let line = lines.removeValue(forKey: descriptor) else { return }
        descriptors[line.pair] = nil
        if case .open(let open) = line.state { opened[open.id] = nil }
        poll.forget(descriptor)
        close(descriptor)
    }
}
