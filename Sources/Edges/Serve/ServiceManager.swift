import Base
import Foundation

/// What started the server and wants to hear how it is: systemd, or whoever else understands sd_notify(3).
package final class ServiceManager: Sendable {
    private let descriptor: Int32
    private let path: String
    /// How often it wants a sign of life; nil: never.
    package let watchdog: Duration?

    /// nil: nobody asked (`NOTIFY_SOCKET`). Of `WATCHDOG_USEC` half is used, as sd_watchdog_enabled(3) advises.
    package init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@"), path.utf8.count < 108 else {
            return nil
        }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.path = path
        let isForUs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
        watchdog = isForUs && microseconds > 1 ? .microseconds(microseconds / 2) : nil
    }

    deinit { close(descriptor) }

    package func isReady() { tell("READY=1") }

    /// Until `isReady` is said again. systemd wants to know since when, by the monotonic clock.
    package func isReloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        tell("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    package func isStopping(_ why: String) { tell("STOPPING=1\nSTATUS=\(why)") }
    package func isAlive() { tell("WATCHDOG=1") }

    /// What cannot be told is let be: whoever asked is gone or does not listen.
    private func tell(_ text: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        // An abstract name (unix(7)).
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                _ = sendto(descriptor, text, text.utf8.count, Int32(MSG_DONTWAIT), target, length)
            }
        }
    }
}
