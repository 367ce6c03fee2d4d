import Analysis
import Base
import Testing

@Suite("A server that was away for a moment is told once")
struct ServerAwayTests {
    private static let tries = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5]

    /// Phones of one office register every so often; from 100 s to 125 s the server is silent to the first `lost` of them. `back`: it comes back.
    /// `strangers`: as many others ask once, then, and never get an answer.
    private func office(phones: Int = 4, lost: Int, back: Bool = true, calls: Bool = false, strangers: Int = 0) -> Talk {
        var talk = Talk()
        talk.server = Endpoint("192.168.1.2:5060")!
        for number in 0..<phones {
            talk.phone = Endpoint("192.168.1.\(20 + number):5060")!
            talk.said = "192.168.1.\(20 + number):5060"
            talk.user = "u\(number)"
            for round in 0..<6 {
                let at = Double(number) + Double(round) * 30 + 10
                let isDown = at > 99 && (at < 125 || !back)
                talk.call = isDown || at > 125 ? "b\(number).\(round)@x" : "a\(number)@x"
                let request = talk.register(round + 1, branch: "r\(number).\(round)", expires: 60, tag: "t\(number)")
                guard isDown, number < lost else {
                    talk.up(at, request)
                    talk.down(at + 0.02, talk.response(200, to: request, ["Contact: <sip:\(talk.user)@\(talk.said)>;expires=60"]))
                    continue
                }
                for time in Self.tries { talk.up(at + time, request) }
            }
        }
        for number in 0..<strangers {
            talk.phone = Endpoint("198.51.100.\(20 + number):5060")!
            talk.said = "198.51.100.\(20 + number):5060"
            talk.user = "s\(number)"
            talk.call = "s\(number)@x"
            let request = talk.register(1, branch: "s\(number)", tag: "s\(number)")
            for time in Self.tries { talk.up(101 + time, request) }
        }
        if calls {
            talk.phone = Endpoint("192.168.1.20:5060")!
            talk.said = "192.168.1.20:5060"
            talk.user = "u0"
            talk.call = "call"
            let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:u0@192.168.1.20>"])
            for time in Self.tries { talk.up(102 + time, invite) }
        }
        return talk.inOrder()
    }

    @Test("all phones get no answer, and then all do: a note about the server, and a fault where a call was lost meanwhile")
    func away() throws {
        let talk = office(lost: 4)
        #expect(talk.accusations() == [])
        let told = talk.result().findings.filter { $0.name == .sipRetransmit }
        #expect(told.count == 1)
        #expect(
            told.first?.summary
                == "The server 192.168.1.2 was away: nothing came from it for 57 s, requests of 4 hosts stayed unanswered in that time, and then it "
                + "answered again, as after a restart.")
        let lost = try #require(office(lost: 4, calls: true).finding(.sipRetransmit))
        #expect(lost.severity == .fault && lost.culprit == .proved("the server 192.168.1.2"))
        #expect(lost.summary.contains("1 call among them"))
    }

    @Test("one phone alone, and a server that stays away, are no restart, nor are strangers that are never answered")
    func others() {
        for talk in [office(lost: 1), office(lost: 4, back: false), office(phones: 1, lost: 1, strangers: 2)] {
            let told = talk.result().findings
            #expect(!told.isEmpty)
            #expect(told.allSatisfy { !$0.summary.contains("was away") })
        }
    }
}

extension Talk {
    /// As a capture has it.
    fileprivate func inOrder() -> Talk {
        var talk = Talk()
        for one in seen.sorted(by: { $0.time ?? .init(seconds: 0) < $1.time ?? .init(seconds: 0) }) {
            talk.see(
                Double((one.time?.nanoseconds ?? 0) - 1_700_000_000_000_000_000) / 1e9, one.source, one.destination, one.what)
        }
        return talk
    }
}
