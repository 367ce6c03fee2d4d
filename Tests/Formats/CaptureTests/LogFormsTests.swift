import Base
import Capture
import Foundation
import Testing

@Suite("Forms of text logs")
struct LogFormsTests {
    static let request = [
        "REGISTER sip:pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKa1;rport", "Max-Forwards: 70",
        "From: <sip:100@pbx.example>;tag=f1", "To: <sip:100@pbx.example>", "Call-ID: r1@192.168.1.20", "CSeq: 1 REGISTER",
        "Contact: <sip:100@192.168.1.20:5060>", "Content-Length: 0", "",
    ]
    static let response = [
        "SIP/2.0 401 Unauthorized", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKa1;rport=40112;received=198.51.100.7",
        "From: <sip:100@pbx.example>;tag=f1", "To: <sip:100@pbx.example>;tag=t1", "Call-ID: r1@192.168.1.20", "CSeq: 1 REGISTER",
        "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\"", "Content-Length: 0", "",
    ]
    static let invite = [
        "INVITE sip:200@pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKi1;rport",
        "From: <sip:100@pbx.example>;tag=f2", "To: <sip:200@pbx.example>", "Call-ID: c1@192.168.1.20", "CSeq: 1 INVITE",
        "Contact: <sip:100@192.168.1.20:5060>", "Content-Type: application/sdp", "Content-Length: 117", "", "v=0",
        "o=- 1 1 IN IP4 192.168.1.20", "s=-", "c=IN IP4 192.168.1.20", "t=0 0", "m=audio 4000 RTP/AVP 0 8",
        "a=rtpmap:0 PCMU/8000",
    ]

    static func wire(_ lines: [String]) -> String { lines.map { $0 + "\r\n" }.joined() }

    static func items(_ text: String) -> (items: [LoggedItem], gaps: LogGaps) {
        var reader = LogReader()
        reader.read(Array(text.utf8))
        reader.finish()
        var items: [LoggedItem] = []
        while let item = reader.nextItem() { items.append(item) }
        return (items, reader.gaps)
    }

    static func messages(_ text: String) -> [(message: LoggedMessage, time: LoggedTime?, line: Int)] {
        items(text).items.compactMap { item in
            if case .message(let message) = item.kind { (message, item.time, item.line) } else { nil }
        }
    }

    /// The head is a place of its own, the lines of the message are others.
    static func text(_ form: LogForm, _ messages: [[String]]) -> String {
        messages.enumerated().map { index, message in
            let head = index % 2 == 0 ? form.request : form.response
            return
                (head.split(separator: "\n", omittingEmptySubsequences: false).map { form.dress(String($0), 0) }
                + message.map { form.dress($0, 1) } + (form.tail.isEmpty ? [] : [form.tail])).joined(separator: "\n") + "\n"
        }.joined()
    }

    static func instant(_ text: String) -> Instant? {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let days = Int64(parts[0]), parts.count == 2 else { return LoggedTime(text)?.instant }
        return LoggedTime(String(parts[1])).map { $0.instant + .seconds(days * 86_400) }
    }

    @Test(
        "each form gives its messages whole, their time, direction and ends",
        arguments: LogForm.phone + LogForm.server + LogForm.between)
    func form(_ form: LogForm) throws {
        let found = Self.messages(Self.text(form, [Self.request, Self.response]))
        try #require(found.count == 2)
        #expect(
            found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [
                Self.wire(Self.request), Self.wire(Self.response),
            ])
        #expect(found.compactMap(\.time).map(\.instant) == form.times.compactMap { Self.instant($0) })
        let basis: LoggedTime.Basis = form.basis == .absolute ? .absolute : form.basis == .noYear ? .noYear : .timeOfDay
        #expect(found.compactMap(\.time).allSatisfy { $0.basis == basis } && found.compactMap(\.time).count == form.times.count)
        let (phone, seen, server) = ("192.168.1.20:5060", "198.51.100.7:40112", "203.0.113.10:5060")
        let remotes = found.map { $0.message.remote?.description }
        let locals = found.map { $0.message.local?.description }
        switch form.side {
        case .phone:
            #expect(found.map(\.message.direction) == [.sent, .received])
            #expect(
                remotes == (form.isUnaddressed ? [nil, nil] : [server, server])
                    && (form.isNearUnknown ? locals == [nil, nil] : locals == [phone, phone]))
        case .server:
            #expect(found.map(\.message.direction) == [.received, .sent])
            #expect(remotes == [seen, seen] && locals.allSatisfy { $0 == nil || $0 == server })
        case .between:
            #expect(found.map(\.message.direction) == [.passing, .passing])
            #expect(locals == [seen, server] && remotes == [server, seen])
        case .nobody:
            #expect(found.map(\.message.direction) == [.passing, .passing] && remotes == [nil, nil] && locals == [nil, nil])
        }
    }

    @Test(
        "each form gives a message with its description, and what follows it",
        arguments: LogForm.phone + LogForm.server + LogForm.between)
    func body(_ form: LogForm) {
        let found = Self.messages(Self.text(form, [Self.invite, Self.response]))
        #expect(
            found.map { String(decoding: $0.message.bytes, as: UTF8.self) } == [Self.wire(Self.invite), Self.wire(Self.response)])
    }

    @Test("the host in a start line that a head quotes is nobody's address")
    func quoted() {
        let head =
            "<message\nfrom=\"198.51.100.10:5060\"\nto=\"203.0.113.77:33012\"\nisSender=\"false\"\nfirstLine=\"OPTIONS sip:a@192.168.1.50:5060 SIP/2.0\"\n>\n"
        let message =
            "<![CDATA[OPTIONS sip:a@192.168.1.50:5060 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.10:5060;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n]]>\n"
        let found = Self.messages(head + message)
        #expect(found.map { $0.message.remote?.description } == ["198.51.100.10:5060"])
        #expect(found.map { $0.message.local?.description } == ["203.0.113.77:33012"])
    }
}
