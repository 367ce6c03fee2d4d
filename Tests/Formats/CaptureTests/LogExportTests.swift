import Base
import Capture
import Foundation
import Testing

@Suite("Logs exported, printed and pasted by others")
struct LogExportTests {
    private static let request = LogFormsTests.request
    private static let response = LogFormsTests.response
    private static let wires = WrappedLogs.wires
    private static let heads = ["Sent to UDP:203.0.113.10:5060", "Received from UDP:203.0.113.10:5060"]
    private static let stamps = ["2024-01-31T12:00:00.123Z", "2024-01-31T12:00:00.161Z"]

    private static func lines(_ index: Int) -> [String] { [heads[index]] + (index == 0 ? request : response) }

    private static func each(_ make: (Int, String) -> String) -> String {
        (0...1).flatMap { index in lines(index).map { make(index, $0) + "\n" } }.joined()
    }

    private static func whole(_ make: (Int, String) -> String) -> String {
        (0...1).map { make($0, lines($0).joined(separator: "\n")) + "\n" }.joined()
    }

    private static func csv(_ text: String) -> String { "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }

    private static func printable(_ wire: String) -> String { wire.replacingOccurrences(of: "\r\n", with: "..") }

    private static func arrow(_ index: Int) -> String {
        "U 2024/01/31 12:00:00.\(index == 0 ? "123000 198.51.100.7:40112 -> 203.0.113.10:5060" : "161000 203.0.113.10:5060 -> 198.51.100.7:40112")"
    }

    private static func rows(_ text: String) -> String {
        stride(from: 0, to: text.count, by: 76).map { "  " + text.dropFirst($0).prefix(76) }.joined(separator: "\n")
    }

    private static func json(_ index: Int) -> [String] {
        ["\"timestamp\": \"\(stamps[index])\"", "\"message\": \(WrappedLogs.quoted(heads[index] + "\n" + wires[index]))"]
    }

    static let forms: [(name: String, text: String, time: String?)] = [
        ("carriage returns alone", each { "\($1)\r" }.replacingOccurrences(of: "\n", with: ""), nil),
        ("an empty line behind each", each { "\($1)\n" }, nil), ("two empty lines behind each", each { "\($1)\n\n" }, nil),
        ("a table's only cell", each { "| \($1) |" }, nil),
        (
            "a page that colours lines",
            "<pre><code>"
                + each {
                    "<span class=\"line\">\($1.replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;"))</span>"
                } + "</code></pre>", nil
        ),
        ("kubectl logs --prefix --timestamps", each { "[pod/pbx-0/pbx] \(stamps[$0]) \($1)" }, "2024-01-31 12:00:00.123"),
        ("RFC 5424", each { "<134>1 \(stamps[$0]) pbx asterisk 2211 - - \($1)" }, "2024-01-31 12:00:00.123"),
        (
            "MikroTik", each { "jan/31/2024 12:00:0\($0) sip,packet \($1)" }, "2024-01-31 12:00:00"
        ),
        (
            "Ribbon",
            whole { "10\($0) 01312024 120000.\($0 == 0 ? "123" : "161")000:1.01.00.00000.Info    .SIPSG: \($1)" },
            "2024-01-31 12:00:00.123"
        ),
        (
            "a table of values, a message a row",
            "timestamp,message\n" + whole { "\(stamps[$0]),\(csv($1 + "\n"))" }, "2024-01-31 12:00:00.123"
        ),
        (
            "a table of values, a line a row",
            "\"@timestamp\",\"host\",\"message\"\n" + each { "\"\(stamps[$0])\",\"pbx\",\(csv($1))" }, "2024-01-31 12:00:00.123"
        ),
        (
            "a mail's quoted-printable",
            "Content-Transfer-Encoding: quoted-printable\n\n"
                + each {
                    let text = $1.replacingOccurrences(of: "=", with: "=3D")
                    return text.count > 40 ? text.prefix(30) + "=\n" + text.dropFirst(30) : text
                }, nil
        ),
        (
            "objects in one line", "[" + (0...1).map { "{\(json($0).joined(separator: ", "))}" }.joined(separator: ", ") + "]",
            "2024-01-31 12:00:00.123"
        ),
        (
            "a store's answer in one line",
            "{\"took\":3,\"hits\":{\"hits\":["
                + (0...1).map { "{\"_id\":\"\($0)\",\"_source\":{\(json($0).joined(separator: ","))}}" }.joined(separator: ",")
                + "]}}", "2024-01-31 12:00:00.123"
        ),
        (
            "lists of time and line",
            "{\"values\":["
                + (0...1).map {
                    "[\"1706702400\($0 == 0 ? 123 : 161)000000\",\(WrappedLogs.quoted(heads[$0] + "\n" + wires[$0]))]"
                }.joined(separator: ",") + "]}", "2024-01-31 12:00:00.123"
        ),
        (
            "ngrep -W single", (0...1).map { arrow($0) + " " + printable(wires[$0]) }.joined(separator: "\n#\n"),
            "2024-01-31 12:00:00.123"
        ),
        (
            "ngrep as it is", (0...1).map { arrow($0) + "\n" + rows(printable(wires[$0])) }.joined(separator: "\n#\n"),
            "2024-01-31 12:00:00.123"
        ),
        (
            "tcpdump -A of 10.x, names and all",
            (0...1).map { index in
                "12:00:00.\(index == 0 ? "123000 IP phone.example.40112 > pbx.example.sip" : "161000 IP pbx.example.sip > phone.example.40112"): UDP, length 400\n"
                    + "E.....@.@..:\n...\n..4..c..x..\(wires[index].replacingOccurrences(of: "\r\n", with: "\n"))"
            }.joined(), "12:00:00.123"
        ),
        (
            "octets of a head before the start line",
            (0...1).map { "E.....@.@..:\n..4..c..x..\(wires[$0])" }.joined(separator: "\n"), nil
        ),
    ]

    @Test("each gives the messages whole, with their times", arguments: forms.map(\.name))
    func whole(name: String) throws {
        let (_, text, time) = try #require(Self.forms.first { $0.name == name })
        let found = LogFormsTests.messages(text)
        #expect(found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == Self.wires, "\(text)")
        #expect(found.first?.time?.instant == time.flatMap { LoggedTime($0)?.instant })
    }

    @Test("in pieces of any size it is the same", arguments: forms.map(\.name))
    func pieces(name: String) throws {
        let (_, text, _) = try #require(Self.forms.first { $0.name == name })
        let bytes = Array(text.utf8)
        let all = LogFormsTests.items(text).items
        for size in [1, 2, 3, 7, 64] {
            var reader = LogReader()
            for start in stride(from: 0, to: bytes.count, by: size) {
                reader.read(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            reader.finish()
            var items: [LoggedItem] = []
            while let item = reader.nextItem() { items.append(item) }
            #expect(items == all, "in pieces of \(size)")
        }
    }

    @Test("a line that ends in two carriage returns and a line feed is one line")
    func returns() {
        let found = LogFormsTests.messages(Self.each { "\($1)\r\r" })
        #expect(found.map(\.line) == [2, 13])
    }

    @Test("the host that a syslog line names and a version in brackets are nobody's address")
    func host() throws {
        let log =
            "Jan 31 12:00:00 192.168.1.50 GXP: [00:0B:82:AA:BB:CC] [1.0.11.3] Received SIP message: "
            + Self.response.joined(separator: "\n") + "\n"
        let message = try #require(LogFormsTests.messages(log).first?.message)
        #expect(message.direction == .received && message.remote == nil)
    }

    @Test("who is known by its Via alone stays who it is when it is answered")
    func via() {
        let log =
            "*Jan 31 12:00:00.123: //-1/xxx/SIP/Msg/ccsipDisplayMsg:\nReceived: \n" + Self.request.joined(separator: "\n")
            + "\n*Jan 31 12:00:00.161: //-1/xxx/SIP/Msg/ccsipDisplayMsg:\nSent: \n" + Self.response.joined(separator: "\n") + "\n"
        #expect(LogFormsTests.messages(log).map { $0.message.remote?.description } == ["192.168.1.20:5060", "192.168.1.20:5060"])
    }

    @Test("a table whose heading names no text, and talk with commas, are no tables")
    func noTable() {
        let rows = "a,b\n" + Self.each { "\($1)" }
        #expect(LogFormsTests.messages(rows).count == 2)
        #expect(LogFormsTests.messages("Hello, world, message\n" + Self.each { "\($1)" }).count == 2)
    }
}
