import Base
import Capture
import Testing

@testable import Analysis

@Suite("turn.refused")
struct RelayTests {
    private static let phone = Endpoint("192.168.1.20:33333")!
    private static let server = Endpoint("203.0.113.60:3478")!

    private static func stun(_ type: UInt16, _ number: UInt8, _ attributes: [(UInt16, [UInt8])] = []) -> [UInt8] {
        var body: [UInt8] = []
        for (type, value) in attributes {
            body += [UInt8(type >> 8), UInt8(type & 255), 0, UInt8(value.count)]
            body += value + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        }
        let head: [UInt8] = [UInt8(type >> 8), UInt8(type & 255), 0, UInt8(body.count), 0x21, 0x12, 0xa4, 0x42]
        return head + [UInt8](repeating: number, count: 12) + body
    }

    private static let user: (UInt16, [UInt8]) = (6, Array("u".utf8))
    /// 10.20.0.5:14000, masked.
    private static let peer: (UInt16, [UInt8]) = (0x12, [0, 1, 0x17, 0xa2, 0x2b, 0x06, 0xa4, 0x47])
    private static func error(_ code: Int) -> (UInt16, [UInt8]) { (9, [0, 0, UInt8(code / 100), UInt8(code % 100)]) }

    /// Requests with what is answered: method, attributes of the request, and an error or success.
    private func findings(_ asked: [(UInt16, [(UInt16, [UInt8])], Int)], call: Bool = true, elsewhere: Set<Int> = []) -> [Finding]
    {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10"))
        if call {
            talk.up(0, invite)
            talk.down(0.1, ok)
            talk.up(0.2, talk.request("ACK", "sip:bob@203.0.113.10", 1))
        }
        for (index, (method, attributes, code)) in asked.enumerated() {
            let (time, number) = (1 + Double(index), UInt8(index + 1))
            let server = elsewhere.contains(index) ? Endpoint("203.0.113.61:3478")! : Self.server
            talk.see(time, Self.phone, server, .stun(Self.stun(method, number, attributes)))
            let answer =
                code == 200 ? Self.stun(method | 0x0100, number) : Self.stun(method | 0x0110, number, [Self.error(code)])
            talk.see(time + 0.02, server, Self.phone, .stun(answer))
        }
        if call {
            let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2)
            talk.up(20, bye)
            talk.down(20.1, talk.response(200, to: bye))
        }
        return talk.result().findings.filter { $0.name == .turnRefused }
    }

    @Test("a name and password that the TURN server refuses: no relay")
    func wrongPassword() throws {
        let found = findings([(3, [], 401), (3, [Self.user], 401), (3, [], 401), (3, [Self.user], 401)])
        #expect(found.map(\.severity) == [.risk])
        #expect(
            found.first?.summary
                == "The TURN server 203.0.113.60:3478 gives 192.168.1.20 no relay: it refuses its name and password (401, 2 times)."
        )
    }

    @Test("a relay that may send to nobody, asked for again and again while a call has no audio")
    func forbiddenPeer() throws {
        let relay: [(UInt16, [(UInt16, [UInt8])], Int)] = [(3, [], 401), (3, [Self.user], 200)]
        let refused = [(UInt16, [(UInt16, [UInt8])], Int)](repeating: (8, [Self.user, Self.peer], 403), count: 4)
        let found = findings(relay + refused)
        #expect(found.map(\.severity) == [.fault])
        #expect(
            found.first?.summary
                == "The TURN server 203.0.113.60:3478 gives 192.168.1.20 a relay, but refuses to send to 10.20.0.5 through it (403, 4 times)."
        )
        #expect(findings(relay + refused, call: false).map(\.severity) == [.risk])
        #expect(findings(relay + refused + [(8, [Self.user, Self.peer], 200)]).isEmpty)
    }

    @Test("a server that names another one (300) refuses nothing, and a second one that gives a relay makes up for the first")
    func another() {
        #expect(findings([(3, [], 401), (3, [Self.user], 300)]).isEmpty)
        let asked: [(UInt16, [(UInt16, [UInt8])], Int)] = [
            (3, [], 401), (3, [Self.user], 401), (3, [], 401), (3, [Self.user], 200),
        ]
        #expect(findings(asked, elsewhere: [2, 3]).map(\.severity) == [.note])
    }

    @Test("the first challenge, a nonce that ran out, and what succeeds in the end accuse nobody")
    func innocent() {
        #expect(findings([(3, [], 401)]).isEmpty)
        #expect(findings([(3, [], 401), (3, [Self.user], 438), (3, [Self.user], 200)]).isEmpty)
        #expect(findings([(3, [], 401), (3, [Self.user], 438)]).isEmpty)
        #expect(findings([(3, [Self.user], 401), (3, [Self.user], 200)]).isEmpty)
        #expect(findings([(1, [Self.user], 401)]).isEmpty)
    }

    /// So many requests for a relay that nothing answers; ICMP errors about so many of them, from there.
    private func silence(
        _ asked: Int, errors: Int = 0, from box: String = "203.0.113.60", hears: Bool = true, elsewhere: Bool = false
    ) -> [Finding] {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        if hears { talk.registers() }
        for number in 0..<asked {
            let time = 1 + Double(number)
            talk.see(time, Self.phone, Self.server, .stun(Self.stun(3, 1)))
            guard number < errors else { continue }
            talk.see(
                time + 0.01, Endpoint(IPAddress(box)!, 0), Self.phone,
                .icmp(type: 3, code: box == "203.0.113.60" ? 3 : 1, source: Self.phone, destination: Self.server))
        }
        if elsewhere {
            let other = Endpoint("203.0.113.61:3478")!
            talk.see(20, Self.phone, other, .stun(Self.stun(3, 2)))
            talk.see(20.1, other, Self.phone, .stun(Self.stun(0x0103, 2)))
        }
        return talk.result().findings.filter { $0.name == .turnRefused }
    }

    @Test("a TURN server whose port is closed, that cannot be reached, or that says nothing")
    func absent() throws {
        let closed = try #require(silence(5, errors: 5).first)
        #expect(closed.severity == .risk)
        #expect(
            closed.summary
                == "The TURN server 203.0.113.60:3478 gives 192.168.1.20 no relay: nothing listens there (ICMP). It was asked 5 times."
        )
        #expect(closed.culprit == .proved("the TURN server 203.0.113.60:3478"))
        let lost = try #require(silence(5, errors: 3, from: "198.51.100.1").first)
        #expect(lost.culprit == .proved("198.51.100.1"))
        #expect(lost.summary.contains("198.51.100.1 says by ICMP: host unreachable."))
        let silent = try #require(silence(12).first)
        #expect(silent.culprit == .between("192.168.1.20", "the TURN server 203.0.113.60:3478"))
    }

    @Test("few requests, a tap that shows nothing that arrives, and another TURN server accuse nobody")
    func absentAndInnocent() {
        #expect(silence(2, errors: 1).isEmpty)
        #expect(silence(6).isEmpty)
        #expect(silence(12, hears: false).isEmpty)
        #expect(silence(7, errors: 7, elsewhere: true).map(\.severity) == [.note])
    }
}
