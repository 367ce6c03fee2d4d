import Base
import PhoneNode
import SIP
import Testing

@Suite("Calls between two phones")
struct CallTests {
    private static func pair(_ answering: CallSettings = .auto(), calls: CallSettings = CallSettings()) -> CallWorld {
        CallWorld([.caller(1, calls: calls), .caller(2, calls: answering)])
    }

    @Test("A call is made, answered, heard in both directions and hung up")
    func straight() throws {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(5))
        let incoming = try #require(world.incoming(1))
        #expect(world.share(of: 880, 0, outgoing) > 0.95)
        #expect(world.share(of: 440, 1, incoming) > 0.95)
        #expect(world.phones[0].callCount == 1)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let mine = try #require(world.report(0))
        let theirs = try #require(world.report(1))
        #expect(mine.end == .hungUp)
        #expect(theirs.end == .hungUpByPeer)
        #expect(mine.isSuccess && theirs.isSuccess)
        #expect(mine.codec == "PCMA")
        #expect(mine.lost == 0)
        #expect(mine.packetsReceived > 190)
        #expect(mine.source == Endpoint("192.0.2.2:16384"))
        #expect((mine.meanOpinionScore ?? 0) > 4.3)
        #expect(world.phones[0].callCount == 0)
        #expect(world.requests(.invite).count == 1)
        #expect(world.requests(.bye).count == 1)
        world.run(for: .seconds(60))
        #expect(world.phones.allSatisfy { $0.nextDeadline == nil })
    }

    @Test("The owner is told in order: calling, ringing, media, answered, ended")
    func order() {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.input(0, .hangUp(outgoing))
        let names = world.events(0).map { event -> String in
            switch event {
            case .calling(_, let next): "calling \(next)"
            case .progress(let code, _): "\(code)"
            case .media: "media"
            case .answered(let state): "answered \(state?.codec ?? "-")"
            case .ended(let report): "ended: \(report.end.text)"
            default: "\(event)"
            }
        }
        #expect(names == ["calling 192.0.2.2:5060", "180", "media", "answered PCMA", "ended: we hung up"])
    }

    @Test("Whoever is called hangs up as well as the caller")
    func calleeHangsUp() throws {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.input(1, .hangUp(try #require(world.incoming(1))))
        world.run(for: .seconds(1))
        #expect(world.report(0)?.end == .hungUpByPeer)
        #expect(world.report(1)?.end == .hungUp)
    }

    @Test("A call rings until it is answered by hand, with what its owner wants it to play")
    func byHand() throws {
        var world = Self.pair(CallSettings())
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(30))
        #expect(!world.wasAnswered(0))
        let incoming = try #require(world.incoming(1))
        #expect(
            world.events(1).first == .incoming(from: "sip:101@192.0.2.250", name: nil, to: "sip:102@192.0.2.2"))
        world.input(1, .answer(incoming, play: .tone(1000)))
        world.run(for: .seconds(2))
        #expect(world.share(of: 1000, 0, outgoing) > 0.9)
    }

    @Test(
        "RFC 3261 21.6: refusals carry their status to the caller",
        arguments: [(486, "Busy Here"), (603, "Decline"), (480, "Temporarily Unavailable")])
    func refused(status: Int, reason: String) throws {
        var world = Self.pair(CallSettings())
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(1))
        world.input(1, .reject(try #require(world.incoming(1)), status: status))
        world.run(for: .seconds(40))
        #expect(world.report(0)?.end == .refused(code: status, reason: reason))
        #expect(world.requests(.ack).count == 1)
        #expect(world.phones.allSatisfy { $0.callCount == 0 && $0.nextDeadline == nil })
    }

    @Test("A phone set to busy refuses at once; one without calls in its settings too")
    func busy() {
        var settings = CallSettings()
        settings.answers = .busy
        var world = Self.pair(settings)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(1))
        #expect(world.report(0)?.end == .refused(code: 486, reason: "Busy Here"))
    }

    @Test("RFC 3261 9: a call that rings is given up with CANCEL; the other side learns it")
    func cancelled() {
        var world = Self.pair(CallSettings())
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(40))
        #expect(world.report(0)?.end == .cancelled)
        #expect(world.report(1)?.end == .cancelledByPeer)
        #expect(world.requests(.cancel).count == 1)
        #expect(world.responses(487, to: .invite).count == 1)
        #expect(world.requests(.bye).isEmpty)
        #expect(world.phones.allSatisfy { $0.nextDeadline == nil })
    }

    @Test("RFC 3261 9.1: CANCEL waits for a provisional response")
    func earlyCancel() {
        var world = Self.pair(CallSettings())
        world.latency = .milliseconds(150)
        world.call(0, "sip:102@192.0.2.2")
        world.input(0, .hangUp(outgoing))
        world.run(for: .milliseconds(250))
        #expect(world.requests(.cancel).isEmpty)
        world.run(for: .seconds(40))
        #expect(world.requests(.cancel).count == 1)
        #expect(world.report(0)?.end == .cancelled)
    }

    @Test("RFC 3261 9.1: a call answered while its CANCEL was on the way is acknowledged and hung up")
    func crossedCancel() throws {
        var world = Self.pair(CallSettings())
        world.latency = .milliseconds(100)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .milliseconds(450))
        world.input(0, .hangUp(outgoing))
        world.input(1, .answer(try #require(world.incoming(1)), play: .silence))
        world.run(for: .seconds(40))
        #expect(world.report(0)?.end == .cancelled)
        #expect(world.report(1)?.end == .hungUpByPeer)
        #expect(world.requests(.ack).count == 1)
        #expect(world.requests(.bye).count == 1)
        #expect(world.phones.allSatisfy { $0.nextDeadline == nil })
    }

    @Test("Nobody answers: the caller gives up after its patience, and so does the phone that rings")
    func patience() {
        var world = Self.pair(CallSettings(), calls: CallSettings(ringPatience: .seconds(20)))
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(60))
        #expect(world.report(0)?.end == .noAnswer)
        #expect(world.report(1)?.end == .cancelledByPeer)
        var other = Self.pair(CallSettings(ringPatience: .seconds(10)))
        other.call(0, "sip:102@192.0.2.2")
        other.run(for: .seconds(60))
        #expect(other.report(1)?.end == .noAnswer)
        #expect(other.report(0)?.end == .refused(code: 480, reason: "Temporarily Unavailable"))
    }

    @Test("RFC 3261 17.1.1.2: an INVITE into the void is sent seven times and given up after 32 s")
    func void() {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.99")
        world.run(for: .seconds(40))
        #expect(world.requests(.invite).count == 7)
        #expect(world.report(0)?.end == .noAnswer)
    }

    @Test("ICMP says that nobody is there: the call ends at once")
    func unreachable() {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.99")
        world.run(for: .milliseconds(100))
        world.input(0, .unreachable(Endpoint("192.0.2.99:5060")!))
        #expect(world.report(0)?.end == .unreachable("192.0.2.99:5060"))
        #expect(world.phones[0].callCount == 0)
    }

    @Test(
        "A target is a number, an address or a SIP URI; anything else is refused in words",
        arguments: [
            ("102", "sip:102@192.0.2.250"), ("102@192.0.2.2", "sip:102@192.0.2.2"),
            ("tel:+49-30;phone-context=x", "sip:+49-30@192.0.2.250"),
            ("sip:a@192.0.2.2:5080;user=phone", "sip:a@192.0.2.2:5080;user=phone"),
            ("sip:a@192.0.2.2?Subject=x", "sip:a@192.0.2.2"),
        ])
    func targets(written: String, uri: String) {
        var world = Self.pair()
        world.call(0, written)
        #expect(world.requests(.invite).first?.requestURIText?.string == uri)
    }

    @Test(
        "What cannot be called says why",
        arguments: ["", "a b", "sip:", "sips:102@192.0.2.2", "sip:102@192.0.2.2;transport=tcp", "http://x/"])
    func impossible(written: String) {
        var world = Self.pair()
        world.call(0, written)
        guard case .impossible = world.report(0)?.end else {
            Issue.record("\(String(describing: world.report(0)?.end))")
            return
        }
        #expect(world.requests(.invite).isEmpty)
        #expect(world.phones[0].nextDeadline == nil)
    }

    @Test("Several calls at once, each with its own sound; one more than there are ports is turned away")
    func several() throws {
        var settings = CallSettings(rtpPorts: [16_384, 16_386])
        settings.answers = .auto(after: .zero)
        var world = CallWorld([
            .caller(1), .caller(2, calls: CallSettings()), .caller(3), .caller(4, calls: settings),
        ])
        world.call(0, "sip:104@192.0.2.4", play: .tone(400))
        world.call(1, "sip:104@192.0.2.4", play: .tone(500))
        world.run(for: .seconds(3))
        world.call(2, "sip:104@192.0.2.4")
        world.run(for: .seconds(1))
        #expect(world.report(2)?.end == .refused(code: 486, reason: "Busy Here"))
        #expect(world.phones[3].counters.callsTurnedAway == 1)
        let calls = world.events(3).filter { if case .incoming = $0 { true } else { false } }
        #expect(calls.count == 2)
        #expect(world.share(of: 400, 3, PhoneCallID(1 << 32)) > 0.9)
        #expect(world.share(of: 500, 3, PhoneCallID(1 << 32 + 1)) > 0.9)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        world.call(2, "sip:104@192.0.2.4", id: 2)
        world.run(for: .seconds(1))
        #expect(world.wasAnswered(2))
    }

    @Test("A call hangs up by itself after its duration")
    func duration() throws {
        var world = Self.pair()
        world.input(0, .call(CallRequest(id: outgoing, target: "sip:102@192.0.2.2", duration: .seconds(3))))
        world.run(for: .seconds(10))
        #expect(try #require(world.report(0)).talkTime == .seconds(3))
    }

    @Test("A phone that is switched off hangs up first, and stops when the other side has agreed")
    func stop() {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.input(0, .stop)
        world.run(for: .seconds(1))
        #expect(world.stoppedAt[0] == .milliseconds(2_040))
        #expect(world.report(1)?.end == .hungUpByPeer)
    }

    @Test("A phone that is switched off waits 4 s at most for the goodbyes of others")
    func stopDeaf() {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        world.wire = { _ in nil }
        world.input(0, .stop)
        world.run(for: .seconds(10))
        #expect(world.stoppedAt[0] == .seconds(6))
    }

    @Test("Muted, the other side hears silence, and the sound again afterwards")
    func mute() throws {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(3))
        let incoming = try #require(world.incoming(1))
        world.input(0, .mute(outgoing, true))
        world.run(for: .seconds(2))
        #expect(world.share(of: 440, 1, incoming) < 0.01)
        world.input(0, .mute(outgoing, false))
        world.run(for: .seconds(2))
        #expect(world.share(of: 440, 1, incoming) > 0.9)
    }

    @Test("The sound can be changed in the middle of a call, to samples and to what a microphone brings")
    func play() throws {
        var world = Self.pair()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        let incoming = try #require(world.incoming(1))
        world.input(0, .play(outgoing, .microphone))
        let period: [Int16] = (0..<8).map { $0 < 4 ? 8000 : -8000 }
        for _ in 0..<100 {
            world.input(0, .microphone(outgoing, [Int16](period.joined(20)), rate: 8000))
            world.run(for: .milliseconds(20))
        }
        // A square wave has 8 / pi^2 of its power at its base.
        #expect(world.share(of: 1000, 1, incoming) > 0.7)
    }
}

extension [Int16] {
    func joined(_ times: Int) -> [Int16] { (0..<times).flatMap { _ in self } }
}
