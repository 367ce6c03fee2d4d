import Base
import Configuration
import SIPStack
import Serve
import Testing

@Suite("Settings of the server")
struct ServeSettingsTests {
    func read(_ text: String, environment: [String: String] = [:]) throws -> ServeSettings {
        var root = try YAMLFile.parse(text, name: "pinhole.yaml")
        try ServeSettings.overlay(environment: environment, on: &root)
        return try ServeSettings(root)
    }

    @Test("Zero configuration: both families, port 5060, STUN on 3478, nothing stored unless a file is named")
    func defaults() throws {
        let settings = try read("")
        #expect(settings.listen.map(\.description) == ["0.0.0.0:5060", "[::]:5060"])
        #expect(settings.listensByDefault)
        #expect(settings.stun.isOn && settings.stun.port == 3478)
        #expect(settings.server.realm == "pinhole")
        #expect(settings.server.algorithms == [.md5])
        #expect(!settings.server.isPersistent)
    }

    @Test("What the environment holds for the phone keeps no server from starting")
    func phonesEnvironment() throws {
        let environment = ["PINHOLE_PASSWORD": "secret", "PINHOLE_CONFIG": "/etc/pinhole.yaml", "PINHOLE_PORT": "5070"]
        #expect(try read("", environment: environment).listen == ServeSettings.everywhere(port: 5070))
    }

    @Test("Metrics are told to this machine alone unless a place is named; off is nowhere")
    func metrics() throws {
        #expect(try read("").metrics == Endpoint("127.0.0.1:9460"))
        #expect(try read("metrics: '[::1]:9999'").metrics == Endpoint("[::1]:9999"))
        #expect(try read("metrics: off").metrics == nil)
        #expect(try read("", environment: ["PINHOLE_METRICS": "10.0.0.1:80"]).metrics == Endpoint("10.0.0.1:80"))
    }

    @Test(
        "A HEP collector is a name or an address, and a port or 9060",
        arguments: [
            ("homer.example.net", "homer.example.net", 9060), ("homer:9061", "homer", 9061), ("192.0.2.9", "192.0.2.9", 9060),
            ("192.0.2.9:1", "192.0.2.9", 1), ("2001:db8::9", "2001:db8::9", 9060), ("[2001:db8::9]:9062", "2001:db8::9", 9062),
        ])
    func collector(text: String, host: String, port: UInt16) throws {
        let hep = try #require(try read("hep: {collector: '\(text)'}").hep)
        #expect(hep.host == host && hep.port == port && hep.captureID == 2001 && hep.password == nil && !hep.showsSecrets)
        #expect(try read("hep: {collector: off}").hep == nil && read("").hep == nil)
    }

    @Test("A HEP collector is told what it wants to know of who asks")
    func collectorSettings() throws {
        let hep = try read("hep: {collector: homer, capture-id: 4294967295, password: sesame, secrets: yes}").hep
        #expect(hep?.captureID == .max && hep?.password == "sesame" && hep?.showsSecrets == true)
        let environment = ["PINHOLE_HEP_COLLECTOR": "homer:1", "PINHOLE_HEP_CAPTURE_ID": "7"]
        let other = try read("", environment: environment).hep
        #expect(other?.host == "homer" && other?.captureID == 7)
    }

    @Test("A whole file is understood")
    func whole() throws {
        let settings = try read(
            """
            listen: [192.0.2.10:5062, "[2001:db8::10]:5062"]
            realm: lab.test
            domains: [Lab.Test]
            database: /tmp/x.db
            durability: power
            stun: {port: 3480, address: 192.0.2.10, alternate: "192.0.2.11:3481"}
            registrar: {shortest: 30s, usual: 2m, longest: 1h, contacts: 3}
            keepalive: {interval: off, failures: 5}
            digest: {algorithms: [SHA-512-256, MD5], nonce-lifetime: 1m}
            advertise:
              - {network: 10.0.0.0/8, host: pbx.lan, port: 5070}
            """)
        #expect(settings.listen.map(\.port) == [5062, 5062])
        #expect(settings.server.domains == ["lab.test"])
        #expect(settings.server.isPersistent && settings.durability == .power)
        #expect(settings.stun.alternate?.description == "192.0.2.11:3481")
        #expect(settings.server.expiry.usual == 120)
        #expect(settings.server.limits.contactsPerAOR == 3)
        #expect(settings.server.keepalive.interval == nil)
        #expect(settings.server.algorithms == [.sha512256, .md5])
        #expect(settings.server.advertised.map(\.host) == ["pbx.lan"])
    }

    @Test("Trusted lifts the rates and leaves the other limits as they were set, whatever the order")
    func trusted() throws {
        let settings = try read("limits: {trusted: yes, bindings: 7}\nregistrar: {contacts: 100}\n")
        #expect(settings.server.limits.messagesPerSource == nil)
        #expect(settings.server.limits.unprovedReplies == nil)
        #expect(settings.server.limits.contactsPerAOR == 100)
        #expect(settings.server.limits.bindings == 7)
    }

