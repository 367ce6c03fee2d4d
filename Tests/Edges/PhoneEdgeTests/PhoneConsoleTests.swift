import Base
import PhoneEdge
import PhoneNode
import ShowText
import Testing

@Suite("What the keys and the bottom line of the phone do")
struct PhoneConsoleTests {
    private static let start = Instant(seconds: 1_000)
    private static let one = PhoneCallID(1)
    private static let two = PhoneCallID(2)

    private static func media(held: Bool = false) -> CallMediaState {
        CallMediaState(
            codec: "PCMA", sampleRate: 8_000, sends: true, receives: !held, heldByUs: held, heldByThem: false, isSRTP: false,
            local: Endpoint("192.0.2.1:16384")!, remote: Endpoint("192.0.2.2:4000")!, hasTelephoneEvents: true)
    }

    private static func talking(_ id: PhoneCallID = one, in console: inout PhoneConsole) {
        _ = console.note(id, .calling(target: "sip:8000@example.net", next: Endpoint("192.0.2.2:5060")!), at: start)
        _ = console.note(id, .answered(media()), at: start)
    }

    private static func typed(_ text: String, _ console: inout PhoneConsole) -> [PhoneConsole.Wish] {
        text.utf8.flatMap { console.key($0) }
    }

    @Test("Without a call only c, q and ? do anything, and nothing is shown at the bottom")
    func idle() {
        var console = PhoneConsole(play: .silence)
        #expect(console.statusLine(.plain, at: Self.start).isEmpty)
        for key in "ahpmtx0159*#\t\r\u{1b}z" { #expect(Self.typed(String(key), &console).isEmpty) }
        #expect(Self.typed("?", &console) == [.say(PhoneConsole.help)])
        #expect(Self.typed("q", &console) == [.quit])
        #expect(console.key(3) == [.quit])
    }

    @Test("c asks for a target, takes it with Return, forgets it with Escape, and edits with Backspace")
    func call() {
        var console = PhoneConsole(play: .tone(440), firstID: 7)
        #expect(Self.typed("c80x", &console).isEmpty)
        #expect(console.statusLine(.plain, at: Self.start) == "call: 80x")
        let wishes = Self.typed("\u{7f}00\r", &console)
        #expect(wishes == [.command(.call(CallRequest(id: PhoneCallID(7), target: "8000", play: .tone(440))))])
        #expect(Self.typed("c9\u{1b}", &console).isEmpty)
        #expect(console.statusLine(.plain, at: Self.start).isEmpty)
        #expect(Self.typed("c\r", &console).isEmpty)
        #expect(Self.typed("c1\r", &console) == [.command(.call(CallRequest(id: PhoneCallID(8), target: "1", play: .tone(440))))])
    }

    @Test("A call that comes in is answered with a and refused with h")
    func incoming() {
        var console = PhoneConsole(play: .silence)
        let id = PhoneCallID(1 << 32)
        #expect(
            console.note(id, .incoming(from: "sip:200@example.net", name: "Bob", to: "sip:100@example.net"), at: Self.start)
                == "Bob sip:200@example.net calls")
        #expect(console.statusLine(.plain, at: Self.start) == "incoming  sip:200@example.net  a answer  h refuse")
        #expect(Self.typed("a", &console) == [.command(.answer(id, play: .silence))])
        #expect(Self.typed("h", &console) == [.command(.hangUp(id))])
    }

    @Test("In a call the keys hold, mute, dial, transfer and hang up; the bottom line shows it")
    func talking() {
        var console = PhoneConsole(play: .silence)
        Self.talking(in: &console)
        #expect(
            console.statusLine(.plain, at: Self.start + .seconds(75))
                == "1:15  sip:8000@example.net  PCMA  no audio yet  h hang up  p hold  m mute  t transfer  ? keys")
        console.heard(Self.one)
        #expect(Self.typed("p", &console) == [.command(.hold(Self.one))])
        #expect(console.note(Self.one, .media(Self.media(held: true)), at: Self.start)?.contains("on hold") == true)
        #expect(Self.typed("p", &console) == [.command(.resume(Self.one))])
        #expect(Self.typed("mm", &console) == [.command(.mute(Self.one, true)), .command(.mute(Self.one, false))])
        #expect(Self.typed("1#", &console) == [.command(.dtmf(Self.one, "1")), .command(.dtmf(Self.one, "#"))])
        #expect(console.statusLine(.plain, at: Self.start).hasPrefix("0:00  sip:8000@example.net  PCMA  on hold  sent 1#"))
        #expect(Self.typed("t300\r", &console) == [.command(.transfer(Self.one, to: "300"))])
        #expect(Self.typed("h", &console) == [.command(.hangUp(Self.one))])
    }

    @Test("With two calls Tab goes from one to the other, and x joins them")
    func two() {
        var console = PhoneConsole(play: .silence)
        Self.talking(in: &console)
        Self.talking(Self.two, in: &console)
        #expect(Self.typed("x", &console) == [.command(.transferAttended(Self.one, with: Self.two))])
        #expect(Self.typed("\th", &console) == [.command(.hangUp(Self.one))])
        #expect(Self.typed("\th", &console) == [.command(.hangUp(Self.two))])
        var report = CallReport(
            id: Self.two, remote: "sip:8000@example.net", startedAt: Self.start, endedAt: Self.start, end: .hungUp)
        #expect(console.note(Self.two, .ended(report), at: Self.start) == "sip:8000@example.net: we hung up")
        #expect(Self.typed("h", &console) == [.command(.hangUp(Self.one))])
        report.id = Self.one
        _ = console.note(Self.one, .ended(report), at: Self.start)
        #expect(!console.hasCalls)
    }

    @Test("A call that is repeated with credentials is told once")
    func told() {
        var console = PhoneConsole(play: .silence)
        let event = CallEvent.calling(target: "sip:8000@example.net", next: Endpoint("192.0.2.2:5060")!)
        #expect(console.note(Self.one, event, at: Self.start) == "calling sip:8000@example.net at 192.0.2.2:5060")
        #expect(console.note(Self.one, event, at: Self.start) == nil)
    }

    @Test("The bottom line never wraps, however long an address is")
    func narrow() {
        var console = PhoneConsole(play: .silence)
        let long = "sip:" + String(repeating: "x", count: 300)
        _ = console.note(Self.one, .incoming(from: long, name: nil, to: ""), at: Self.start)
        for width in 40...120 { #expect(console.statusLine(ReportStyle(width: width), at: Self.start).utf8.count < width) }
    }

    @Test("The end of a call in one line: who ended it, what was said, where audio came from, how well")
    func report() {
        var report = CallReport(
            id: Self.one, remote: "sip:8000@example.net", startedAt: Self.start, endedAt: Self.start + .seconds(12),
            end: .hungUpByPeer)
        report.answeredAt = Self.start + .seconds(2)
        report.codec = "PCMU"
        report.signalled = Endpoint("192.168.1.10:16384")
        report.source = Endpoint("203.0.113.7:52011")
        report.lastSource = report.source
        (report.packetsReceived, report.packetsSent, report.lost, report.jitter) = (499, 500, 1, 4.04)
        report.meanOpinionScore = 4.38
        report.theirLossPercent = 0.39
        report.roundTrip = 40.2
        #expect(
            report.summary
                == "sip:8000@example.net: the other side hung up after 10 s; PCMU; SDP said 192.168.1.10:16384, RTP came from "
                + "203.0.113.7:52011; 499 packets received, 0.2 % lost, 4.0 ms jitter; 500 packets sent; MOS 4.4; the other side reports "
                + "0.4 % lost, 40 ms round trip")
    }
}
