import Base
import Testing

@testable import Analysis

@Suite("silence that something made up for")
struct RecoveryTests {
    private static let silent = Endpoint("203.0.113.20:5060")!
    private static let sends = [0, 0.5, 1.5, 3.5]

    /// An INVITE that one trunk lets lie, and another call of the same or another person, begun at a time, by another or the same trunk.
    private static func trunks(
        refused: Int? = nil, second at: Double, to number: String = "bob", by server: Endpoint = Endpoint("203.0.113.21:5060")!,
        status: Int = 200
    ) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        if let refused {
            talk.up(0, invite, to: silent)
            talk.down(0.1, talk.response(refused, to: invite), from: silent)
        } else {
            for offset in sends { talk.up(offset, invite, to: silent) }
        }
        talk.call = "second@198.51.100.7"
        let peer = "<sip:\(number)@other.example>"
        let again = talk.request("INVITE", "sip:\(number)@other.example", 1, branch: "second", peer: peer)
        talk.up(at, again, to: server)
        talk.down(at + 1, talk.response(status, to: again, ["Contact: <sip:bob@\(server)>"]), from: server)
        talk.up(at + 1.03, talk.request("ACK", "sip:bob@\(server)", 1, branch: "ack", peer: peer + ";tag=s1"), to: server)
        if status == 200 {
            let bye = talk.request("BYE", "sip:bob@\(server)", 2, peer: peer + ";tag=s1")
            talk.up(at + 30, bye, to: server)
            talk.down(at + 30.03, talk.response(200, to: bye), from: server)
        }
        talk.later(200)
        return talk
    }

    @Test("a trunk that is silent while another takes the same call costs a wait alone: a note")
    func failover() {
        let talk = Self.trunks(second: 4)
        #expect(talk.accusations() == [])
        #expect(
            talk.finding(.sipRetransmit)?.summary
                == "INVITE from 198.51.100.7:40000 to 203.0.113.20:5060 was sent 4 times within 3.5 s and nobody answered. 203.0.113.21:5060 took "
                + "the call in its place: only the wait was lost, as long as that one is there.")
    }

    @Test("a trunk that refuses with 503 while another takes the same call is a note; without another it is a fault")
    func refusedFailover() {
        let talk = Self.trunks(refused: 503, second: 0.2)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.sipRefused)?.summary.contains("203.0.113.21:5060 took the call in its place") == true)
        #expect(Self.trunks(refused: 503, second: 0.2, to: "carol").accusations() == ["fault sip.refused"])
        #expect(Self.trunks(refused: 503, second: 60).accusations() == ["fault sip.refused"])
    }

    @Test("no other trunk, another callee, a call that fails there too, or one dialled again by hand: the silence is a fault")
    func noFailover() {
        #expect(Self.trunks(second: 4, to: "carol").accusations() == ["fault sip.retransmit"])
        #expect(Self.trunks(second: 60).accusations() == ["fault sip.retransmit"])
        #expect(Self.trunks(second: 4, status: 404).accusations() == ["fault sip.retransmit"])
        #expect(Self.trunks(second: 4, by: Self.silent).accusations() == ["fault sip.retransmit"])
    }

    /// Registers, is not answered once or more often, and registers again if told.
    private static func outage(_ rounds: [Double], back: Double?) -> Talk {
        var talk = Talk()
        talk.registers(at: 0, from: 1, expires: 120)
        for (number, at) in rounds.enumerated() {
            let lost = talk.register(10 + number, expires: 120)
            for offset in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5] { talk.up(at + offset, lost) }
        }
        if let back { talk.registers(at: back, nonce: "n9", from: 20, expires: 120) }
        talk.later(500)
        return talk
    }

    @Test("a registrar that is silent for a while and then registers the phone again is a note")
    func restarted() {
        let talk = Self.outage([100], back: 140)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.sipRetransmit)?.summary.hasSuffix("and nobody answered. It registered again 25 s later.") == true)
    }

    @Test("one that stays silent, is silent time and again, or for minutes, is a fault")
    func outages() {
        #expect(Self.outage([100], back: nil).accusations() == ["fault sip.retransmit"])
        #expect(Self.outage([100, 140], back: 180).accusations() == ["fault sip.retransmit"])
        #expect(Self.outage([100], back: 300).accusations() == ["fault sip.retransmit"])
    }
}
