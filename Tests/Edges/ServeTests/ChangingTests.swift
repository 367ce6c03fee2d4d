import Base
import Configuration
import Testing

@testable import Serve

@Suite("What of the configuration can change while a server runs")
struct ChangingTests {
    private func tree(_ text: String) throws -> ConfigNode { try YAMLFile.parse(text, name: "pinhole.yaml") }

    @Test("Every setting is either for the running server or for the next start, and most that matter are for the running one")
    func known() {
        #expect(ServeSettings.changeable.isSubset(of: ServeSettings.keys))
        for key in [
            "rooms", "calls.ring-for", "registrar.longest", "keepalive.interval", "limits.calls", "log.level", "tls.certificate",
        ] {
            #expect(ServeSettings.changeable.contains(key), "\(key)")
        }
        for key in ["port", "listen", "realm", "domains", "database", "nat", "stun.port", "media.ports", "calls.keep-records"] {
            #expect(!ServeSettings.changeable.contains(key), "\(key)")
        }
    }

    @Test("The same said in another order or place is no change")
    func same() throws {
        let change = try ServeSettings.change(
            from: try tree("port: 5070\nrooms: [{name: a, pin: '1234'}]\n"),
            to: try tree("# moved\n\nrooms:\n  - pin: \"1234\"\n    name: a\nport: 5070\n"))
        #expect(change.changed.isEmpty && change.refused.isEmpty)
    }

    @Test("What can change counts; what cannot is named, stays as it was, and is named again the next time")
    func mixed() throws {
        let running = try tree("port: 5070\nlimits: {trusted: yes}\ncalls: {ring-for: 20s}\n")
        let new = try tree("port: 5080\nlimits: {trusted: no}\ncalls: {ring-for: 30s, echo: off}\nrooms: [{name: a}]\n")
        let change = try ServeSettings.change(from: running, to: new)
        #expect(change.changed == ["rooms", "calls.ring-for", "calls.echo"])
        #expect(change.refused.map(\.key) == ["port", "limits.trusted"])
        let settings = try ServeSettings(change.root)
        #expect(settings.listen == ServeSettings.everywhere(port: 5070))
        #expect(settings.server.limits.messagesPerSource == nil)
        #expect(settings.server.calls.ringFor == .seconds(30) && settings.server.calls.rooms.map(\.name) == ["a"])
        let again = try ServeSettings.change(from: change.root, to: new)
        #expect(again.changed.isEmpty && again.refused.map(\.key) == ["port", "limits.trusted"])
    }

    @Test("TLS is not switched on or off by a reload, and the running certificate is left alone then")
    func tls() throws {
        let on = try tree("tls: {certificate: a.pem, key: b.pem}\n")
        let off = try tree("tls: off\n")
        for (from, to) in [(on, off), (off, on), (try tree("{}"), off)] {
            let change = try ServeSettings.change(from: from, to: to)
            #expect(change.changed.isEmpty && change.refused.map(\.key) == ["tls"])
        }
        #expect(
            try ServeSettings.change(from: on, to: try tree("tls: {certificate: c.pem, key: b.pem}\n")).changed == [
                "tls.certificate"
            ])
    }

    @Test("A key that is gone counts as its default again")
    func removed() throws {
        let change = try ServeSettings.change(from: try tree("calls: {ring-for: 20s}\n"), to: try tree("{}"))
        #expect(change.changed == ["calls.ring-for"])
        #expect(try ServeSettings(change.root).server.calls.ringFor == .seconds(60))
    }

    @Test("A room that is to be recorded is for the next start where none was recorded before")
    func recorded() throws {
        let plain = try tree("rooms: [{name: a}]\n")
        let recorded = try tree("rooms: [{name: a, record: yes}]\n")
        #expect(try ServeSettings.change(from: plain, to: recorded).refused.map(\.key) == ["rooms"])
        #expect(try ServeSettings.change(from: recorded, to: try tree("rooms: [{name: b, record: yes}]\n")).changed == ["rooms"])
    }

    @Test("The log's settings are read, and a wrong one is named")
    func log() throws {
        let settings = try ServeSettings(
            try tree(
                "drain-for: 30s\ncontrol: off\nlog: {format: json, level: warning, calls: debug, file: /var/log/pinhole.log}\n"))
        #expect(settings.drainFor == .seconds(30) && settings.control == .off)
        #expect(settings.log.format == .json && settings.log.file == "/var/log/pinhole.log")
        #expect(settings.log.level(of: .calls) == .debug && settings.log.level(of: .registrar) == .warning)
        let error = #expect(throws: ConfigError.self) { _ = try ServeSettings(try tree("log:\n  level: loud\n")) }
        #expect(
            error?.description.hasPrefix("pinhole.yaml:2:10: log.level: expected one of debug, info, notice, warning, error")
                == true)
    }

    @Test("The control socket lies in the service manager's folder, otherwise beside the database, or where it is told to")
    func control() throws {
        let usual = try ServeSettings(try tree("database: /var/lib/pinhole/pinhole.db\n"))
        #expect(usual.controlPath([:]) == "/var/lib/pinhole/pinhole.db.control")
        #expect(usual.controlPath(["RUNTIME_DIRECTORY": "/run/pinhole"]) == "/run/pinhole/control.sock")
        #expect(try ServeSettings(try tree("control: /tmp/x\n")).controlPath(["RUNTIME_DIRECTORY": "/run/pinhole"]) == "/tmp/x")
        #expect(try ServeSettings(try tree("database: none\n")).controlPath([:]) == nil)
    }
}
