import Base
import Configuration
import Serve
import ServerNode
import Testing

@Suite("What may be set up otherwise than somebody thinks")
struct FirstUseTests {
    func read(_ text: String) throws -> ServeSettings { try ServeSettings(try YAMLFile.parse(text, name: "pinhole.yaml")) }

    @Test(
        "TLS is one port above SIP's by default and wherever a certificate is named; with listen: alone nowhere; as chosen otherwise",
        arguments: [
            ("", ["127.0.0.1:5071"]),
            ("listen: [127.0.0.1:5070]", []),
            ("listen: [127.0.0.1:5070]\ntls: {certificate: a.pem, key: b.pem}", ["127.0.0.1:5071"]),
            ("listen: [127.0.0.1:5070]\ntls: {certificate: a.pem, key: b.pem, listen: \"127.0.0.1:443\"}", ["127.0.0.1:443"]),
            ("tls: off", []),
        ])
    func tls(text: String, places: [String]) throws {
        let datagrams = [try #require(Endpoint("127.0.0.1:5070"))]
        #expect(try read(text).tlsEndpoints(beside: datagrams).map(\.description) == places)
    }

    @Test("Accounts of another realm cannot register: they are named, with what to do")
    func otherRealm() throws {
        let settings = try read("realm: new")
        let accounts = (100..<107).map { Account(username: "\($0)", realm: "old", password: "x") }
        #expect(
            settings.warnings(about: accounts + [Account(username: "1", realm: "new", password: "x")]) == [
                "7 accounts of realm old cannot register here: 100, 101, 102, 103, 104 and 2 more. This server's realm is new, and passwords "
                    + "are kept as hashes over the realm: say realm: old, or add them again with: pinhole account add"
            ])
        #expect(settings.warnings(about: [Account(username: "1", realm: "new", password: "x")]).isEmpty)
    }

    @Test(
        "An account that hides a room or a service is told",
        arguments: [
            ("600", "the echo test"), ("601", "the test tone"), ("602", "the service that says one's address"),
            ("8000", "conference room 8000"), ("board", "conference room board"),
        ])
    func hides(user: String, meaning: String) throws {
        let settings = try read("rooms: [{name: board}]")
        #expect(
            settings.warnings(about: [Account(username: user, realm: "pinhole", password: "x")]) == [
                "account \(user) hides \(meaning): whoever dials \(user) gets the account's phones"
            ])
    }

    @Test("Accounts like any other hide nothing", arguments: ["100", "7999", "08000", "80000", "alice"])
    func hidesNothing(user: String) throws {
        #expect(try read("").warnings(about: [Account(username: user, realm: "pinhole", password: "x")]).isEmpty)
    }
}
