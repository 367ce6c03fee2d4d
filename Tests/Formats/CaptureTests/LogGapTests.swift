import Base
import Capture
import Testing

@Suite("What a log does not give whole")
struct LogGapTests {
    private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    @Test("a start line that cannot be read is counted, the first with its line; the message after it is read")
    func unread() {
        let broken =
            ["12:00:00 Received from 203.0.113.10:5060:", "S1P/2.0 4O1 Unauthorized"] + LogFormsTests.response.dropFirst()
        let found = LogFormsTests.items(
            Self.text(broken + broken + ["12:00:01 Sent to 203.0.113.10:5060:"] + LogFormsTests.request))
        #expect(
            found.gaps.unreadStarts == 2 && found.gaps.first?.line == 2 && found.gaps.first?.text == "S1P/2.0 4O1 Unauthorized")
        #expect(
            found.items.filter { if case .message = $0.kind { true } else { false } }.count == 1 && found.gaps.endsInside == nil)
    }

    @Test("a start line within a program's own frame, too")
    func framed() {
        let text = Self.text(
            ["<--- SIP read from UDP:198.51.100.7:40112 --->", "GARBLED"] + LogFormsTests.request.dropFirst() + [
                "<------------->"
            ])
        #expect(LogFormsTests.items(text).gaps.first?.text == "GARBLED")
    }

    @Test("a text that stops within a message says where that begins")
    func cut() {
        let whole = Self.text(["12:00:00 Sent to 203.0.113.10:5060:"] + LogFormsTests.invite)
        #expect(LogFormsTests.items(whole).gaps == LogGaps())
        #expect(LogFormsTests.items(String(whole.dropLast(30))).gaps.endsInside == 2)
        #expect(LogFormsTests.items(String(whole.prefix(120))).gaps.endsInside == 2)
    }

    @Test(
        "prose and other header fields are no messages that were not understood",
        arguments: [
            "The Via of the phone is wrong.\n\nVia: the router.\n",
            "From: Ann\nTo: Bob\nSubject: phones\n\nVia SIP/2.0 they said.\n",
            "2024-01-31 12:00:00 198.51.100.7:4000 -> 203.0.113.10:4001 RTP 172 bytes\n.....\n",
        ])
    func lookalikes(text: String) {
        let found = LogFormsTests.items(text)
        #expect(found.gaps == LogGaps() && !found.items.contains { if case .message = $0.kind { true } else { false } })
    }
}
