import Base
import CLinux
import Glibc
import LinuxEdge
import RouterNode

/// Those who are at the router's command line over its socket: this user and root, eight at a time.
final class RouterSessions {
    static let most = 8

    /// After so long, somebody who does not take an answer has left.
    static let patience = Duration.seconds(30)

    private struct Seat {
        var session: RouterSession
        /// Of its answer, what the other end had no room for yet; nothing else is looked at meanwhile.
        var unsent: ArraySlice<UInt8> = []
        var unsentSince: Instant?
    }

    let listener: Int32
    private let path: String
    private let product: String
    private let poll: EpollSet
    private var seats: [Int32: Seat] = [:]
    /// Whose command the router is at.
    private var asker: Int32?

    /// Throws where another router answers there already, or the place
    /// cannot be had.
    init(_ path: String, product: String, poll: EpollSet) throws(RouterEdgeError) {
        self.path = path
        self.product = product
        self.poll = poll
        let cure = "name another place with --control PATH, or none with --control off"
        guard path.utf8.count <= UnixSocket.longestPath else {
            throw RouterEdgeError("\(path) is too long for a socket's name (\(UnixSocket.longestPath) octets); \(cure)")
        }
        if let connected = UnixSocket.connect(path) {
            close(connected)
            throw RouterEdgeError("another router answers at \(path); \(cure)")
        }
        switch UnixSocket.listen(path) {
        case .success(let descriptor): listener = descriptor
        case .failure(let error): throw RouterEdgeError("the command line's socket: \(error); \(cure)")
        }
    }

    /// Hangs up, and takes the socket away.
    func end() {
        for descriptor in seats.keys { close(descriptor) }
        seats = [:]
        close(listener)
        unlink(path)
    }

    var nextDeadline: Instant? {
        seats.values.compactMap { $0.unsentSince.map { $0 + Self.patience } ?? $0.session.nextDeadline }.min()
    }

    func advance(to now: Instant) {
        for (descriptor, seat) in seats {
            if let since = seat.unsentSince {
                if now - since >= Self.patience { end(descriptor) }
            } else {
                seats[descriptor]?.session.advance(to: now)
            }
        }
    }

    func accept(at now: Instant) {
        let descriptor = pl_accept(listener)
        guard descriptor >= 0 else { return }
        guard UnixSocket.isOurs(descriptor) else {
            close(descriptor)
            return
        }
        guard seats.count < Self.most else {
            let text = "\(Self.most) sessions are open already; close one, then try again\r\n"
            _ = send(descriptor, text, text.utf8.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            close(descriptor)
            return
        }
        seats[descriptor] = Seat(session: RouterSession(.init(product: product), at: now))
        poll.watch(descriptor, for: .input)
    }

    /// A session's descriptor can be read, or written to again. False: it is none.
    func ready(_ descriptor: Int32, at now: Instant) -> Bool {
        guard let seat = seats[descriptor] else { return false }
        guard seat.unsent.isEmpty else {
            write(descriptor, now)
            return true
        }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            seats[descriptor]?.session.receive(.bytes(Array(bytes[..<count])), at: now)
        } else if count == 0 || errno != EAGAIN && errno != EINTR {
            end(descriptor)
        }
        return true
    }

    /// What somebody wants of the router, once what the sessions had to say is sent; its answer goes to `reply` before the next is asked for.
    func nextCommand(at now: Instant) -> String? {
        for descriptor in Array(seats.keys) {
            while seats[descriptor]?.unsent.isEmpty == true, let output = seats[descriptor]?.session.nextOutput() {
                switch output {
                case .command(let line):
                    asker = descriptor
                    return line
                case .close: end(descriptor)
                case .bytes(let bytes):
                    seats[descriptor]?.unsent = bytes[...]
                    write(descriptor, now)
                }
            }
        }
        return nil
    }

    func reply(_ text: String, at now: Instant) {
        guard let asker else { return }
        self.asker = nil
        seats[asker]?.session.receive(.reply(text), at: now)
    }

    /// As much as there is room for; the rest when there is room again.
    private func write(_ descriptor: Int32, _ now: Instant) {
        guard var seat = seats[descriptor] else { return }
        while !seat.unsent.isEmpty {
            let count = seat.unsent.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 {
                seat.unsent.removeFirst(count)
                seat.unsentSince = now
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                return end(descriptor)
            }
        }
        seat.unsentSince = seat.unsent.isEmpty ? nil : seat.unsentSince ?? now
        poll.watch(descriptor, for: seat.unsent.isEmpty ? .input : .output)
        seats[descriptor] = seat
    }

    private func end(_ descriptor: Int32) {
        guard seats.removeValue(forKey: descriptor) != nil else { return }
        if asker == descriptor { asker = nil }
        poll.forget(descriptor)
        close(descriptor)
    }
}
