import Base
import Testing

@Suite("Reading configuration: a mistake is reported with place, key and what was expected")
struct ConfigReaderTests {
    func node(_ entries: KeyValuePairs<String, String>) -> ConfigNode {
        var line = 0
        let mapped = entries.map { key, value in
            line += 1
            let place = ConfigPlace.file(name: "t.yaml", line: line, column: 1)
            return ConfigNode.Entry(key: key, place: place, value: ConfigNode(.scalar(value), at: place))
        }
        return ConfigNode(.mapping(mapped), at: .file(name: "t.yaml", line: 1, column: 1))
    }

    @Test("An unknown key names its line and the nearest known key")
    func unknownKey() throws {
        var reader = try ConfigReader(node(["realm": "x", "expries": "60"]), path: "registrar")
        _ = try reader.string("realm")
        _ = try reader.duration("expires")
        let error = #expect(throws: ConfigError.self) { try reader.finish() }
        #expect(
            error?.description
                == "t.yaml:2:1: registrar.expries: unknown key. Did you mean expires? Known here: expires, realm")
    }

    @Test("A value of the wrong kind says what was expected and what was found")
    func wrongKind() throws {
        var reader = try ConfigReader(node(["port": "70000", "nat": "perhaps"]))
        let port = #expect(throws: ConfigError.self) { try reader.port("port") }
        #expect(port?.description == "t.yaml:1:1: port: expected a port from 0 to 65535, found \"70000\"")
        let nat = #expect(throws: ConfigError.self) { try reader.bool("nat") }
        #expect(nat?.description == "t.yaml:2:1: nat: expected yes or no, found \"perhaps\"")
    }

    @Test(
        "Durations: a number and a unit; a bare number means seconds",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("2h", .seconds(7200)),
            ("1d", .seconds(86_400)), ("1.5s", .milliseconds(1500)), ("40", .seconds(40)), ("-1s", nil), ("soon", nil), ("", nil),
        ] as [(String, Duration?)])
    func durations(text: String, expected: Duration?) { #expect(Duration(text: text) == expected) }

    @Test("Flags lie over the environment, which lies over the file; an error names the layer that was wrong")
    func layers() throws {
        var root = node(["realm": "file"])
        let fromEnvironment = ConfigPlace.environment(variable: "PINHOLE_STUN_PORT")
        root.override("stun.port", with: ConfigNode(.scalar("x"), at: fromEnvironment))
        root.override("realm", with: ConfigNode(.scalar("flag"), at: .flag("--realm")))
        var reader = try ConfigReader(root)
        #expect(try reader.string("realm") == "flag")
        var stun = try #require(try reader.section("stun"))
        let error = #expect(throws: ConfigError.self) { try stun.port("port") }
        #expect(
            error?.description
                == "environment variable PINHOLE_STUN_PORT: stun.port: expected a port from 0 to 65535, found \"x\"")
    }
}
