import Base
import Capture
import Foundation
import Testing

@Suite("Logs within records, escapes and pages, and packets told in words")
struct LogWrappingTests {
    private static let wires: [String] = WrappedLogs.wires

    @Test("messages within records are read as if they stood there", arguments: WrappedLogs.records.map(\.name))
    func records(name: String) throws {
        let (_, text, time) = try #require(WrappedLogs.records.first { $0.name == name })
        let found = LogFormsTests.messages(text)
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == Self.wires)
        #expect(found.first?.time?.instant == time.flatMap { LoggedTime($0)?.instant })
        #expect(found.map(\.message.direction) == [.sent, .received])
        #expect(found.map { $0.message.remote?.description } == ["203.0.113.10:5060", "203.0.113.10:5060"])
        #expect(found.map { $0.message.local?.description } == ["192.168.1.20:5060", "192.168.1.20:5060"])
    }

    private static func dissected(_ wire: String, _ source: String, _ destination: String, _ time: String) -> String {
        let lines = wire.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        let end = lines.firstIndex(of: "") ?? lines.count
        let (a, b) = (source.split(separator: ":"), destination.split(separator: ":"))
        let names = [
            "v": "Session Description Protocol Version", "o": "Owner/Creator, Session Id", "s": "Session Name",
            "c": "Connection Information",
            "t": "Time Description, active time", "m": "Media Description, name and address", "a": "Media Attribute",
        ]
        var text = [
            "Frame 1: 530 bytes on wire (4240 bits), 530 bytes captured (4240 bits) on interface eth0, id 0",
            "    Encapsulation type: Ethernet (1)",
            "    Arrival Time: \(time) UTC", "    [Time since reference or first frame: 0.000000000 seconds]",
            "Ethernet II, Src: 00:11:22:33:44:55, Dst: 66:77:88:99:aa:bb",
            "Internet Protocol Version 4, Src: \(a[0]), Dst: \(b[0])",
            "    0100 .... = Version: 4", "    Source Address: \(a[0])",
            "User Datagram Protocol, Src Port: \(a[1]), Dst Port: \(b[1])",
            "    Length: 496",
            lines[0].hasPrefix("SIP") ? "Session Initiation Protocol (401)" : "Session Initiation Protocol (REGISTER)",
            "    \(lines[0].hasPrefix("SIP") ? "Status" : "Request")-Line: \(lines[0])", "        [Resent Packet: False]",
            "    Message Header",
        ]
        for line in lines[1..<end] { text += ["        " + line, "            Detail: " + line, "        [Generated: 1]"] }
        if end + 2 < lines.count {
            text += ["    Message Body", "        Session Description Protocol"]
            for line in lines[(end + 1)...] where !line.isEmpty {
                text += [
                    "            \(names[String(line.prefix(1))] ?? "Other") (\(line.prefix(1))): \(line.dropFirst(2))",
                    "                Detail: 1",
                ]
            }
        }
        return (text + ["", ""]).joined(separator: "\n")
    }

    @Test("tshark -V: the message is put together from its fields")
    func words() {
        let invite = LogFormsTests.wire(LogFormsTests.invite)
        let text =
            Self.dissected(invite, "198.51.100.7:40112", "203.0.113.10:5060", "Jan 31, 2024 12:00:00.123000000")
            + Self.dissected(Self.wires[1], "203.0.113.10:5060", "198.51.100.7:40112", "Jan 31, 2024 12:00:00.161000000")
        let found = LogFormsTests.messages(text)
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [invite, Self.wires[1]])
        #expect(
            found.compactMap { $0.time?.instant }
                == ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"].compactMap { LoggedTime($0)?.instant })
        #expect(found.map { $0.message.local?.description } == ["198.51.100.7:40112", "203.0.113.10:5060"])
        #expect(found.map(\.message.transport) == [.udp, .udp] && found.map(\.line) == [12, 67])
    }

    private static func packet(_ payload: String) -> [UInt8] {
        let length = payload.utf8.count
        return [0x02, 0, 0, 0, 0, 1, 0x42, 0, 0, 0, 0, 2, 8, 0]
            + [
                0x45, 0, UInt8((length + 28) >> 8), UInt8((length + 28) & 255), 0, 1, 0, 0, 64, 17, 0, 0, 198, 51, 100, 7, 203, 0,
                113, 10,
            ]
            + [0x9c, 0xb0, 0x13, 0xc4, UInt8((length + 8) >> 8), UInt8((length + 8) & 255), 0, 0] + Array(payload.utf8)
    }

    private static func rows(_ octets: [UInt8], digits: Int, margin: String = "") -> String {
        func hex(_ value: Int, _ count: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: count - text.count) + text
        }
        return stride(from: 0, to: octets.count, by: 16).map { at in
            let row = octets[at..<min(at + 16, octets.count)]
            let text = String(decoding: row.map { (0x20..<0x7f).contains($0) ? $0 : 0x2e }, as: UTF8.self)
            let shown = row.map { hex(Int($0), 2) }.joined(separator: " ")
            return margin + hex(at, digits) + "  " + shown + String(repeating: " ", count: 3 * (16 - row.count)) + "   " + text
                + "\n"
        }.joined()
    }

    @Test("tshark -x: the packet's octets tell its ends and its message")
    func octets() {
        let found = LogFormsTests.messages(
            Self.rows(Self.packet(Self.wires[0]), digits: 4) + "\n" + Self.rows(Self.packet(Self.wires[1]), digits: 4))
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == Self.wires)
        #expect(found.map { $0.message.local?.description } == ["198.51.100.7:40112", "198.51.100.7:40112"])
        #expect(found.map(\.message.transport) == [.udp, .udp] && found.allSatisfy { $0.time == nil })
    }

    @Test("a followed stream in hexadecimal")
    func stream() {
        let found = LogFormsTests.messages(
            Self.rows(Array(Self.wires[0].utf8), digits: 8) + Self.rows(Array(Self.wires[1].utf8), digits: 8, margin: "    "))
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == Self.wires)
    }

    @Test("messages within one line are both of that line")
    func oneLine() {
        let message =
            "OPTIONS sip:192.0.2.1 SIP/2.0#015#012Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1#015#012CSeq: 1 OPTIONS#015#012"
        let head = "Nov 22 13:26:40 sbc kamailio[7]: INFO: "
        let items = LogFormsTests.items(head + message + head + message + "\n").items
        #expect(!items.isEmpty && items.allSatisfy { $0.line == 1 && $0.lastLine == 1 })
    }
}
