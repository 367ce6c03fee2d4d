import Base
import Foundation
import Testing

@testable import Serve

/// A descriptor that is bound to a name in the file system.
private func unixSocket(_ type: __socket_type, at path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(type.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    try #require(bound == 0)
    return descriptor
}

@Suite("A running server is asked over a socket in the file system")
struct ControlSocketTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent(
        "pinhole-\(UUID().uuidString.prefix(8)).control"
    ).path

    @Test("A line is answered by a line, one asker after the other, and the socket is gone afterwards")
    func asks() throws {
        let socket = try ControlSocket(path) { "you said \($0)" }
        socket.start()
        #expect(ControlSocket.ask("status", at: path) == "you said status")
        #expect(ControlSocket.ask("reload", at: path) == "you said reload")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        socket.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(ControlSocket.ask("status", at: path) == nil)
    }

    @Test("A request that is too long, or never ends, gets no answer, and the next one does")
    func hostile() throws {
        let socket = try ControlSocket(path) { "you said \($0)" }
        socket.start()
        defer { socket.stop() }
        #expect(ControlSocket.ask(String(repeating: "x", count: 100_000), at: path) == nil)
        #expect(ControlSocket.ask("status", at: path) == "you said status")
    }

    @Test("What a dead server left is taken over; a place where one answers is not, and the error says what to do")
    func taken() throws {
        close(try unixSocket(SOCK_STREAM, at: path))
        let first = try ControlSocket(path) { _ in "first" }
        first.start()
        defer { first.stop() }
        let error = #expect(throws: ServeError.self) { _ = try ControlSocket(path) { _ in "second" } }
        #expect(
            error?.description
                == "control: another server answers at \(path); name another place for this one with --set control=PATH")
        #expect(ControlSocket.ask("who", at: path) == "first")
    }

    @Test("A name too long for a socket is refused with the reason")
    func long() {
        let long = "/tmp/" + String(repeating: "x", count: 120)
        let error = #expect(throws: ServeError.self) { _ = try ControlSocket(long) { _ in "" } }
        #expect(error?.description.contains("too long for a socket's name (107 bytes)") == true)
    }
}

@Suite("The service manager is told how the server is")
struct ServiceManagerTests {
    /// A datagram socket that listens as systemd does.
    private final class Listener {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("notify-\(UUID().uuidString.prefix(8))").path
        private let descriptor: Int32

        init() throws { descriptor = try unixSocket(SOCK_DGRAM, at: path) }

        deinit {
            close(descriptor)
            unlink(path)
        }

        /// What was said and not read yet.
        func next() -> String? {
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    @Test("READY, RELOADING with the monotonic time, STOPPING and WATCHDOG are said in systemd's words")
    func words() throws {
        let listener = try Listener()
        let manager = try #require(ServiceManager(["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "30000000"]))
        manager.isReady()
        manager.isReloading()
        manager.isStopping("calls get 10 s")
        manager.isAlive()
        #expect(listener.next() == "READY=1")
        #expect(listener.next()?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
        #expect(listener.next() == "STOPPING=1\nSTATUS=calls get 10 s")
        #expect(listener.next() == "WATCHDOG=1")
        #expect(listener.next() == nil)
    }

    @Test("A sign of life is due twice within the watchdog's time, and only where it is meant for this process")
    func watchdog() throws {
        let listener = try Listener()
        let ours = ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"]
        let manager = try #require(ServiceManager(ours))
        let start = Instant(seconds: 1_000)
        var watchdog = try #require(Watchdog(manager, at: start))
        for second in 0...60 { watchdog.advance(to: start + .seconds(Int64(second))) }
        var signs = 0
        while listener.next() == "WATCHDOG=1" { signs += 1 }
        #expect(signs == 5)
        let others = try #require(ServiceManager(ours.merging(["WATCHDOG_PID": "1"]) { $1 }))
        #expect(Watchdog(others, at: start) == nil)
    }

    @Test("Nobody who asked is no trouble, and neither is one who is gone")
    func nobody() throws {
        #expect(ServiceManager([:]) == nil)
        let manager = try #require(ServiceManager(["NOTIFY_SOCKET": "/nowhere/notify"]))
        manager.isReady()
    }
}
