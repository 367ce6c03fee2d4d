import Base
import Foundation
import SIP
import Streams
import Testing

@Suite("SIP over TLS on real sockets")
struct TLSTests {
    let folder = Folder()

    func identity(_ names: [String] = ["pbx.lab", "127.0.0.1", "::1"]) throws -> TLSIdentity {
        try TLSIdentity.selfSigned(in: folder.path, names: names)
    }

    @Test("Messages cross both ways under a self-signed certificate", arguments: ["127.0.0.1", "::1"])
    func bothWays(address: String) throws {
        let pair = try StreamPair(.tls, address: address, identity: try identity())
        pair.client.service.send(Array(request(1, body: 60_000).utf8), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1, body: 60_000))
        pair.server.service.send(Array(request(2).utf8), on: pair.serverFlow)
        #expect(try pair.client.message() == request(2))
        pair.client.service.close(pair.clientFlow)
        #expect(try pair.server.closed() == .peer)
    }

    @Test("A self-signed identity is made once and kept, its key for the owner's eyes only")
    func kept() throws {
        let first = try identity()
        #expect(try identity().fingerprint == first.fingerprint)
        #expect(first.fingerprint.split(separator: ":").count == 32)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/tls-key.pem")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        // Ten years on it is about to expire: another is made.
        let later = try TLSIdentity.selfSigned(
            in: folder.path, names: ["pbx.lab"], now: Date().addingTimeInterval(3_640 * 86_400))
        #expect(later.fingerprint != first.fingerprint)
    }

    @Test("It is made anew where it is not valid for a name that is asked for, and for no other reason")
    func renamed() throws {
        let first = try identity(["pbx.lab", "10.0.0.1", "2001:db8::1"])
        func with(_ required: [String]) throws -> String {
            try TLSIdentity.selfSigned(in: folder.path, names: required, required: required).fingerprint
        }
        #expect(try with([]) == first.fingerprint)
        #expect(try with(["2001:db8::1", "10.0.0.1"]) == first.fingerprint)
        let second = try with(["10.0.0.2", "pbx.lab"])
        #expect(second != first.fingerprint)
        #expect(try with(["pbx.lab"]) == second)
        #expect(try with(["sip.lab"]) != second)
    }

    enum Outcome: Sendable { case opens, fails }

    @Test(
        "A client believes a certificate of its trust and of the name it wanted, nothing else",
        arguments: [
            ("pbx.lab", true, Outcome.opens), (nil, true, .opens), ("other.lab", true, .fails), ("pbx.lab", false, .fails),
        ] as [(String?, Bool, Outcome)])
    func verification(name: String?, trusted: Bool, outcome: Outcome) throws {
        let server = StreamEnd()
        let bound = try server.service.listen(.tls, at: try #require(Endpoint("127.0.0.1:0")), identity: try identity())
        let client = StreamEnd()
        let flow = StreamPair.flow(.tls, to: bound, number: 1)
        let trust = trusted ? TLSTrust.file(folder.path + "/tls-certificate.pem") : .system
        client.service.connect(flow, serverName: name, trust: trust)
        switch outcome {
        case .opens: #expect(try client.opened() == flow)
        case .fails:
            guard case .tls(let reason) = try client.closed() else { throw CancellationError() }
            #expect(!reason.isEmpty)
        }
    }

    @Test("Plain text on the TLS port is refused as such, and the node never hears of it")
    func plainText() throws {
        let server = StreamEnd()
        let bound = try server.service.listen(.tls, at: try #require(Endpoint("127.0.0.1:0")), identity: try identity())
        let client = StreamEnd()
        let flow = StreamPair.flow(.tcp, to: bound, number: 1)
        client.service.connect(flow, framing: .raw)
        #expect(try client.opened() == flow)
        client.service.send(Array(request(1).utf8), on: flow)
        while true {
            if case .closed = try client.next() { break }
        }
        server.service.stop()
        #expect(server.service.counters.unintelligible == 1)
        #expect(server.inbox.takeAll().isEmpty)
    }

    @Test("Files that hold no certificate or no key are named")
    func badFiles() throws {
        _ = try identity()
        let certificate = folder.path + "/tls-certificate.pem"
        let key = folder.path + "/tls-key.pem"
        let missing = #expect(throws: TLSIdentity.Failure.self) {
            try TLSIdentity(certificateFile: folder.path + "/none.pem", keyFile: key)
        }
        #expect(missing?.description.hasPrefix(folder.path + "/none.pem: there is no such file") == true)
        let swapped = #expect(throws: TLSIdentity.Failure.self) {
            try TLSIdentity(certificateFile: certificate, keyFile: certificate)
        }
        #expect(swapped?.description.hasPrefix(certificate + ": not a readable, unencrypted PEM private key") == true)
    }
}