    @Test("Durability none keeps the accounts' database and stores no binding")
    func memoryOnly() throws {
        let settings = try read("database: /tmp/x.db\ndurability: none\n")
        #expect(settings.database == "/tmp/x.db")
        #expect(!settings.server.isPersistent)
    }

    @Test("A self-signed certificate names what is configured, and no address of the machine that nobody named")
    func certificateNames() throws {
        #expect(try read("tls: {names: [a.example]}\ndomains: [b.example]\n").certificateNames == ["a.example"])
        let advertised = "advertise: [{network: 0.0.0.0/0, host: 203.0.113.10}]\n"
        #expect(try read("domains: [b.example]\n" + advertised).certificateNames == ["b.example", "203.0.113.10"])
        let bare = try read("").certificateNames
        #expect(bare.count == 1 && IPAddress(bare[0]) == nil)
    }

    @Test(
        "sip-debug: no, yes, or everything: secrets too",
        arguments: [("no", false, false), ("yes", true, false), ("everything", true, true)])
    func sipDebug(text: String, showsSIP: Bool, showsSecrets: Bool) throws {
        let settings = try read("sip-debug: \(text)\n")
        #expect(settings.showsSIP == showsSIP && settings.showsSecrets == showsSecrets)
    }

    @Test("Origins of pages are kept as browsers write them")
    func origins() throws {
        let settings = try read("websocket: {origins: [HTTPS://Phone.Example.Net/, \"http://lab:80\", \"https://lab:8443\"]}\n")
        #expect(settings.streams.limits.origins == ["https://phone.example.net", "http://lab", "https://lab:8443"])
        #expect(
            try read("", environment: ["PINHOLE_WEBSOCKET_ORIGINS": "https://a, https://b:443"]).streams.limits.origins
                == ["https://a", "https://b"])
    }

    @Test("The environment lies over the file; a PINHOLE_ name that means nothing is a mistake")
    func environment() throws {
        let settings = try read(
            "realm: a\n",
            environment: ["PINHOLE_REALM": "b", "PINHOLE_STUN_PORT": "99", "PINHOLE_LISTEN": "127.0.0.1:1,127.0.0.1:2"])
        #expect(settings.server.realm == "b")
        #expect(settings.stun.port == 99)
        #expect(settings.listen.map(\.port) == [1, 2])
        let error = #expect(throws: ConfigError.self) { try read("", environment: ["PINHOLE_REALMS": "x"]) }
        #expect(error?.description.hasPrefix("environment variable PINHOLE_REALMS: no setting has this name. Known: ") == true)
    }

    @Test(
        "A mistake is reported with line, key and what was expected",
        arguments: [
            ("realm: a\nprot: 5060\n", "pinhole.yaml:2:1: prot: unknown key. Did you mean port?"),
            ("port: many\n", "pinhole.yaml:1:7: port: expected a port from 0 to 65535, found \"many\""),
            ("listen: [nowhere]\n", "pinhole.yaml:1:10: listen[0]: expected an address and port such as 0.0.0.0:5060"),
            ("keepalive:\n  interval: 10ms\n", "pinhole.yaml:2:13: keepalive.interval: expected at least 1s, or off"),
            ("digest:\n  algorithms: [SHA-1]\n", "pinhole.yaml:2:16: digest.algorithms[0]: expected MD5, SHA-256 or SHA-512-256"),
            (
                "registrar: {usual: 1m, shortest: 2m}\n",
                "pinhole.yaml:1:20: registrar.usual: expected shortest <= usual <= longest"
            ),
            ("stun: {alternate: \"192.0.2.11:3479\"}\n", "pinhole.yaml:1:19: stun.alternate: needs stun.address as well"),
            ("advertise: [{host: x}]\n", "pinhole.yaml:1:13: advertise[0].network: is missing"),
            (
                "websocket: {origins: [phone.example.net]}\n",
                "pinhole.yaml:1:23: websocket.origins[0]: expected an origin such as https://phone.example.net"
            ),
            (
                "metrics: 9460\n",
                "pinhole.yaml:1:10: metrics: expected off, or an address and port such as 127.0.0.1:9460, found \"9460\""
            ),
            (
                "hep: {capture-id: 3}\n",
                "pinhole.yaml:1:6: hep.collector: is missing: who is told, such as homer.example.net:9060"
            ),
            ("hep: {collector: 'a:b:c'}\n", "pinhole.yaml:1:18: hep.collector: expected off, or a name or address, with a port"),
            ("hep: {collector: a, password: []}\n", "pinhole.yaml:1:31: hep.password: expected a single value"),
            ("realm: 'a\"b'\n", "pinhole.yaml:1:8: realm: expected a realm without quotes"),
        ])
    func mistakes(text: String, beginning: String) {
        let error = #expect(throws: ConfigError.self) { try read(text) }
        #expect(error?.description.hasPrefix(beginning) == true, "\(error?.description ?? "nothing")")
    }
}
