import Analysis
import Base
import Testing

@Suite("srtp.mismatch, as the descriptions of a call tell it")
struct SecurityTests {
    static let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
    static let sdes = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key)|2^20|1:4"
    static let short = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg"
    static let other = "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:\(key)"
    static let print =
        "a=fingerprint:sha-256 " + (0..<32).map { $0 < 16 ? "0\(String($0, radix: 16))" : "A5" }.joined(separator: ":")
    static let dtls = "UDP/TLS/RTP/SAVPF"

    private func talk(_ offer: String, _ answer: String, isLog: Bool = false) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        talk.isLog = isLog
        exchange(&talk, 0, 1, offer, answer)
        return talk
    }

    private func exchange(
        _ talk: inout Talk, _ at: Double, _ number: Int, _ offer: String, _ answer: String, _ more: [String] = []
    ) {
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", number, ["Contact: <sip:alice@198.51.100.7:40000>"] + more, body: offer,
            peer: number > 1 ? "<sip:bob@pbx.example>;tag=s1" : nil)
        talk.up(at, invite)
        talk.down(at + 1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: answer))
        talk.up(
            at + 1.03,
            talk.request(
                "ACK", "sip:bob@203.0.113.10", number, branch: "ack\(number)", peer: "<sip:bob@pbx.example>;tag=s1"))
    }

    private func sdp(_ profile: String, _ lines: [String], session: [String] = [], more: [String] = []) -> String {
        let plain = Talk.sdp("198.51.100.7", formats: "0", extra: lines + more, profile: profile)
        return session.isEmpty ? plain : plain.replacing("t=0 0\r\n", with: "t=0 0\r\n" + session.map { $0 + "\r\n" }.joined())
    }

    @Test(
        "what does not fit, and why",
        arguments: [
            ("RTP/SAVP", [sdes], "RTP/AVP", [], "encrypted media (SRTP) was offered, plain was answered"),
            ("RTP/AVP", [], "RTP/SAVP", [sdes], "plain media was offered, encrypted (SRTP) was answered"),
            ("RTP/SAVP", [sdes], "RTP/SAVP", [other], "offered were AES_CM_128_HMAC_SHA1_80"),
            ("RTP/AVP", [sdes], "RTP/AVP", [other], "offered were AES_CM_128_HMAC_SHA1_80"),
            ("RTP/SAVP", [sdes], "RTP/SAVP", [], "the answer names a secure profile and no key"),
            ("RTP/SAVP", [], "RTP/SAVP", [sdes], "the offer names a secure profile and no key"),
            ("RTP/SAVP", [sdes], "RTP/SAVP", [short], "the answer's key has not the length"),
            (
                "RTP/SAVP", [sdes], dtls, [print, "a=setup:active"],
                "SDES keys (a=crypto) were offered, keys by DTLS were answered"
            ),
            (
                dtls, [print, "a=setup:actpass"], "RTP/SAVP", [sdes],
                "keys by DTLS were offered, SDES keys (a=crypto) were answered"
            ),
            (dtls, [print, "a=setup:actpass"], dtls, ["a=fingerprint:SHA-256 ", "a=setup:active"], "fingerprint is empty"),
            (dtls, [print, "a=setup:actpass"], dtls, ["a=fingerprint:", "a=setup:active"], "fingerprint is empty"),
            (dtls, [print, "a=setup:actpass"], dtls, ["a=setup:active"], "the answer has no DTLS fingerprint"),
            (dtls, ["a=setup:actpass"], dtls, [print, "a=setup:active"], "the offer has no DTLS fingerprint"),
            (
                dtls, [print, "a=setup:actpass"], dtls, ["a=fingerprint:sha-256 00:11:22", "a=setup:active"],
                "fingerprint has 3 octets"
            ),
            (dtls, [print, "a=setup:passive"], dtls, [print, "a=setup:passive"], "both ends wait for the other"),
            (dtls, [print, "a=setup:active"], dtls, [print, "a=setup:active"], "both ends are to begin"),
        ])
    func unfit(profile: String, lines: [String], answered: String, others: [String], why: String) throws {
        var talk = talk(sdp(profile, lines), sdp(answered, others))
        talk.later(60)
        #expect(talk.accusations() == ["fault srtp.mismatch"])
        #expect(try #require(talk.finding(.srtpMismatch)).summary.contains(why))
    }

    @Test(
        "what fits, or does not tell, is silent",
        arguments: [
            ("RTP/SAVP", [sdes, other], "RTP/SAVP", [other]),
            // Protection as an extra (RFC 8643): taken, left out, or taken with the other profile.
            ("RTP/AVP", [sdes], "RTP/AVP", [sdes]), ("RTP/AVP", [sdes], "RTP/AVP", []), ("RTP/AVP", [sdes], "RTP/SAVP", [sdes]),
            ("RTP/AVP", [print, "a=setup:actpass"], "RTP/AVP", []), ("RTP/AVP", [print], "RTP/SAVPF", [print]),
            (dtls, [print, "a=setup:actpass"], dtls, [print, "a=setup:active"]),
            (dtls, [print, "a=setup:actpass"], dtls, [print, "a=setup:passive"]),
            ("RTP/SAVPF", [print, "a=setup:actpass"], dtls, [print, "a=setup:active"]), (dtls, [print], dtls, [print]),
            // Two hashes of one certificate, one of them unknown or empty.
            (dtls, ["a=fingerprint:sha-999 AB", print], dtls, ["a=fingerprint:sha-1", print, "a=setup:active"]),
            // Both ways at once, each end takes one.
            ("RTP/SAVP", [sdes, print, "a=setup:actpass"], "RTP/SAVP", [print, "a=setup:active"]),
            ("RTP/SAVP", [sdes, print, "a=setup:actpass"], "RTP/SAVP", [sdes]),
            // Keys of another kind, another profile offered beside, and what somebody made unreadable.
            ("RTP/SAVP", ["a=key-mgmt:mikey AQAFgM0XflABAAAA"], "RTP/SAVP", ["a=key-mgmt:mikey AQAFgM0XflABAAAB"]),
            ("RTP/AVP", ["a=tcap:1 RTP/SAVP", "a=pcfg:1 t=1"], "RTP/SAVP", [sdes, "a=acfg:1 t=1"]),
            (dtls, [print, "a=setup:actpass"], dtls, ["a=fingerprint:sha-256 XX:XX:XX", "a=setup:active"]),
            // The second stream has what stands for both.
            (dtls, [print, "a=setup:actpass"], dtls, ["a=setup:active", "m=video 4 UDP/TLS/RTP/SAVPF 96", print]),
        ])
    func fits(profile: String, lines: [String], answered: String, others: [String]) {
        var talk = talk(sdp(profile, lines), sdp(answered, others))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a fingerprint of the session stands for its stream, and the stream's own goes before it", arguments: [true, false])
    func session(isSound: Bool) {
        let empty = "a=fingerprint:sha-256"
        let answer = sdp(
            Self.dtls, isSound ? ["a=setup:active"] : [empty, "a=setup:active"], session: [Self.print])
        var talk = talk(sdp(Self.dtls, ["a=setup:actpass"], session: ["a=ice-lite", Self.print]), answer)
        talk.later(60)
        #expect(talk.accusations() == (isSound ? [] : ["fault srtp.mismatch"]))
    }

    @Test("of two audio lines, one plain and one secure, the answer takes either", arguments: [true, false])
    func either(takesSecure: Bool) {
        let plain = "m=audio 4 RTP/AVP 0"
        let offer = sdp("RTP/SAVP", [Self.sdes], more: [plain])
        let answer =
            takesSecure
            ? sdp("RTP/SAVP", [Self.sdes], more: ["m=audio 0 RTP/AVP 0"])
            : sdp("RTP/SAVP", [], more: [plain]).replacing("m=audio 20000", with: "m=audio 0")
        var talk = talk(offer, answer)
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("who says that plain RTP will do as well may be answered so")
    func fallsBack() {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        exchange(&talk, 0, 1, sdp("RTP/SAVP", [Self.sdes]), sdp("RTP/AVP", []), ["Supported: X-cisco-srtp-fallback"])
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("what a log leaves out of a description proves nothing; what it shows does", arguments: [true, false])
    func log(isEmpty: Bool) {
        var talk = talk(
            sdp(Self.dtls, [Self.print, "a=setup:actpass"]), sdp(Self.dtls, isEmpty ? ["a=fingerprint:SHA-256"] : []), isLog: true
        )
        talk.later(60)
        #expect(talk.accusations() == (isEmpty ? ["fault srtp.mismatch"] : []))
    }

    @Test("new keys and the other role in a re-INVITE are no mismatch; a later exchange that fits makes a note of an earlier")
    func changes() throws {
        var talk = talk(sdp("RTP/SAVP", [Self.sdes]), sdp("RTP/SAVP", [Self.sdes]))
        exchange(&talk, 10, 2, sdp("RTP/SAVP", [Self.other]), sdp("RTP/SAVP", [Self.other]))
        talk.later(60)
        #expect(talk.accusations() == [])
        var web = self.talk(
            sdp(Self.dtls, [Self.print, "a=setup:actpass"]), sdp(Self.dtls, [Self.print, "a=setup:active"]))
        exchange(&web, 10, 2, sdp(Self.dtls, [Self.print, "a=setup:passive"]), sdp(Self.dtls, [Self.print, "a=setup:passive"]))
        web.later(60)
        #expect(web.accusations() == [])
        var mended = self.talk(sdp("RTP/SAVP", [Self.sdes]), sdp("RTP/AVP", []))
        exchange(&mended, 10, 2, sdp("RTP/AVP", []), sdp("RTP/AVP", []))
        mended.later(60)
        #expect(mended.accusations() == [])
        #expect(try #require(mended.finding(.srtpMismatch)).severity == .note)
    }

    @Test(
        "488 is about encryption where it says so, where the same codec passed without it, or where everybody has the codec",
        arguments: [
            ("RTP/SAVP", "0", "Not Acceptable Here", false, "fault srtp.mismatch"),
            ("RTP/SAVP", "18", "Not Acceptable Here", false, "fault sdp.mismatch"),
            ("RTP/SAVP", "0", "No common codec", false, "fault sdp.mismatch"),
            ("RTP/AVP", "0", "SRTP required", false, "fault srtp.mismatch"),
            ("RTP/AVP", "0", "Not Acceptable Here", false, "fault sdp.mismatch"),
            ("RTP/SAVP", "18", "Not Acceptable Here", true, "note srtp.mismatch"),
        ])
    func refused(profile: String, format: String, warning: String, retries: Bool, expected: String) throws {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let asked = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"],
            body: Talk.sdp("198.51.100.7", formats: format, extra: profile == "RTP/SAVP" ? [Self.sdes] : [], profile: profile))
        talk.up(0, asked)
        talk.down(0.1, talk.response(488, to: asked, ["Warning: 399 pbx.example \"\(warning)\""]))
        talk.up(0.2, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        if retries {
            let plain = Talk.sdp("198.51.100.7", formats: format)
            let again = talk.request("INVITE", "sip:bob@pbx.example", 2, ["Contact: <sip:alice@198.51.100.7:40000>"], body: plain)
            talk.up(1, again)
            talk.down(2, talk.response(200, to: again, ["Contact: <sip:bob@203.0.113.10>"], body: plain))
            talk.up(2.1, talk.request("ACK", "sip:bob@203.0.113.10", 2, branch: "ack2", peer: "<sip:bob@pbx.example>;tag=s1"))
        }
        talk.later(60)
        let name = FindingName(rawValue: String(expected.split(separator: " ")[1]))
        let finding = try #require(name.flatMap { talk.finding($0) })
        #expect("\(finding.severity) \(finding.name.rawValue)" == expected)
    }
}
