import Base
import Lab
import PhoneNode
import ServerNode
import Testing
import VirtualNetwork

@Suite("one-way audio is named with its reason")
struct CallReviewTests {
    private func review(_ town: Neighbourhood) -> [CallReview] {
        CallReviewer(town.world, town.world.records).reviews()
    }

    /// Two phones that call each other past every server, and believe what SDP says.
    private func direct(_ router: Router, stun: Bool = false, symmetric: Bool = false) -> CallReview {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, router: router.settings) {
            $0.calls?.symmetricRTP = symmetric
            if stun { $0.stunServer = .init(host: Neighbourhood.serverAddress.description) }
        }
        town.addPhone("bob", tone: 620, router: Router.none.settings) { $0.calls?.symmetricRTP = symmetric }
        town.start()
        town.call(0, "sip:bob@192.0.2.20", tone: 440)
        town.run(10)
        return review(town)[0]
    }

    @Test(
        "a private address in SDP: the other side's sound leads nowhere; a phone that sends to where sound comes from is the cure"
    )
    func privateAddress() {
        let broken = direct(.cone)
        #expect(broken.summary == "one-way audio")
        #expect(broken.ways.map(\.isHeard) == [true, false])
        #expect(broken.ways[1].reason == .privateAddress(Endpoint("192.168.1.64:16384")!, of: "alice"))
        #expect(direct(.cone, symmetric: true).summary == "audio both ways")
    }

    @Test(
        "STUN cures it behind a router with endpoint-independent mapping, and not behind a symmetric one, whose filter is named")
    func stun() {
        #expect(direct(.cone, stun: true).summary == "audio both ways")
        let broken = direct(.symmetric, stun: true)
        #expect(broken.summary == "one-way audio")
        guard case .filtered("router", let place, let source, let peer) = broken.ways[1].reason else {
            Issue.record("\(String(describing: broken.ways[1].reason))")
            return
        }
        #expect(place.address == IPAddress("192.0.2.10") && source == Endpoint("192.0.2.20:16384"))
        #expect(peer == Endpoint(Neighbourhood.serverAddress, 3478))
    }

    @Test("a helper that hides the NAT from the server makes it let media go direct, past the cure: the private address is named")
    func hiddenNAT() {
        var town = Neighbourhood(users: ["alice", "bob"], direct: true)
        town.addPhone("alice", tone: 440, router: Router.none.settings) { $0.calls?.symmetricRTP = false }
        town.addPhone("bob", tone: 620, router: Router.speedtouch.settings) { $0.calls?.symmetricRTP = false }
        town.start()
        town.call(0, "bob", tone: 440)
        town.run(10)
        let broken = review(town)[0]
        #expect(broken.summary == "one-way audio" && broken.ways.map(\.isHeard) == [false, true])
        #expect(broken.ways[0].reason == .privateAddress(Endpoint("192.168.2.64:16384")!, of: "bob"))
        #expect(broken.verdicts == ["media went from phone to phone, past the server"])
    }

    @Test("a call on hold is no fault: who holds sends no sound, and the other side is asked for none")
    func hold() throws {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, router: Router.cone.settings)
        town.addPhone("bob", tone: 620, router: Router.none.settings)
        town.start()
        town.call(0, "bob", tone: 440, seconds: 20)
        town.run(5)
        let id = try #require(town.call(1)?.id)
        town.world.perform(.phone(town.phones[1], .hold(id)))
        town.run(20)
        let held = review(town)[0]
        #expect(held.summary == "broken audio" && held.ways.allSatisfy { $0.share > 0.1 && $0.share < 0.4 })
        let reasons = held.ways.map(\.reason)
        #expect(
            reasons == [
                .notSent(speaker: "alice", because: "bob put the call on hold"),
                .notSent(speaker: "bob", because: "the call is on hold there"),
            ])
    }

    @Test("calls that come to nothing say so: busy, nobody there, given up")
    func unanswered() {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, router: Router.cone.settings)
        town.addPhone("bob", tone: 620, router: Router.cone.settings) { $0.calls?.answers = .busy }
        town.start()
        town.call(0, "bob", tone: 440)
        town.run(3)
        town.world.perform(.phone(town.phones[0], .call(.init(id: PhoneCallID(7), target: "nobody", play: .tone(440)))))
        town.run(3)
        let calls = review(town)
        #expect(calls.map(\.summary) == ["not answered", "not answered"])
        #expect(calls[0].outcome.contains("486") && calls[1].outcome.contains("404"))
        #expect(calls.allSatisfy { $0.ways.isEmpty && $0.isAudioComplete == nil })
    }

    @Test("a line that is cut in the middle of a call is not blamed on a router")
    func cut() {
        var town = Neighbourhood(users: ["alice", "bob"])
        town.addPhone("alice", tone: 440, router: Router.cone.settings)
        town.addPhone("bob", tone: 620, router: Router.cone.settings)
        town.start()
        town.call(0, "bob", tone: 440, seconds: 20)
        town.run(8)
        town.world.perform(.properties(town.homes[0], LinkProperties(loss: 1)))
        town.run(60)
        let broken = review(town)[0]
        #expect(broken.ways.allSatisfy { !$0.isHeard && $0.reason == .lost })
    }
}
