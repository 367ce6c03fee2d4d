import Base
import Foundation
import LinuxEdge
import PhoneEdge
import PhoneNode
import Serve
import ServerNode
import Storage
import Synchronization
import Testing
import Waiting

/// The real edges: real sockets on the loopback interface, real threads. What the lab proves in virtual time has to hold here too.
@Suite("Server and phone on real sockets")
struct LoopbackTests {
    /// A server on a free port, with an account, stopped at the end.
    final class Fixture: Sendable {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-loopback-\(UUID().uuidString)")
        let server: PinholeServer
        let database: PinholeDatabase
        private let port = Mutex<UInt16?>(nil)
        private let ended = DispatchSemaphore(value: 0)
        private let opened = DispatchSemaphore(value: 0)

        let events = Mutex<[ServeEvent]>([])

        init(address: String, clock: RealTime = RealTime(), _ change: (inout ServeSettings) -> Void = { _ in }) throws {
            let path = folder.appendingPathComponent("p.db").path
            database = try PinholeDatabase(path: path)
            try database.add(Account(username: "100", realm: "pinhole", password: "secret"))
            var settings = ServeSettings()
            settings.listen = [try #require(Endpoint("\(address):0"))]
            settings.listensByDefault = false
            settings.stun.isOn = false
            settings.database = path
            settings.server.isPersistent = true
            settings.metrics = nil
            change(&settings)
            let relay = Relay()
            server = try PinholeServer(settings, clock: clock) { _, event in
                relay.hear(event)
                if case .listening("SIP over UDP", let endpoint) = event { relay.tell(endpoint.port) }
            }
            relay.listener.withLock { listener in
                listener = { [self] port in
                    self.port.withLock { $0 = port }
                    opened.signal()
                }
            }
            relay.hearer.withLock { hearer in hearer = { [self] event in events.withLock { $0.append(event) } } }
            Thread.detachNewThread { [self] in
                do { try server.run() } catch { opened.signal() }
                ended.signal()
            }
            try opened.wait(for: "the server to listen")
            try #require(endpointPort != 0, "the server did not start")
        }

        var endpointPort: UInt16 { port.withLock { $0 ?? 0 } }

        func stop() {
            server.stop()
            #expect(throws: Never.self) { try ended.wait(for: "the server to end") }
            try? FileManager.default.removeItem(at: folder)
        }
    }

    final class Relay: Sendable {
        let listener = Mutex<(@Sendable (UInt16) -> Void)?>(nil)
        let hearer = Mutex<(@Sendable (ServeEvent) -> Void)?>(nil)
        func tell(_ port: UInt16) { listener.withLock { $0 }?(port) }
        func hear(_ event: ServeEvent) { hearer.withLock { $0 }?(event) }
    }

    @Test(
        "A phone registers over IPv4 and IPv6, its binding is on disk, and signing off removes it",
        arguments: ["127.0.0.1", "[::1]"])
    func registers(address: String) throws {
        let fixture = try Fixture(address: address)
        defer { fixture.stop() }
        let identity = PhoneSettings.Identity(user: "100", password: "secret", registrar: "\(address):\(fixture.endpointPort)")
        var stored: [StoredBinding] = []
        var panels: [String] = []
        let free = try runPhone(PhoneSettings(identity: identity, locals: []), at: address) { phone, status in
            panels.append(status.panel)
            guard status.isRegistered, stored.isEmpty else { return }
            stored = (try? fixture.database.allBindings()) ?? []
            phone.stop()
        }
        #expect(panels.contains("Registered"))
        #expect(stored.map(\.aor.user) == ["100"])
        #expect(stored.map(\.binding.flow.remote) == [free])
        #expect(try fixture.database.allBindings().isEmpty)
    }

    @Test("A clock that is set after the start: what is stored is as the new time says, and it is logged")
    func clockSet() throws {
        // As a machine without a battery starts: 50 years ago, until NTP tells it.
        let years = Int64(50 * 365) * 86_400
        let behind = Mutex(years)
        let clock = RealTime { (Int64(Date().timeIntervalSince1970) - behind.withLock { $0 }) * 1_000_000_000 }
        behind.withLock { $0 = 0 }
        let fixture = try Fixture(address: "127.0.0.1", clock: clock)
        defer { fixture.stop() }
        let identity = PhoneSettings.Identity(user: "100", password: "secret", registrar: "127.0.0.1:\(fixture.endpointPort)")
        var stored: [StoredBinding] = []
        try runPhone(PhoneSettings(identity: identity, locals: []), at: "127.0.0.1") { phone, status in
            guard status.isRegistered, stored.isEmpty else { return }
            stored = (try? fixture.database.allBindings()) ?? []
            phone.stop()
        }
        let binding = try #require(stored.first?.binding)
        let left = binding.expires - binding.updated
        #expect(left > .seconds(0) && left <= .seconds(7_200))
        let age = Date().timeIntervalSince1970 - Double(binding.updated.unixSeconds)
        #expect(age > -5 && age < patience / .seconds(1))
        let steps = fixture.events.withLock { $0 }.compactMap { event in
            if case .clockSet(let step) = event { step.wholeSeconds } else { nil }
        }
        #expect(steps.count == 1)
        #expect(abs((steps.first ?? 0) - years) < 5)
    }

