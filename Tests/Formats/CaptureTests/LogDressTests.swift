import Base
import Capture
import Foundation
import Testing

@Suite("What is put around the lines of a log")
struct LogDressTests {
    private static let register = [
        "REGISTER sip:pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKa1;rport",
        "From: <sip:100@pbx.example>;tag=f1", "To: <sip:100@pbx.example>", "Call-ID: r1@192.168.1.20", "CSeq: 1 REGISTER",
        "Content-Length: 0", "",
    ]
    private static let chanSIP = ["<--- SIP read from UDP:198.51.100.7:40112 --->"] + register + ["", "<------------->"]

    private static func messages(_ lines: [String]) -> [(text: String, remote: LoggedPeer?, time: LoggedTime?, line: Int)] {
        var reader = LogReader()
        reader.read(Array(lines.map { $0 + "\n" }.joined().utf8))
        reader.finish()
        var result: [(String, LoggedPeer?, LoggedTime?, Int)] = []
        while let item = reader.nextItem() {
            guard case .message(let message) = item.kind else { continue }
            result.append((String(decoding: message.bytes, as: UTF8.self), message.remote, item.time, item.line))
        }
        return result
    }

    private static let dresses: [(String, @Sendable (String) -> String)] = [
        ("docker compose", { "pbx-1  | " + $0 }), ("a mail's quote", { "> " + $0 }), ("quoted twice", { ">> " + $0 }),
        ("colours", { "\u{1b}[0;37m" + $0 + "\u{1b}[0m" }),
        ("blanks that do not break", { $0.replacingOccurrences(of: " ", with: "\u{a0}") }),
        ("kubectl", { "2026-11-22T13:26:40.000000000Z " + $0 }), ("grep -n", { "full.log:12: " + $0 }),
        ("syslog", { "<134>Nov 22 13:26:40 pbx asterisk[77]: " + $0 }),
    ]

    @Test("each dress gives the message of the naked log, its place and its peer", arguments: dresses.map(\.0))
    func dressed(name: String) throws {
        let dress = try #require(Self.dresses.first { $0.0 == name }).1
        let naked = Self.messages(Self.chanSIP)
        let found = Self.messages(Self.chanSIP.map(dress))
        #expect(naked.count == 1 && found.map(\.text) == naked.map(\.text))
        #expect(found.first?.remote == naked.first?.remote)
    }

    @Test("the time of a head is the message's where nothing else tells one")
    func time() {
        let bare = Self.register.map { "Nov 22 13:26:40 sbc proxy[7]: " + $0 }
        #expect(Self.messages(bare).first?.time != nil)
        #expect(Self.messages(Self.register).first?.time == nil)
    }

    @Test("a message in one line, its line ends written #015#012, between two addresses")
    func oneLine() {
        let line =
            "Nov 22 13:26:40 sbc kamailio[771]: INFO: IN 198.51.100.7:40112 -> 203.0.113.5:5060: "
            + Self.register.joined(separator: "#015#012") + "#015#012"
        let found = Self.messages([line, line])
        #expect(found.map(\.text) == Array(repeating: Self.messages(Self.register)[0].text, count: 2))
        #expect(found.map(\.line) == [1, 2])
        #expect(found.first?.time != nil && found.first?.remote?.port == 5060)
    }

    @Test("ngrep, baresip, Acme Packet, Yealink and tcpdump -A name both or one of the ends")
    func framings() {
        let text = Self.messages(Self.register)[0].text
        let cases: [([String], UInt16)] = [
            (["U 2026/11/22 13:26:40.000000 198.51.100.7:40112 -> 203.0.113.5:5060 #1"] + Self.register.map { $0 + "." }, 5060),
            (["#", "UDP 198.51.100.7:40112 -> 203.0.113.5:5060"] + Self.register, 5060),
            (["Nov 22 13:26:40.000 On [0:0]203.0.113.5:5060 received from 198.51.100.7:40112"] + Self.register, 40112),
            (["Message recv: (from src=198.51.100.7:40112 len=340)"] + Self.register, 40112),
            (["Message message sent: (to dest= 203.0.113.5:5060)"] + Self.register, 5060),
            (
                [
                    "08:53:20.000000 IP 198.51.100.7.40112 > 203.0.113.5.5060: SIP: REGISTER sip:pbx.example SIP/2.0",
                    "E..x.;@.?..q",
                ]
                    + [".>...dW." + Self.register[0]] + Self.register.dropFirst(), 5060
            ),
        ]
        for (lines, port) in cases {
            let found = Self.messages(lines)
            #expect(found.map(\.text) == [text], "\(lines[0])")
            #expect(found.first?.remote?.port == port, "\(lines[0])")
        }
    }

    @Test("a start line quoted in a sentence is no message")
    func prose() {
        let found = Self.messages([
            "At 10:20 the phone sent REGISTER sip:pbx.example SIP/2.0", "and then nothing happened for 20 seconds | see below.",
        ])
        #expect(found.isEmpty)
    }

    @Test("tcpdump -X and -XX: the packet's octets give the message; cut anywhere, nothing traps", arguments: [false, true])
    func hexadecimal(hasLink: Bool) {
        let message = sipMessage()
        let packet = (hasLink ? [UInt8](repeating: 2, count: 12) + [8, 0] : []) + udp(message)
        var lines = ["08:53:20.000000 IP 192.168.1.20.5060 > 203.0.113.5.5060: SIP: OPTIONS sip:example.com SIP/2.0"]
        func hex(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        for at in stride(from: 0, to: packet.count, by: 16) {
            var text = "\t0x\(hex(at, 4)):  "
            for place in stride(from: at, to: min(packet.count, at + 16), by: 2) {
                text += packet[place..<min(packet.count, place + 2)].map { hex(Int($0), 2) }.joined() + " "
            }
            lines.append(text + " ....abcd ef")
        }
        let found = Self.messages(lines)
        #expect(found.map(\.text) == [String(decoding: message, as: UTF8.self)])
        #expect(found.first?.remote?.port == 5060 && found.first?.time != nil)
        let whole = lines.joined(separator: "\n")
        for length in stride(from: 0, to: whole.count, by: 7) { _ = Self.messages([String(whole.prefix(length))]) }
    }
}
