import Base
import CLinux
import Glibc
import LinuxEdge
import RouterNode

/// Those who are at the router's command line over its socket: this user and root, eight at a time.
final class RouterSessions {
    static let most = 8

    let listener: Int32
    private let path: String
    private let product: String
    private var open: [Int32: RouterSession] = [:]
    /// Whose command the router is at.
    private var asker: Int32?

    /// Throws where another router answers there already, or the place cannot be had.
    init(_ path: String, product: String) throws(RouterEdgeError) {
        self.path = path
        self.product = product
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
        for descriptor in open.keys { close(descriptor) }
        open = [:]
        close(listener)
        unlink(path)
    }

    var nextDeadline: Instant? { open.values.compactMap(\.nextDeadline).min() }

    func advance(to now: Instant) {
        for descriptor in open.keys { open[descriptor]?.advance(to: now) }
    }

    /// The descriptor of a new session; nil: there is none, or no room.
    func accept(at now: Instant) -> Int32? {
        let descriptor = pl_accept(listener)
        guard descriptor >= 0 else { return nil }
        guard open.count < Self.most, UnixSocket.isOurs(descriptor) else {
            close(descriptor)
            return nil
        }
        open[descriptor] = RouterSession(.init(product: product), at: now)
        return descriptor
    }

    func read(_ descriptor: Int32, at now: Instant) {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            open[descriptor]?.receive(.bytes(Array(bytes[..<count])), at: now)
        } else if count == 0 || errno != EAGAIN && errno != EINTR {
            open[descriptor]?.receive(.closed, at: now)
            end(descriptor)
        }
    }

    /// What somebody wants of the router, once what the sessions had to say is sent; its answer goes to `reply` before the next is asked for.
    func nextCommand() -> String? {
        for descriptor in Array(open.keys) {
            while let output = open[descriptor]?.nextOutput() {
                switch output {
                case .command(let line):
                    asker = descriptor
                    return line
                case .close: end(descriptor)
                case .bytes(let bytes):
                    // Who does not read what they asked for has left.
                    let count = send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                    if count != bytes.count { end(descriptor) }
                }
            }
        }
        return nil
    }

    func reply(_ text: String, at now: Instant) {
        guard let asker else { return }
        self.asker = nil
        open[asker]?.receive(.reply(text), at: now)
    }

    private func end(_ descriptor: Int32) {
        guard open.removeValue(forKey: descriptor) != nil else { return }
        if asker == descriptor { asker = nil }
        close(descriptor)
    }
}
