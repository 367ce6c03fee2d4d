import Base
import SIP
import SIPStack
import Testing

private let start = Instant(seconds: 5_000)
private func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

@Suite("Answers repeated until they are acknowledged: RFC 3261 13.3.1.4, RFC 3262")
struct RepeatingTests {
    func times(_ isProvisional: Bool) -> (sent: [Instant], gaveUp: Instant?) {
        var repeater = AnswerRepeater([1], isProvisional: isProvisional, at: start)
        var sent: [Instant] = []
        while let next = repeater.nextDeadline {
            switch repeater.advance(to: next) {
            case .send: sent.append(next)
            case .giveUp: return (sent, next)
            case nil: return (sent, nil)
            }
        }
        return (sent, nil)
    }

    @Test("A 2xx: intervals double up to T2, for 32 s")
    func final() {
        let (sent, gaveUp) = times(false)
        #expect(sent == [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(at))
        #expect(gaveUp == at(32_000))
    }

    @Test("A reliable provisional response: intervals double without bound, for 32 s")
    func provisional() {
        let (sent, gaveUp) = times(true)
        #expect(sent == [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(at))
        #expect(gaveUp == at(32_000))
    }

    @Test("Acknowledged, nothing is due any more; an early advance does nothing")
    func acknowledged() {
        var repeater = AnswerRepeater([1], at: start)
        #expect(repeater.advance(to: at(499)) == nil)
        repeater.acknowledge()
        #expect(repeater.isOver && repeater.nextDeadline == nil)
        #expect(repeater.advance(to: at(60_000)) == nil)
    }

    @Test("RFC 3262 3: one reliable response at a time, RSeq one higher each, only the right RAck counts")
    func reliable() {
        var server = ReliableProvisionals(sequence: 7, first: 0xffff_ffff)
        let first: UInt32 = 0x3fff_ffff
        #expect(server.nextNumber() == first)
        server.sent([9], at: start)
        #expect(server.nextNumber() == nil)
        #expect(server.isAwaitingPRACK)
        for wrong in [
            ProvisionalAcknowledgement(responseNumber: first &+ 1, sequence: 7, method: .invite),
            ProvisionalAcknowledgement(responseNumber: first, sequence: 8, method: .invite),
            ProvisionalAcknowledgement(responseNumber: first, sequence: 7, method: .update),
        ] { #expect(server.receive(wrong) == false) }
        #expect(server.advance(to: at(500)) == .send([9]))
        #expect(server.receive(.init(responseNumber: first, sequence: 7, method: .invite)) == true)
        #expect(server.receive(.init(responseNumber: first, sequence: 7, method: .invite)) == false)
        #expect(server.nextNumber() == first + 1)
        server.sent([8], at: start)
        #expect(server.advance(to: at(32_000)) == .giveUp)
        #expect(server.nextDeadline == nil)
    }

    @Test("RFC 3262 4: the client takes each RSeq once and in order")
    func sequence() throws {
        func provisional(_ rseq: String?, _ require: String? = "100rel") throws -> SIPMessage {
            try DialogTests.response(183, (rseq.map { ["RSeq: \($0)"] } ?? []) + (require.map { ["Require: \($0)"] } ?? []))
        }
        var sequence = ProvisionalSequence()
        #expect(sequence.receive(try provisional(nil)) == nil)
        #expect(sequence.receive(try provisional("5", nil)) == nil)
        for (number, isNew) in [(5, true), (5, false), (7, false), (6, true), (5, false), (7, true)] {
            let got = sequence.receive(try provisional("\(number)"))
            #expect(got?.number == UInt32(number) && got?.isNew == isNew)
        }
    }

    @Test(
        "RAck: three words, nothing else",
        arguments: [("1 2 INVITE", true), ("1  2\tINVITE", true), ("1 2", false), ("x 2 INVITE", false), ("1 2 INVITE 4", false)])
    func rack(_ text: String, _ isGood: Bool) throws {
        let prack = try DialogTests.message([
            "PRACK sip:x SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKb", "From: <sip:a>;tag=1", "To: <sip:b>;tag=2", "Call-ID: c",
            "CSeq: 3 PRACK", "RAck: \(text)",
        ])
        #expect((ProvisionalAcknowledgement(prack) == .init(responseNumber: 1, sequence: 2, method: .invite)) == isGood)
    }
}

@Suite("RFC 4028: session timers")
struct SessionTimerTests {
    static func terms(_ lines: [String]) throws -> SessionTimerTerms { SessionTimerTerms(try DialogTests.invite(lines)) }

    @Test("The refresher acts at half of the interval and gives up at its end")
    func ours() {
        var timer = SessionTimer(interval: 1_800, refresher: .us, at: start)
        #expect(timer.nextDeadline == at(900_000))
        #expect(timer.advance(to: at(899_999)) == nil)
        #expect(timer.advance(to: at(900_000)) == .refresh)
        #expect(timer.nextDeadline == at(1_800_000))
        timer.restart(at: at(900_100))
        #expect(timer.nextDeadline == at(1_800_100))
        #expect(timer.advance(to: at(1_800_100)) == .refresh)
        #expect(timer.advance(to: at(2_700_100)) == .expired)
        #expect(timer.nextDeadline == nil)
    }

