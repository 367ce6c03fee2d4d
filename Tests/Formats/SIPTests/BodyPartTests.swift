import SIP
import Testing

@Suite("Bodies of several parts: RFC 2046 5.1, RFC 5621")
struct BodyPartTests {
    private func message(_ type: String?, _ body: String, extra: String = "") throws -> SIPMessage {
        var text = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\(extra)"
        if let type { text += "Content-Type: \(type)\r\n" }
        return try SIPMessage(parsing: Array((text + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8))
    }

    private func contents(_ message: SIPMessage) -> [String]? {
        message.bodyParts?.map { String(decoding: message.bytes[$0.range], as: UTF8.self) }
    }

    @Test("No body: no part; a plain one: itself, with its disposition")
    func plain() throws {
        #expect(try message(nil, "").bodyParts == [])
        let sdp = try message("application/sdp", "v=0\r\n", extra: "Content-Disposition: Session\r\n")
        #expect(contents(sdp) == ["v=0\r\n"] && sdp.bodyParts?[0].isSession == true)
        let other = try message("application/x", "x", extra: "Content-Disposition: render ; Handling = optional\r\n")
        #expect(other.bodyParts?.map(\.isOptional) == [true] && other.bodyParts?[0].isSession == false)
    }

    @Test(
        "Parts are cut at their boundary: preamble, blanks behind it, LF alone, quotes, an epilogue, a last one that is missing")
    func cut() throws {
        let bodies: [(String, String)] = [
            (
                "b",
                "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-Type: application/x\r\n\r\nx\r\n--b--\r\nepilogue"
            ),
            (
                "\"b\"",
                "preamble\r\n--b \t\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nc: application/x\r\n\r\nx\r\n--b--"
            ),
            ("b", "--b\nContent-Type: application/sdp\n\nv=0\r\n\n--b\ncontent-type : application/x\n\nx\n--b--\n"),
            ("b", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-Type: application/x\r\n\r\nx"),
        ]
        for (boundary, body) in bodies {
            let message = try message("multipart/mixed;boundary=\(boundary)", body)
            #expect(contents(message) == ["v=0\r\n", "x"], "\(body)")
            #expect(message.bodyParts?.map(\.isSession) == [true, false])
        }
    }

    @Test("What begins like the boundary is none")
    func lookAlike() throws {
        let message = try message("multipart/mixed;boundary=b", "--b\r\n\r\n--bc\r\n--b--x\r\n--b--")
        #expect(contents(message) == ["--bc\r\n--b--x"])
    }

    @Test("Within each other; of an alternative one counts; a multipart that may be left out makes its parts such")
    func nested() throws {
        let inner = "--i\r\nContent-Type: text/plain\r\n\r\nt\r\n--i\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--i--\r\n"
        for (kind, expected) in [("mixed", ["t", "v=0", "x"]), ("alternative", ["v=0", "x"])] {
            let body =
                "--o\r\nContent-Type: multipart/\(kind);boundary=i\r\n\r\n\(inner)\r\n--o\r\nContent-Type: a/x\r\n\r\nx\r\n--o--"
            #expect(try contents(message("multipart/mixed;boundary=o", body)) == expected)
        }
        let optional =
            "--o\r\nContent-Type: multipart/mixed;boundary=i\r\nContent-Disposition: x;handling=optional\r\n\r\n\(inner)--o--"
        #expect(try message("multipart/mixed;boundary=o", optional).bodyParts?.map(\.isOptional) == [true, true])
    }

    @Test("SDP that is not this call's, or is wrapped, is none: another disposition, base64")
    func notThisSession() throws {
        for head in ["Content-Disposition: early-session", "Content-Transfer-Encoding: base64"] {
            let body = "--b\r\nContent-Type: application/sdp\r\n\(head)\r\n\r\nv=0\r\n--b--"
            #expect(try message("multipart/mixed;boundary=b", body).bodyParts?.map(\.isSession) == [false])
        }
    }

    @Test("Not to be read: no boundary, one that never stands there, too deep, too many")
    func unreadable() throws {
        #expect(try message("multipart/mixed", "--b\r\n\r\nx\r\n--b--").bodyParts == nil)
        #expect(try message("multipart/mixed;boundary=c", "--b\r\n\r\nx\r\n--b--").bodyParts == nil)
        var deep = "x"
        for level in 0..<5 {
            deep =
                "--b\(level)\r\n\(level == 0 ? "" : "Content-Type: multipart/mixed;boundary=b\(level - 1)\r\n")\r\n\(deep)\r\n--b\(level)--"
        }
        #expect(try message("multipart/mixed;boundary=b4", deep).bodyParts == nil)
        let many = String(repeating: "--b\r\n\r\nx\r\n", count: 40) + "--b--"
        #expect(try message("multipart/mixed;boundary=b", many).bodyParts == nil)
        let some = String(repeating: "--b\r\n\r\nx\r\n", count: 32) + "--b--"
        #expect(try message("multipart/mixed;boundary=b", some).bodyParts?.count == 32)
    }
}
