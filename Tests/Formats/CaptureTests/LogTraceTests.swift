import Base
import Capture
import Testing

@Suite("What pagers, editors, terminals and exports leave in a text log")
struct LogTraceTests {
    private static let log: [String] =
        ["2024/05/03 10:11:12.250000 198.51.100.7:40112 -> 203.0.113.10:5060"] + LogFormsTests.request
        + ["2024/05/03 10:11:12.270000 203.0.113.10:5060 -> 198.51.100.7:40112"] + LogFormsTests.response
    private static let server: [String] =
        [
            "[2024-05-03 10:11:12] VERBOSE[1] res_pjsip_logger.c: <--- Received SIP request (\(octets(LogFormsTests.request)) bytes) from UDP:198.51.100.7:40112 --->"
        ]
        + LogFormsTests.request + [""]
        + [
            "[2024-05-03 10:11:12] VERBOSE[1] res_pjsip_logger.c: <--- Transmitting SIP response (\(octets(LogFormsTests.response)) bytes) to UDP:198.51.100.7:40112 --->"
        ]
        + LogFormsTests.response + [""]

    private static func octets(_ lines: [String]) -> Int { LogFormsTests.wire(lines).utf8.count }

    private static func quoted(_ line: String) -> String {
        line.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
            .split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"")
    }

    private static func mailed(_ line: String) -> String {
        line.split(separator: "<sip:", omittingEmptySubsequences: false).enumerated().map { index, part in
            guard index > 0, let close = part.firstIndex(of: ">"), part.contains("@") else {
                return (index > 0 ? "<sip:" : "") + part
            }
            return "<sip:\(part[..<close]) <mailto:\(part[..<close])> \(part[close...])"
        }.joined()
    }

    static let ways: [(name: String, dress: @Sendable ([String]) -> [String])] = [
        ("visible carriage returns", { $0.map { $0 + "^M" } }), ("cat -A", { $0.map { $0 + "^M$" } }),
        ("ends shown", { $0.map { $0 + "$" } }),
        ("colours without ESC", { $0.map { "[0m" + $0 + "[0m" } }),
        ("colours with a visible ESC", { $0.map { "^[[1;32m" + $0 + "^[[0m" } }),
        ("bold start lines", { $0.map { $0.contains("SIP/2.0") && !$0.hasPrefix("Via") ? "**\($0)**" : $0 } }),
        ("a bold method", { $0.map { $0.hasPrefix("REGISTER") ? "**REGISTER**" + $0.dropFirst(8) : $0 } }),
        ("mail links", { $0.map(mailed) }),
        ("numbered", { $0.enumerated().map { "\(String(repeating: " ", count: 3))\($0 + 1)\t\($1)" } }),
        ("indented by tabs", { $0.map { "\t" + $0 } }), ("indented and quoted", { $0.map { ">   " + $0 } }),
        ("a list's marks", { $0.map { "* " + $0 } }), ("comments", { $0.map { ("# " + $0) } }),
        ("strings of a program", { $0.map { "  \"\(quoted($0))\\r\\n\" +" } }),
        ("a list of strings", { ["{", " \"log\": ["] + $0.map { "  \"\(quoted($0))\"," } + ["]}"] }),
        ("a list in one line", { ["{\"log\": [" + $0.map { "\"\(quoted($0))\"" }.joined(separator: ", ") + "]}"] }),
    ]

    @Test("messages are whole whatever was left in their lines", arguments: ways.map(\.name))
    func left(name: String) throws {
        let way = try #require(Self.ways.first { $0.name == name })
        for log in [Self.log, Self.server] {
            let text = way.dress(log).joined(separator: "\n") + "\n"
            let found = LogFormsTests.messages(text)
            #expect(
                found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [
                    LogFormsTests.wire(LogFormsTests.request), LogFormsTests.wire(LogFormsTests.response),
                ])
            #expect(found.allSatisfy { $0.message.remote?.port != nil && $0.time?.basis == .absolute })
        }
    }

    @Test("line ends that became blanks are found again, also of several messages in one line")
    func unfolded() {
        let lines =
            Self.log + ["2024/05/03 10:11:13.000000 198.51.100.7:40112 -> 203.0.113.10:5060"] + LogFormsTests.invite + Self.log
        let whole = LogFormsTests.messages(lines.joined(separator: "\n") + "\n").map(\.message)
        let found = LogFormsTests.messages(lines.joined(separator: " ") + "\n").map(\.message)
        #expect(whole.count == 5 && found.map(\.bytes) == whole.map(\.bytes) && found.map(\.remote) == whole.map(\.remote))
    }

    @Test("a followed stream as YAML or C arrays, and packets as lines of digits, are read")
    func followed() {
        let wires = [LogFormsTests.request, LogFormsTests.response].map { Array(LogFormsTests.wire($0).utf8) }
        func hex(_ octet: UInt8) -> String { (octet < 16 ? "0" : "") + String(octet, radix: 16) }
        let arrays = wires.enumerated().map { index, wire in
            "char peer\(index)_\(index)[] = { /* Packet \(index + 1) */\n" + wire.map { "0x" + hex($0) }.joined(separator: ", ")
                + " };\n"
        }.joined()
        let digits = wires.map { $0.map(hex).joined() + "\n" }.joined()
        let yaml =
            "peers:\n  - peer: 0\n    host: 198.51.100.7\n    port: 40112\n  - peer: 1\n    host: 203.0.113.10\n    port: 5060\npackets:\n"
            + wires.enumerated().map { index, wire in
                "  - packet: \(index + 1)\n    peer: \(index)\n    index: \(index)\n    timestamp: 1714731072.25\n    data: !!binary |\n      \(Self.base64(wire))\n"
            }.joined()
        for text in [arrays, digits, yaml] {
            #expect(LogFormsTests.messages(text).map(\.message.bytes) == wires)
        }
        let read = LogFormsTests.messages(yaml)
        #expect(read.map { $0.message.local?.description } == ["198.51.100.7:40112", "203.0.113.10:5060"])
        #expect(read.allSatisfy { $0.time?.instant == Instant(nanoseconds: 1_714_731_072_250_000_000) })
    }

    private static func base64(_ octets: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        return stride(from: 0, to: octets.count, by: 3).map { at -> String in
            let part = octets[at..<min(at + 3, octets.count)]
            let bits = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            return (0..<4).map { $0 <= part.count ? String(letters[bits >> (18 - 6 * $0) & 63]) : "=" }.joined()
        }.joined()
    }

    @Test("naked lines stay as they are: brackets, stars, quotes, dollars, carets and indentations of a message's own")
    func naked() {
        let odd = [
            "INVITE sip:*21*200#@pbx.example;x=[0;x SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKi1$",
            "From: \"*A* [1]\" <sip:100@pbx.example>;tag=f2^",
            "To: <sip:200@pbx.example>", "Call-ID: c1`", "CSeq: 1 INVITE", "Subject: **urgent**", "X-Text: \"a\",",
            "Content-Length: 0", "",
        ]
        let found = LogFormsTests.messages(
            (["2024/05/03 10:11:12.250000 198.51.100.7:40112 -> 203.0.113.10:5060"] + odd).joined(separator: "\n") + "\n")
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [LogFormsTests.wire(odd)])
    }

    @Test("a whole log in a post's text has no times of its own by the post's")
    func posted() {
        let text =
            "[{\"user\": \"ann\", \"text\": \""
            + Self.log.filter { !$0.hasPrefix("2024") }.map { Self.quoted($0) + "\\n" }.joined()
            + "\", \"ts\": \"1714731999.1\"}]\n"
        let found = LogFormsTests.messages(text)
        #expect(found.count == 2 && found.allSatisfy { $0.time == nil })
    }

    @Test(
        "a list of packets is told by what it names, and only where no message stands in the log",
        arguments: [
            " 1 0.000000 192.0.2.1 → 192.0.2.2 SIP/SDP 701 ", "\"1\",\"0.0\",\"192.0.2.1\",\"192.0.2.2\",\"SIP\",\"701\",\"",
            "1\t0.0\t192.0.2.1\t192.0.2.2\tSIP\t701\t",
        ])
    func packetList(head: String) {
        let rows = ["Request: INVITE sip:200@pbx.example | ", "Status: 200 OK (INVITE)", "Status: 200 OK (INVITE)", "nothing"].map
        { head + $0 + "\n" }.joined()
        let gaps = LogFormsTests.items(rows).gaps
        #expect(gaps.listed.map { "\($0.what) \($0.count)" } == ["200 2", "INVITE 1"] && gaps.firstListed == 1)
        #expect(LogFormsTests.items(rows + Self.log.joined(separator: "\n")).gaps.firstListed == nil)
    }
}