    @Test(
        "Waiting for the other side: BYE a third of the interval, at most 32 s, before it ends",
        arguments: [(90, 60), (1_800, 1_768), (96, 64), (97, 65)])
    func theirs(_ interval: UInt32, _ seconds: Int64) {
        var timer = SessionTimer(interval: interval, refresher: .them, at: start)
        #expect(timer.nextDeadline == at(seconds * 1_000))
        #expect(timer.advance(to: at(seconds * 1_000)) == .expired)
    }

    @Test(
        "9: what a server makes of a request's terms",
        arguments: [
            (["Supported: timer", "Session-Expires: 60"], .tooSmall(shortest: 90)),
            // Who does not know the extension cannot be refused for it: the timer is ours alone.
            (["Session-Expires: 60"], .agreed(interval: 90, refresherIsUAC: false, requires: false)),
            (["Supported: timer", "Session-Expires: 4000"], .agreed(interval: 1_800, refresherIsUAC: true, requires: true)),
            (
                ["Supported: timer", "Session-Expires: 4000", "Min-SE: 3600"],
                .agreed(interval: 3_600, refresherIsUAC: true, requires: true)
            ),
            (
                ["Supported: timer", "Session-Expires: 300;refresher=uas"],
                .agreed(interval: 300, refresherIsUAC: false, requires: false)
            ),
            (["Supported: timer", "x: 300;refresher=UAC"], .agreed(interval: 300, refresherIsUAC: true, requires: true)),
            (["Supported: timer"], .agreed(interval: 1_800, refresherIsUAC: true, requires: true)),
            ([], .agreed(interval: 1_800, refresherIsUAC: false, requires: false)),
        ] as [([String], SessionTimerTerms.Answer)])
    func answers(_ lines: [String], _ answer: SessionTimerTerms.Answer) throws {
        #expect(try Self.terms(lines).answer(SessionTimer.Settings()) == answer)
    }

    @Test("7.2: a client's timer follows the 2xx; where it says nothing, we refresh alone")
    func client() throws {
        let uac = SessionTimerTerms(try DialogTests.response(200, ["Session-Expires: 600;refresher=uac"])).timer(
            asked: 1_800, at: start)
        #expect(uac == SessionTimer(interval: 600, refresher: .us, at: start))
        let uas = SessionTimerTerms(try DialogTests.response(200, ["Session-Expires: 600;refresher=uas"])).timer(
            asked: 1_800, at: start)
        #expect(uas == SessionTimer(interval: 600, refresher: .them, at: start))
        let none = SessionTimerTerms(try DialogTests.response(200))
        #expect(none.timer(asked: 1_800, at: start) == SessionTimer(interval: 1_800, refresher: .us, at: start))
        #expect(none.timer(asked: nil, at: start) == nil)
    }
}

@Suite("RFC 6665: the state of a subscription")
struct SubscriptionStateTests {
    @Test("It runs out, is refreshed, is ended, and says so in Subscription-State")
    func notifier() {
        var subscription = Subscription(event: "dialog", seconds: 60, at: start)
        #expect(subscription.header(at: at(1)) == "active;expires=60")
        subscription.refresh(seconds: 100, at: at(30_000))
        #expect(subscription.nextDeadline == at(130_000))
        #expect(subscription.advance(to: at(129_999)) == false)
        #expect(subscription.advance(to: at(130_000)) == true)
        #expect(subscription.isOver)
        #expect(subscription.advance(to: at(130_000)) == false)
        #expect(subscription.header(at: at(130_000)) == "terminated;reason=timeout")
        subscription.refresh(seconds: 60, at: at(130_000))
        #expect(subscription.isOver)
    }

    @Test("Pending until decided")
    func pending() {
        var subscription = Subscription(event: "dialog", isPending: true, seconds: 60, at: start)
        #expect(subscription.header(at: start) == "pending;expires=60")
        subscription.activate()
        #expect(subscription.header(at: start) == "active;expires=60")
        subscription.terminate(.rejected)
        #expect(subscription.header(at: start) == "terminated;reason=rejected")
    }

    @Test(
        "A subscriber takes over what a NOTIFY says",
        arguments: [
            ("active;expires=30", "active;expires=30"), ("ACTIVE ; expires=30", "active;expires=30"),
            ("active", "active;expires=60"),
            ("pending;expires=5", "pending;expires=5"), ("terminated;reason=noresource", "terminated;reason=noresource"),
            ("terminated;reason=odd", "terminated;reason=timeout"),
        ])
    func subscriber(_ header: String, _ then: String) {
        var subscription = Subscription(event: "refer", seconds: 60, at: start)
        #expect(subscription.receive(SIPText(header), at: start) == true)
        #expect(subscription.header(at: start).string == then)
        #expect(subscription.receive("nonsense", at: start) == false)
    }
}