    @Test("An account that the command line adds while the server runs can register")
    func newAccount() throws {
        let fixture = try Fixture(address: "127.0.0.1")
        defer { fixture.stop() }
        try PinholeDatabase(path: fixture.database.path).add(Account(username: "200", realm: "pinhole", password: "new"))
        let identity = PhoneSettings.Identity(user: "200", password: "new", registrar: "127.0.0.1:\(fixture.endpointPort)")
        var settings = PhoneSettings(identity: identity, locals: [])
        settings.timers.refusalBackoffBase = .seconds(1)
        settings.timers.backoffBase = .seconds(1)
        var registered = false
        try runPhone(settings, at: "127.0.0.1") { phone, status in
            guard status.isRegistered else { return }
            registered = true
            phone.stop()
        }
        #expect(registered)
    }

    @Test("An occupied port is named, with what to do")
    func occupied() throws {
        let taken = try UDPSocket(try #require(Endpoint("127.0.0.1:0")))
        var settings = ServeSettings()
        settings.listen = [taken.local]
        settings.listensByDefault = false
        settings.stun.isOn = false
        let server = try PinholeServer(settings) { _, _ in }
        let error = #expect(throws: ServeError.self) { try server.run() }
        #expect(
            error?.description
                == "SIP over UDP: port \(taken.local.port) on 127.0.0.1 is taken by another program. See which with: "
                + "ss -ulpn 'sport = :\(taken.local.port)'; stop it, or choose another port with --listen 127.0.0.1:PORT.")
    }
}

@Suite("A phone and a closed port")
struct ClosedPortTests {
    @Test("ICMP port unreachable is heard: the panel says so at once instead of after 32 s", arguments: ["127.0.0.1", "[::1]"])
    func unreachable(address: String) throws {
        let closed = try ClosedPort(address)
        let identity = PhoneSettings.Identity(user: "1", password: "x", registrar: "\(closed.endpoint)")
        var unreachable: Endpoint?
        try runPhone(PhoneSettings(identity: identity, locals: []), at: address) { phone, status in
            guard status.isFailure else { return }
            if case .unreachable(let endpoint, _) = status.registration { unreachable = endpoint }
            phone.stop()
        }
        #expect(unreachable == closed.endpoint)
    }
}

/// Runs a phone on a port that is free, until `show` stops it; where that never happens, it is stopped. The port it had.
@discardableResult
func runPhone(
    _ settings: PhoneSettings, at address: String, _ show: (PinholePhone, PhoneStatus) -> Void
) throws -> Endpoint {
    let address = try #require(Endpoint("\(address):0")).address
    return try withFreePorts(at: address) { free in
        var settings = settings
        settings.locals = free
        let phone = try PinholePhone(settings)
        let watchdog = Watchdog { phone.stop() }
        defer { #expect(throws: Never.self) { try watchdog.leave("the phone's end") } }
        try withoutActuallyEscaping(show) { show in
            try phone.run { _, event in
                if case .status(let status) = event { show(phone, status) }
            }
        }
        return free[0]
    }
}

/// A port that nobody can open and that answers nobody: held by a socket which talks to another alone, so that the kernel tells everyone
/// else that it is closed.
private final class ClosedPort {
    let endpoint: Endpoint
    private let descriptor: Int32

    init(_ address: String) throws {
        let wanted = try #require(Endpoint("\(address):0")).address
        descriptor = socket(wanted.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        // Connected to the discard port, it gets a port of its own from the kernel.
        var name = [UInt8](repeating: 0, count: wanted.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
        name[0] = UInt8(wanted.isIPv6 ? AF_INET6 : AF_INET)
        name[3] = 9
        if wanted.isIPv6 { name[23] = 1 } else { name.replaceSubrange(4..<8, with: [127, 0, 0, 1]) }
        var length = socklen_t(name.count)
        let descriptor = descriptor
        let isConnected = name.withUnsafeMutableBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return connect(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
        }
        try #require(isConnected)
        endpoint = Endpoint(wanted, UInt16(name[2]) << 8 | UInt16(name[3]))
    }

    deinit { close(descriptor) }
}
