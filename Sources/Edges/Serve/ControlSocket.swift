import CLinux
import Foundation
import LinuxEdge

/// Where a running server is asked and told things by programs of its own machine: a socket in the file system, one line each way and one asker at a
/// time. Only its own user and root are heard.
package final class ControlSocket: Sendable {
    package static let longestRequest = 256

    package let path: String
    private let listener: Int32
    private let wake: WakeSignal
    private let answer: @Sendable (String) -> String
    private let ended = DispatchSemaphore(value: 0)

    /// Opens it. A socket that a dead server left behind is taken over; one that answers is not. `answer`: called on a thread of its own.
    package init(_ path: String, answer: @escaping @Sendable (String) -> String) throws(ServeError) {
        self.path = path
        self.answer = answer
        do throws(SystemError) { wake = try WakeSignal() } catch { throw ServeError(description: "control: \(error)") }
        guard path.utf8.count < 108 else {
            throw ServeError(
                description: "control: \(path) is too long for a socket's name (107 bytes); name another with --set control=PATH")
        }
        if let connected = Self.connect(path) {
            close(connected)
            throw ServeError(
                description: "control: another server answers at \(path); name another place for this one with --set control=PATH"
            )
        }
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let mask = umask(0o177)
        defer { umask(mask) }
        guard listener >= 0, Self.named(path, { bind(listener, $0, $1) }) == 0, listen(listener, 8) == 0 else {
            let why = String(cString: strerror(errno))
            if listener >= 0 { close(listener) }
            throw ServeError(description: "control: \(path): \(why); name another place with --set control=PATH, or control=off")
        }
    }

    package func start() {
        Thread.detachNewThread { [self] in
            run()
            ended.signal()
        }
    }

    /// Only after `start`.
    package func stop() {
        wake.signal()
        ended.wait()
        close(listener)
        unlink(path)
    }

    private func run() {
        var waited = [
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            guard poll(&waited, 2, -1) >= 0 || errno == EINTR else { return }
            if waited[1].revents != 0 { return }
            guard waited[0].revents != 0 else { continue }
            let asker = pl_accept(listener)
            guard asker >= 0 else {
                // No descriptor is left, most likely: whoever asks waits, and nothing spins.
                if errno != EINTR, errno != ECONNABORTED { _ = poll(&waited[1], 1, 1_000) }
                continue
            }
            serve(asker)
            close(asker)
        }
    }

    private func serve(_ asker: Int32) {
        Self.limit(asker, seconds: 2)
        guard Self.isOurs(asker), let request = Self.readLine(asker, atMost: Self.longestRequest) else { return }
        Self.writeLine(answer(request), to: asker)
    }

    /// Whether root or our own user is at the other end.
    private static func isOurs(_ asker: Int32) -> Bool {
        let user = pl_peer_user(asker)
        return user == 0 || user == Int64(geteuid())
    }

    // MARK: The other side

    /// Asks the server at `path`; nil: nobody is there. `seconds`: how long its answer may take.
    package static func ask(_ request: String, at path: String, seconds: Int = 30) -> String? {
        guard let connected = connect(path) else { return nil }
        defer { close(connected) }
        limit(connected, seconds: seconds)
        writeLine(request, to: connected)
        return readLine(connected, atMost: 1 << 20)
    }

    private static func connect(_ path: String) -> Int32? {
        guard path.utf8.count < 108 else { return nil }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard named(path, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func named(_ path: String, _ use: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { use($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private static func limit(_ descriptor: Int32, seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Without its end; nil: it did not come, or is too long.
    private static func readLine(_ descriptor: Int32, atMost most: Int) -> String? {
        var line: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4_096)
        while line.count <= most {
            let count = recv(descriptor, &part, part.count, 0)
            guard count > 0 else { return nil }
            line += part[..<count]
            if let end = line.firstIndex(of: 10) { return String(decoding: line[..<end], as: UTF8.self) }
        }
        return nil
    }

    private static func writeLine(_ text: String, to descriptor: Int32) {
        let bytes = Array((text + "\n").utf8)
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            at += count
        }
    }
}
