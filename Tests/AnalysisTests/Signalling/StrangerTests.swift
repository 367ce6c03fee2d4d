import Analysis
import Base
import Capture
import Testing

@testable import Analysis

@Suite("strangers that look for servers, and phones that ask all that listen")
struct StrangerTests {
    private static let server = PackedEndpoint(PackedAddress(IPAddress("203.0.113.5")!), 5_061)
    private static let stranger = PackedAddress(IPAddress("198.51.100.70")!)

    @Test(
        "who knocks from outside, never speaks SIP and gives up is a stranger",
        arguments: [
            ("198.51.100.70", 1, true, true), ("198.51.100.70", 3, true, true), ("198.51.100.70", 4, true, false),
            ("198.51.100.70", 1, false, false), ("192.168.1.20", 1, true, false), ("198.51.100.9", 1, true, false),
        ])
    func knock(address: String, tried: Int, serves: Bool, isStranger: Bool) {
        var speakers: Set<PackedAddress> = [PackedAddress(IPAddress("198.51.100.9")!)]
        if serves { speakers.insert(Self.server.address) }
        #expect(Judge.isKnock(PackedAddress(IPAddress(address)!), Self.server, tried, speakers) == isStranger)
    }

    private func handshakes(tries: Int, from address: String, speakers: [String]) -> [Severity] {
        var ledger = HandshakeLedger()
        for number in 0..<tries {
            let flow = PackedFlow(
                source: PackedAddress(IPAddress(address)!), UInt16(40_000 + number), destination: Self.server.address, 5_061, .tcp
            )
            for (index, (kind, isOfClient)) in [(StreamEvent.Kind.tls, true), (.closed, false)].enumerated() {
                ledger.event(
                    StreamEvent(
                        frame: UInt64(10 * number + index + 1),
                        time: Instant(seconds: 1_700_000_000 + Int64(30 * number + index)),
                        flow: isOfClient ? flow : flow.reversed, kind: kind), file: 0)
            }
        }
        let speakers = Set(speakers.map { PackedAddress(IPAddress($0)!) })
        return Judge(options: AnalysisOptions()).handshakes(ledger, speakers: speakers).map(\.severity)
    }

    @Test("a TLS handshake that fails accuses, but not of a stranger, nor where the phone went on by another transport")
    func tls() {
        #expect(handshakes(tries: 1, from: "198.51.100.70", speakers: []) == [.fault])
        #expect(handshakes(tries: 1, from: "198.51.100.70", speakers: ["203.0.113.5"]) == [.note])
        #expect(handshakes(tries: 4, from: "198.51.100.70", speakers: ["203.0.113.5"]) == [.fault])
        #expect(handshakes(tries: 1, from: "192.168.1.20", speakers: ["203.0.113.5"]) == [.fault])
        #expect(handshakes(tries: 1, from: "192.168.1.20", speakers: ["203.0.113.5", "192.168.1.20"]) == [.note])
        #expect(handshakes(tries: 2, from: "192.168.1.20", speakers: ["203.0.113.5", "192.168.1.20"]) == [.fault])
    }

    private static func unanswered(_ method: String, to destination: String, agent: String = "Phone/1.0") -> [String] {
        var talk = Talk()
        talk.registers()
        talk.call = "x1"
        talk.agent = agent
        let request = talk.request(method, "sip:\(destination)", 1, ["Contact: <sip:a@\(talk.said)>"])
        for seconds in [0, 0.5, 1.5, 3.5, 7.5] {
            talk.up(20 + seconds, request, from: Endpoint("198.51.100.60:5071")!, to: Endpoint("\(destination):5060")!)
        }
        talk.later(80)
        return talk.accusations()
    }

    @Test("nobody has to answer what is sent to all that listen")
    func multicast() {
        #expect(Self.unanswered("SUBSCRIBE", to: "224.0.1.75") == [])
        #expect(Self.unanswered("REGISTER", to: "224.0.1.75") == [])
        #expect(Self.unanswered("SUBSCRIBE", to: "203.0.113.10") == ["fault sip.retransmit"])
    }

    @Test("a scanner that gets no answer lacks nothing")
    func scannerUnanswered() {
        #expect(Self.unanswered("INVITE", to: "203.0.113.10", agent: "friendly-scanner") == [])
        #expect(Self.unanswered("INVITE", to: "203.0.113.10") == ["fault sip.retransmit"])
    }

    @Test("a scanner acknowledges no refusal, and that is no lost answer")
    func scannerRefused() {
        func refused(_ agent: String) -> [String] {
            var talk = Talk()
            talk.agent = agent
            let invite = talk.request("INVITE", "sip:900@pbx.example", 1)
            talk.up(0, invite)
            for seconds in [0.01, 0.51, 1.51, 3.51, 7.51, 11.51] { talk.down(seconds, talk.response(403, to: invite)) }
            talk.later(80)
            return talk.accusations().filter { $0.hasSuffix("sip.retransmit") }
        }
        #expect(refused("sipcli/v1.8") == [])
        #expect(refused("Phone/1.0") == ["fault sip.retransmit"])
    }

    @Test(
        "an address of the block that stands for ends without one is no such end",
        arguments: [":0", ":fff", ":1000", "ffff:ffff"])
    func standIns(end: String) {
        var talk = Talk()
        talk.phone = Endpoint(.v6(IPv6Address(utf8: Array("::1:\(end.hasPrefix(":") ? "0" + end : end)".utf8))!), 5_060)
        talk.server = Endpoint(.v6(IPv6Address(utf8: Array("::1:ffff:fffe".utf8))!), 5_060)
        let request = talk.register(1)
        for seconds in [0, 0.5, 1.5, 3.5, 7.5] { talk.up(seconds, request) }
        talk.later(80)
        #expect(talk.accusations() == ["fault sip.retransmit"])
    }
}
