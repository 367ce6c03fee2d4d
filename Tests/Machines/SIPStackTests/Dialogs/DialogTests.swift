import Base
import SIP
import SIPStack
import Testing

@Suite("RFC 3261 12: dialogs")
struct DialogTests {
    static func message(_ lines: [String]) throws -> SIPMessage {
        try SIPMessage(parsing: Array((lines + ["Content-Length: 0", "", ""]).joined(separator: "\r\n").utf8))
    }

    static func invite(_ extra: [String] = [], contact: String? = "<sip:alice@192.0.2.7:5062>") throws -> SIPMessage {
        try message(
            [
                "INVITE sip:bob@biloxi.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa", "Max-Forwards: 70",
                "From: \"Alice\" <sip:alice@atlanta.example>;tag=a1", "To: Bob <sip:bob@biloxi.example>", "Call-ID: c1",
                "CSeq: 314 INVITE",
            ] + (contact.map { ["Contact: \($0)"] } ?? []) + extra)
    }

    static func response(_ status: Int, tag: String? = "b1", _ extra: [String] = []) throws -> SIPMessage {
        try message(
            [
                "SIP/2.0 \(status) X", "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa",
                "From: \"Alice\" <sip:alice@atlanta.example>;tag=a1",
                "To: Bob <sip:bob@biloxi.example>\(tag.map { ";tag=\($0)" } ?? "")", "Call-ID: c1", "CSeq: 314 INVITE",
                "Contact: <sip:bob@198.51.100.9>",
            ] + extra)
    }

    static let via = Via(.udp, host: SIPHost(IPAddress("192.0.2.1")!), port: 5060, branch: "z9hG4bKx")

    @Test("12.1.1: as UAS: target from Contact, routes from Record-Route in order, our tag in From")
    func uas() throws {
        let request = try Self.invite(["Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>"])
        var dialog = try Dialog(answering: request, localTag: "b9", localSequence: 10)
        #expect(dialog.state == .early && dialog.remoteSequence == 314)
        let bye = try dialog.request(.bye, via: Self.via).message()
        #expect(bye.requestURIText == "sip:alice@192.0.2.7:5062")
        #expect(bye.all(.route).map(\.value) == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"])
        #expect(
            bye.first(.from)?.value == "<sip:bob@biloxi.example>;tag=b9"
                || bye.first(.from)?.value == "Bob <sip:bob@biloxi.example>;tag=b9")
        #expect(bye.first(.to)?.value == "\"Alice\" <sip:alice@atlanta.example>;tag=a1")
        #expect(try bye.cseq == CSeq(11, .bye))
        #expect(dialog.nextHop == "sip:p2.example;lr")
    }

    @Test("12.1.2: as UAC: routes reversed, the 2xx's instead of the 180's, tags from the response")
    func uac() throws {
        var dialog = try Dialog(request: Self.invite(), response: Self.response(180, ["Record-Route: <sip:p9.example;lr>"]))
        #expect(dialog.state == .early)
        dialog.confirm(with: try Self.response(200, ["Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>"]))
        #expect(dialog.state == .confirmed)
        let ack = try dialog.acknowledgement(sequence: 314, via: Self.via).message()
        #expect(try ack.cseq == CSeq(314, .ack))
        #expect(ack.all(.route).map(\.value) == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"])
        #expect(ack.requestURIText == "sip:bob@198.51.100.9")
        let bye = try dialog.request(.bye, via: Self.via).message()
        #expect(try bye.cseq == CSeq(315, .bye))
    }

    @Test("12.2.1.1: a strict router gets itself as Request-URI and the target as last Route")
    func strict() throws {
        var dialog = try Dialog(
            answering: Self.invite(["Record-Route: <sip:p2.example>, <sip:p1.example;lr>"]), localTag: "b9", localSequence: 1)
        let bye = try dialog.request(.bye, via: Self.via).message()
        #expect(bye.requestURIText == "sip:p2.example")
        #expect(bye.all(.route).map(\.value) == ["<sip:p1.example;lr>", "<sip:alice@192.0.2.7:5062>"])
    }

    @Test("Without a Contact the From URI is the target; without a To tag a response makes no dialog")
    func missing() throws {
        let dialog = try Dialog(answering: Self.invite(contact: nil), localTag: "b9", localSequence: 1)
        #expect(dialog.remoteTarget == "sip:alice@atlanta.example")
        #expect(throws: SIPParseError.self) { try Dialog(request: Self.invite(), response: Self.response(200, tag: nil)) }
    }

    @Test("12.2.2: a CSeq that is not above the last is out of order; ACK and CANCEL never count")
    func order() throws {
        var dialog = try Dialog(answering: Self.invite(), localTag: "b9", localSequence: 1)
        #expect(dialog.receive(.info, sequence: 315) == .inOrder)
        #expect(dialog.receive(.info, sequence: 315) == .outOfOrder(had: 315, got: 315))
        #expect(dialog.receive(.bye, sequence: 20) == .outOfOrder(had: 315, got: 20))
        #expect(dialog.receive(.ack, sequence: 314) == .inOrder)
        #expect(dialog.receive(.cancel, sequence: 1) == .inOrder)
        #expect(dialog.receive(.bye, sequence: 900) == .inOrder)
        #expect(dialog.remoteSequence == 900)
    }

    @Test("12.2: a target refresh moves the Request-URI; without Contact nothing changes")
    func refresh() throws {
        var dialog = try Dialog(answering: Self.invite(), localTag: "b9", localSequence: 1)
        dialog.refreshTarget(try Self.invite(contact: "<sip:alice@203.0.113.9:4000>"))
        #expect(dialog.remoteTarget == "sip:alice@203.0.113.9:4000")
        dialog.refreshTarget(try Self.invite(contact: nil))
        #expect(dialog.remoteTarget == "sip:alice@203.0.113.9:4000")
    }

    @Test("A dialog is found by the same name from either side's messages")
    func identity() throws {
        let dialog = try Dialog(request: Self.invite(), response: Self.response(200))
        #expect(DialogID(response: try Self.response(180)) == dialog.id)
        let bye = try Self.message([
            "BYE sip:x SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKb", "From: <sip:bob@biloxi.example>;tag=b1",
            "To: <sip:alice@atlanta.example>;tag=a1", "Call-ID: c1", "CSeq: 1 BYE",
        ])
        #expect(DialogID(request: bye) == dialog.id)
        #expect(DialogID(request: try Self.invite()) == nil)
    }
}
