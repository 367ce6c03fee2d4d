import Glibc
import LinuxEdge

/// This process's terminal, or whatever its standard input and output are, at a running router's command line.
public final class RouterTerminal {
    private let descriptor: Int32

    /// nil: no router is there.
    public init?(_ path: String) {
        guard let descriptor = UnixSocket.connect(path) else { return nil }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Until the router closes. Keys go to the router as they are typed, Ctrl-C too; at the end the terminal is as before.
    public func run() {
        var former = termios()
        let isTerminal = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &former) == 0
        if isTerminal {
            var raw = former
            cfmakeraw(&raw)
            tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        defer { if isTerminal { tcsetattr(STDIN_FILENO, TCSANOW, &former) } }
        var waited = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            guard poll(&waited, 2, -1) >= 0 else {
                if errno == EINTR { continue }
                return
            }
            if waited[1].revents != 0, !pass(descriptor, to: STDOUT_FILENO) { return }
            if waited[0].revents != 0, !pass(STDIN_FILENO, to: descriptor) {
                // Nothing more will be typed: out, once what was typed is answered.
                _ = send(descriptor, "exit\r", 5, Int32(MSG_NOSIGNAL))
                waited[0].fd = -1
            }
        }
    }

    private func pass(_ from: Int32, to: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = read(from, &bytes, bytes.count)
        guard count > 0 else { return false }
        var at = 0
        while at < count {
            let written = bytes[at..<count].withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
            guard written > 0 else { return false }
            at += written
        }
        return true
    }
}
