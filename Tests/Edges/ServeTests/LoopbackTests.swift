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

/// The real edges: real sockets on the loopback interface, real threads. What the lab proves in virtual time has to hold here too.
@Suite("Server and phone on real sockets", .timeLimit(.minutes(1)))
struct LoopbackTests {
    /// A server on a free port, with an account, stopped at the end.
    final class Fixture: Sendable {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-loopback-\(UUID().uuidString)")
        let server: PinholeServer
        let database: PinholeDatabase
        private let port = Mutex<UInt16?>(nil)
        private let ended = DispatchSemaphore(value: 0)
        private let opened = DispatchSemaphore(value: 0)

        init(address: String) throws {
            let path = folder.appendingPathComponent("p.db").path
            database = try PinholeDatabase(path: path)
            try database.add(Account(username: "100", realm: "pinhole", password: "secret"))
            var settings = ServeSettings()
            settings.listen = [try #require(Endpoint("\(address):0"))]
            settings.listensByDefault = false
            settings.stun.isOn = false
            settings.database = path
            settings.server.isPersistent = true
            let relay = Relay()
            server = try PinholeServer(settings) { _, event in
                if case .listening("SIP over UDP", let endpoint) = event { relay.tell(endpoint.port) }
            }
            relay.listener.withLock { listener in
                listener = { [self] port in
                    self.port.withLock { $0 = port }
                    opened.signal()
                }
            }
            Thread.detachNewThread { [self] in
                try? server.run()
                ended.signal()
            }
            opened.wait()
        }

        var endpointPort: UInt16 { port.withLock { $0 ?? 0 } }

        func stop() {
            server.stop()
            ended.wait()
            try? FileManager.default.removeItem(at: folder)
        }
    }

    final class Relay: Sendable {
        let listener = Mutex<(@Sendable (UInt16) -> Void)?>(nil)
        func tell(_ port: UInt16) { listener.withLock { $0 }?(port) }
    }

    @Test(
        "A phone registers over IPv4 and IPv6, its binding is on disk, and signing off removes it",
        arguments: ["127.0.0.1", "[::1]"])
    func registers(address: String) throws {
        let fixture = try Fixture(address: address)
        defer { fixture.stop() }
        let free = try UDPSocket(try #require(Endpoint("\(address):0"))).local
        let identity = PhoneSettings.Identity(user: "100", password: "secret", registrar: "\(address):\(fixture.endpointPort)")
        let phone = try PinholePhone(PhoneSettings(identity: identity, locals: [free]))
        var stored: [StoredBinding] = []
        var panels: [String] = []
        try phone.run { _, event in
            guard case .status(let status) = event else { return }
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

    @Test("An account that the command line adds while the server runs can register")
    func newAccount() throws {
        let fixture = try Fixture(address: "127.0.0.1")
        defer { fixture.stop() }
        try PinholeDatabase(path: fixture.database.path).add(Account(username: "200", realm: "pinhole", password: "new"))
        let free = try UDPSocket(try #require(Endpoint("127.0.0.1:0"))).local
        let identity = PhoneSettings.Identity(user: "200", password: "new", registrar: "127.0.0.1:\(fixture.endpointPort)")
        var settings = PhoneSettings(identity: identity, locals: [free])
        settings.timers.refusalBackoffBase = .seconds(1)
        settings.timers.backoffBase = .seconds(1)
        let phone = try PinholePhone(settings)
        var registered = false
        try phone.run { _, event in
            guard case .status(let status) = event, status.isRegistered else { return }
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

@Suite("A phone and a closed port", .timeLimit(.minutes(1)))
struct ClosedPortTests {
    @Test("ICMP port unreachable is heard: the panel says so at once instead of after 32 s", arguments: ["127.0.0.1", "[::1]"])
    func unreachable(address: String) throws {
        let closed = try UDPSocket(try #require(Endpoint("\(address):0"))).local
        let free = try UDPSocket(try #require(Endpoint("\(address):0"))).local
        let identity = PhoneSettings.Identity(user: "1", password: "x", registrar: "\(address):\(closed.port)")
        let phone = try PinholePhone(PhoneSettings(identity: identity, locals: [free]))
        var unreachable: Endpoint?
        try phone.run { _, event in
            guard case .status(let status) = event, status.isFailure else { return }
            if case .unreachable(let endpoint, _) = status.registration { unreachable = endpoint }
            phone.stop()
        }
        #expect(unreachable == Endpoint("\(address):\(closed.port)"))
    }
}
