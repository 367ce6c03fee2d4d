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
        guard path.utf8.count <= UnixSocket.longestPath else {
            throw ServeError(
                description: "control: \(path) is too long for a socket's name (107 bytes); name another with --set control=PATH")
        }
        if let connected = UnixSocket.connect(path) {
            close(connected)
            throw ServeError(
                description: "control: another server answers at \(path); name another place for this one with --set control=PATH"
            )
        }
        switch UnixSocket.listen(path) {
        case .success(let descriptor): listener = descriptor
        case .failure(let error):
            throw ServeError(description: "control: \(error); name another place with --set control=PATH, or control=off")
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
        guard UnixSocket.isOurs(asker), let request = Self.readLine(asker, atMost: Self.longestRequest) else { return }
        Self.writeLine(answer(request), to: asker)
    }

    // MARK: The other side

    /// Asks the server at `path`; nil: nobody is there. `seconds`: how long its answer may take.
    package static func ask(_ request: String, at path: String, seconds: Int = 30) -> String? {
        guard let connected = UnixSocket.connect(path) else { return nil }
        defer { close(connected) }
        limit(connected, seconds: seconds)
        writeLine(request, to: connected)
        return readLine(connected, atMost: 1 << 20)
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
