import Base
import Capture
import Testing

@testable import Analysis

@Suite("What a capture lacks, and what several show of one short outage, accuses nobody")
struct CaptureLossTests {
    /// A challenge that is not answered in the capture, and a call to that phone later. `caller`: who calls; `port`: where; `status`: what the
    /// phone answers, if it does.
    private static func challenged(caller: Endpoint? = Talk().server, port: UInt16 = 40_000, status: Int? = 200) -> Talk {
        var talk = Talk()
        let register = talk.register(1)
        talk.up(0, register)
        talk.down(0.03, talk.challenge(to: register, nonce: "n1"))
        if let caller {
            var other = talk
            other.call = "incoming"
            other.user = "carol"
            other.said = "\(caller)"
            let invite = other.request(
                "INVITE", "sip:alice@192.168.1.20", 102, ["Contact: <sip:carol@\(caller)>"], tag: "s7",
                peer: "<sip:alice@pbx.example>")
            talk.down(12, invite, port: port, from: caller)
            if let status { talk.up(12.1, other.response(status, to: invite, tag: "p1"), port: port, to: caller) }
        }
        talk.later(60)
        return talk
    }

    @Test("a phone that its registrar calls where it asked from, and that answers, is registered whatever the capture lacks")
    func called() {
        #expect(Self.challenged().finding(.authNoAnswer)?.severity == .note)
        #expect(Self.challenged(status: 486).finding(.authNoAnswer)?.severity == .note)
    }

    @Test("without that call, from another server, to another place, or unanswered, the challenge stays unanswered")
    func notCalled() {
        for talk in [
            Self.challenged(caller: nil), Self.challenged(caller: Endpoint("192.0.2.77:5060")!), Self.challenged(port: 41_000),
            Self.challenged(status: nil),
        ] {
            #expect(talk.finding(.authNoAnswer)?.severity == .fault)
        }
    }

    @Test("one short outage that two captures show is one; two are a fault in each", arguments: [1, 2])
    func outage(times: Int) {
        var taps = Taps()
        func exchange(_ number: Int, at seconds: Double, sends: Int) {
            let register = SideScene.register(number)
            for offset in [0, 0.5, 1.5, 3.5].prefix(sends) { taps.send(register, at: seconds + offset, isOutbound: true) }
            taps.send(SideScene.ok(number), at: seconds + (sends > 1 ? 3.55 : 0.05), isOutbound: false)
        }
        for number in 1...4 { exchange(number, at: Double(number) * 30, sends: 1) }
        for number in 0..<times { exchange(10 + number, at: 200 + Double(number) * 30, sends: 4) }
        for number in 20...23 { exchange(number, at: 300 + Double(number) * 30, sends: 1) }
        #expect(taps.accusations().contains { $0.name == .sipRetransmit } == (times > 1))
    }

    /// A call of 10 s in a file whose clock is off, of which packets come at those times.
    private static func call(_ times: (_ isCaller: Bool, _ number: Int) -> Double) -> [String] {
        var scene = MediaScene()
        scene.call()
        for number in 0..<500 {
            for isCaller in [true, false] {
                scene.packet(
                    MediaScene.rtp(0, number, UInt32(number) * 160, isCaller ? 1 : 2),
                    isCaller ? MediaScene.callerAudio : MediaScene.calleeAudio,
                    isCaller ? MediaScene.calleeAudio : MediaScene.callerAudio, at: 1.2 + times(isCaller, number))
            }
        }
        return scene.accusations()
    }

    @Test("a clock that runs off makes all late by the same share and times nobody; one end alone is late", arguments: [1.02, 1])
    func clock(caller: Double) {
        let found = Self.call { isCaller, number in Double(number) * 0.02 * (isCaller ? caller : 1.02) }
        #expect(found == (caller == 1 ? ["media.quality risk [0]"] : []))
    }
}
