import Base
import Capture
import ExplainCommand
import Fixtures
import Foundation
import Testing

@Suite("explain --keylog, the command")
struct KeylogCommandTests {
    /// A recorded TLS talk on port 5061 as a capture: connection and data, one segment a turn.
    static func capture(_ talk: TLSTalk) -> [UInt8] {
        var writer = PcapWriter()
        var next: (client: UInt32, server: UInt32) = (1_000, 5_000)
        var time = Instant(seconds: 1_700_000_000)
        func send(_ isClient: Bool, _ flags: UInt8, _ payload: [UInt8] = []) {
            let client: (address: [UInt8], port: UInt16) = ([192, 0, 2, 20], 41_000)
            let server: (address: [UInt8], port: UInt16) = ([203, 0, 113, 5], 5_061)
            let ends = isClient ? (client, server) : (server, client)
            var packet: [UInt8] = [0x45, 0]
            packet.append(bigEndian: UInt16(40 + payload.count))
            packet += [0, 1, 0x40, 0, 64, 6, 0, 0]
            packet += ends.0.address + ends.1.address
            packet.append(bigEndian: ends.0.port)
            packet.append(bigEndian: ends.1.port)
            packet.append(bigEndian: isClient ? next.client : next.server)
            packet.append(bigEndian: isClient ? next.server : next.client)
            packet += [0x50, flags, 0xff, 0xff, 0, 0, 0, 0] + payload
            time = time + .milliseconds(10)
            writer.append(packet, at: time)
            let length = UInt32(payload.count) + (flags & 2 != 0 ? 1 : 0)
            if isClient { next.client += length } else { next.server += length }
        }
        send(true, 0x02)
        send(false, 0x12)
        send(true, 0x10)
        for turn in talk.turns { send(turn.isClient, 0x18, turn.octets) }
        return writer.bytes
    }

    /// What the command ends with, and its page; nil where it wrote none.
    private func explain(_ keylog: String?, capture: [UInt8]) throws -> (status: Int32, page: String?) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        try Data(capture).write(to: URL(fileURLWithPath: path("talk.pcap")))
        if let keylog { try Data(keylog.utf8).write(to: URL(fileURLWithPath: path("keys.log"))) }
        let command = try ExplainCommand.parse([
            path("talk.pcap"), "--no-color", "--all", "--html", path("page.html"), "--keylog", path("keys.log"),
        ])
        var status: Int32 = 0
        do { try command.run() } catch { status = ExplainCommand.exitCode(for: error).rawValue }
        return (status, try? String(contentsOfFile: path("page.html"), encoding: .utf8))
    }

    @Test(
        "the messages inside are read with the session's secrets",
        arguments: ["tls12-aes128-gcm", "tls13-aes256-gcm", "tls13-wss"])
    func reads(name: String) throws {
        let talk = try TLSTalk(name)
        let (status, page) = try explain(talk.keys.joined(separator: "\n") + "\n", capture: Self.capture(talk))
        #expect(status == 0)
        #expect(try #require(page).contains("Call-ID tls-1@example.org"))
        #expect(try #require(page).contains("signalling over \(name.hasSuffix("wss") ? "WSS" : "TLS")"))
    }

    @Test("a key log of other sessions opens nothing, and the report says so")
    func fitsNothing() throws {
        let other = try TLSTalk("tls12-aes256-gcm").keys.joined(separator: "\n")
        let (status, page) = try explain(other + "\n", capture: Self.capture(try TLSTalk("tls12-aes128-gcm")))
        #expect(status == 2)
        #expect(!(try #require(page).contains("tls-1@example.org")))
        #expect(try #require(page).contains("the key log holds no secrets of it"))
    }

    @Test(
        "a key log that is not there, is empty, or is none ends the command before anything is judged",
        arguments: [nil, "", "Dear all,\n"])
    func unread(keylog: String?) throws {
        let (status, page) = try explain(keylog, capture: Self.capture(try TLSTalk("tls12-aes128-gcm")))
        #expect(status == 2 && page == nil)
    }
}
