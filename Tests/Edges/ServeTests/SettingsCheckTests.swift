import Base
import Configuration
import Foundation
import ServerNode
import Serve
import Storage
import Streams
import Testing

@Suite("What check-config finds before the server starts")
struct SettingsCheckTests {
    let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/pinhole-check-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func check(_ text: String, at now: Instant = Instant(nanoseconds: 1_790_000_000_000_000_000)) throws -> SettingsCheck {
        let root = try YAMLFile.parse(text, name: "pinhole.yaml")
        return SettingsCheck(try ServeSettings(root), readFrom: root, now: now)
    }

    /// Its mistakes, as they are told.
    func mistakes(_ text: String) throws -> [String] { try check(text).mistakes.map(\.description) }

    /// A self-signed pair, made on the day of the Unix epoch plus so many seconds.
    func pair(_ name: String, madeAt seconds: Double = 1_790_000_000) throws -> (chain: String, key: String) {
        let place = folder + "/" + name
        _ = try TLSIdentity.selfSigned(in: place, names: ["pbx.lab"], now: Date(timeIntervalSince1970: seconds))
        return (place + "/tls-certificate.pem", place + "/tls-key.pem")
    }

    @Test("Settings that work have no mistake, and nothing is made")
    func works() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let pair = try pair("tls")
        let found = try check(
            """
            listen: [127.0.0.1:5060]
            database: \(folder)/new/folder/pinhole.db
            tls: {listen: [127.0.0.1:5061], certificate: \(pair.chain), key: \(pair.key)}
            media: {recordings: \(folder)/recordings}
            rooms: [{name: board, record: yes}]
            """)
        #expect(found.mistakes.isEmpty && found.warnings.isEmpty && found.accounts == nil)
        #expect(found.certificate?.hasPrefix("valid from 2026-09-19 to 2036-09-18, SHA-256 ") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tls"])
    }

    @Test("A certificate that is missing, no certificate, or not the key's is told with the setting's place")
    func certificates() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (one, other) = (try pair("one"), try pair("other"))
        func told(_ chain: String, _ key: String) throws -> [String] {
            try mistakes("listen: [127.0.0.1:5060]\ntls:\n  listen: [127.0.0.1:5061]\n  certificate: \(chain)\n  key: \(key)\n")
        }
        #expect(try told(one.chain, one.key) == [])
        #expect(try told("/nowhere.pem", one.key) == ["pinhole.yaml:4:16: tls.certificate: /nowhere.pem: there is no such file"])
        #expect(try told(one.chain, "/nowhere.pem") == ["pinhole.yaml:5:8: tls.key: /nowhere.pem: there is no such file"])
        #expect(try told(one.key, one.key).first?.contains("tls.certificate: \(one.key): not a readable PEM certificate") == true)
        #expect(
            try told(one.chain, one.chain).first?.contains("tls.key: \(one.chain): not a readable, unencrypted PEM private key")
                == true)
        #expect(
            try told(one.chain, other.key) == [
                "pinhole.yaml:5:8: tls.key: \(other.key): not the key of the first certificate in \(one.chain)"
            ])
    }

    @Test(
        "A certificate that ended, or has not begun, is warned of with the day",
        arguments: [
            (1_400_000_000.0, "the certificate ended on 2024-05-10; phones that look refuse it"),
            (1_800_000_000.0, "the certificate begins on 2027-01-13; phones that look refuse it until then"),
        ])
    func dates(made: Double, words: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let pair = try pair("tls", madeAt: made)
        let found = try check(
            "listen: [127.0.0.1:5060]\ntls: {listen: [127.0.0.1:5061], certificate: \(pair.chain), key: \(pair.key)}\n")
        #expect(found.mistakes.isEmpty)
        #expect(found.warnings == ["\(pair.chain): \(words)"])
    }

    @Test("A database that cannot be, or is none, is told; accounts in it are counted and judged")
    func databases() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let listen = "listen: [127.0.0.1:5060]\n"
        let file = folder + "/file"
        try "no database".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(
            try mistakes(listen + "database: \(file)/pinhole.db\n")
                == ["pinhole.yaml:2:11: database: \(file)/pinhole.db: \(file) is no folder"])
        #expect(
            try mistakes(listen + "database: \(file)\n").first?.hasPrefix(
                "pinhole.yaml:2:11: database: cannot read the database \(file):") == true)
        let path = folder + "/pinhole.db"
        let database = try PinholeDatabase(path: path)
        try database.add(Account(username: "8000", realm: "pinhole", password: "x"))
        let found = try check(listen + "database: \(path)\n")
        #expect(found.mistakes.isEmpty && found.accounts == 1)
        #expect(found.warnings.count == 1 && found.warnings[0].hasPrefix("account 8000 hides"))
    }

    @Test("An address that is not here is told; a port that is taken is not: a server may be running")
    func addresses() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let found = try mistakes("listen: [127.0.0.1:5060, 192.0.2.77:5060]\n")
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix("pinhole.yaml:1:9: listen: SIP over UDP: 192.0.2.77 is not an address of this machine.")
                == true)
    }

    @Test("Two services that want one port are told")
    func collisions() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(
            try mistakes("listen: [127.0.0.1:5060]\nws: [127.0.0.1:8080]\nwss: [0.0.0.0:8080]\n") == [
                "pinhole.yaml:3:6: wss: SIP over secure WebSocket and SIP over WebSocket both want 0.0.0.0:8080; give one of them another port"
            ])
        #expect(
            try mistakes("listen: [127.0.0.1:3478]\n") == [
                "pinhole.yaml:1:1: stun.port: STUN and SIP over UDP both want 127.0.0.1:3478: STUN is answered on SIP's port anyway; say stun: {enabled: no}"
            ])
    }

    @Test("A room to be recorded nowhere, or in no folder, is told")
    func recordings() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let rooms = "listen: [127.0.0.1:5060]\nrooms: [{name: board, record: yes}]\n"
        #expect(
            try mistakes(rooms) == [
                "pinhole.yaml:2:8: rooms: a room is to be recorded, but nowhere: name a folder under media.recordings"
            ])
        #expect(
            try mistakes(rooms + "media: {recordings: /dev/null/x}\n")
                == ["pinhole.yaml:3:21: media.recordings: /dev/null/x: /dev/null is no folder"])
    }

    @Test("Every line that packaging/pinhole.yaml shows can be used")
    func packaged() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../../packaging/pinhole.yaml")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        // "#word" and its continuation "#  " are settings, "# " is prose.
        let settings = lines.map {
            $0.hasPrefix("#") && !($0.hasPrefix("# ") && !$0.hasPrefix("#  ")) ? String($0.dropFirst()) : String($0)
        }
        let read = try ServeSettings(try YAMLFile.parse(settings.joined(separator: "\n"), name: "pinhole.yaml"))
        #expect(
            read.database == "/var/lib/pinhole/pinhole.db" && read.server.calls.rooms.count == 1
                && read.server.advertised.count == 2)
        let untouched = try ServeSettings(try YAMLFile.parse(lines.joined(separator: "\n"), name: "pinhole.yaml"))
        #expect(untouched.listensByDefault && untouched.server.calls.rooms.isEmpty)
    }
}
