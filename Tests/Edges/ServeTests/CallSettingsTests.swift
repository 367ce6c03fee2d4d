import Base
import Configuration
import Serve
import ServerNode
import Testing

@Suite("Settings of calls, rooms, media and streams")
struct CallSettingsTests {
    func read(_ text: String, environment: [String: String] = [:]) throws -> ServeSettings {
        var root = try YAMLFile.parse(text, name: "pinhole.yaml")
        try ServeSettings.overlay(environment: environment, on: &root)
        return try ServeSettings(root)
    }

    @Test("Without settings: rooms 8000 to 8099, echo 600, tone 601, address 602, SRTP, whichever usual ports are free")
    func defaults() throws {
        let settings = try read("")
        #expect(!settings.server.calls.anonymousCalls && settings.server.calls.forwarding == .follow)
        #expect(settings.server.calls.roomNumbers == 8000...8099)
        #expect(settings.server.calls.echo == "600")
        #expect(settings.server.calls.tone == "601")
        #expect(settings.server.calls.address == "602")
        #expect(settings.media.ports == nil && settings.media.loops == 1 && settings.media.isSecurable)
        #expect(settings.streams.tcp == nil && settings.streams.tls == nil && settings.streams.ws.isEmpty)
    }

    @Test("Everything about calls is understood")
    func whole() throws {
        let settings = try read(
            """
            calls:
              anonymous: yes
              ring-for: 20s
              forwarding: pass-on
              echo: "*43"
              tone: off
              rooms: 700-709
              session-expires: 10m
              keep-records: 24h
            rooms:
              - {name: board, pin: "0471", owner: "100", record: yes}
              - {name: "8000"}
            pickup-groups:
              - {name: office, users: [100, 101]}
              - {users: ["102", 100]}
            intercom-groups: [{users: [100, 150]}]
            media: {ports: 30000-30099, loops: 2, srtp: no, source: any, recordings: /tmp/r}
            limits: {calls: 300, calls-per-account: 20, records: 5000, record-megabytes: 10}
            tcp: off
            ws: ["0.0.0.0:8080"]
            tls: {listen: "0.0.0.0:5071", names: [sip.example.net]}
            """)
        let calls = settings.server.calls
        #expect(calls.anonymousCalls && calls.ringFor == .seconds(20) && calls.forwarding == .passOn)
        #expect(calls.echo == "*43" && calls.tone == nil && calls.address == "602")
        #expect(calls.roomNumbers == 700...709)
        #expect(calls.session.interval == 600)
        #expect(
            calls.rooms == [
                .init(name: "board", pin: "0471", owner: "100", records: true), .init(name: "8000"),
            ])
        #expect(calls.pickupGroups == [["100", "101"], ["100", "102"]] && calls.intercomGroups == [["100", "150"]])
        #expect(settings.media.ports == 30_000...30_099 && settings.media.loops == 2 && !settings.media.isSecurable)
        #expect(settings.media.believesAnyone && !ServeSettings().media.believesAnyone)
        #expect(settings.server.limits.calls == 300 && settings.server.limits.callsPerAccount == 20)
        #expect(settings.records.records == 5_000 && settings.records.recordsPerAccount == 5_000)
        #expect(settings.records.bytes == 10 << 20)
        #expect(settings.media.recordings == "/tmp/r" && settings.records.age == .seconds(86_400))
        #expect(settings.streams.tcp == [] && settings.streams.ws.map(\.description) == ["0.0.0.0:8080"])
        #expect(settings.streams.tls?.map(\.description) == ["0.0.0.0:5071"] && settings.streams.names == ["sip.example.net"])
    }

    @Test(
        "A mistake names its key and what was expected",
        arguments: [
            ("media: {ports: 30000}", "media.ports"), ("media: {ports: 5-4}", "media.ports"),
            ("media: {source: all}", "media.source"),
            ("calls: {rooms: x}", "calls.rooms"),
            ("calls: {session-expires: 30s}", "calls.session-expires"), ("rooms: [{pin: \"1234\"}]", "rooms[0].name"),
            ("rooms: [{name: a, pin: \"12\"}]", "rooms[0].pin"), ("rooms: [{name: \"a@b\"}]", "rooms[0].name"),
            ("calls: {eco: 600}", "calls.eco"), ("tls: {certificate: a.pem}", "tls.certificate"),
            ("limits: {connections: 0}", "limits.connections"), ("pickup-groups: [{users: [100]}]", "pickup-groups[0].users"),
            ("pickup-groups: [{user: [100, 101]}]", "pickup-groups[0]"),
        ])
    func mistakes(text: String, key: String) throws {
        let error = #expect(throws: ConfigError.self) { try read(text) }
        #expect(error?.description.contains(key) == true, "\(String(describing: error))")
    }

    @Test("Rooms are too much for the environment: its name for them is refused like any that means nothing")
    func environment() throws {
        #expect(throws: ConfigError.self) { try read("", environment: ["PINHOLE_ROOMS": "8000"]) }
        #expect(try read("", environment: ["PINHOLE_MEDIA_PORTS": "4000-4001"]).media.ports == 4000...4001)
    }
}
