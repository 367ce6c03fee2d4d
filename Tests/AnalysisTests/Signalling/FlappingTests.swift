import Analysis
import Base
import Testing

@Suite("reg.flapping")
struct FlappingTests {
    private static func talk(every gap: Double, granted: Int, times: Int) -> Talk {
        var talk = Talk()
        for turn in 0..<times {
            let register = talk.register(turn + 1, expires: granted)
            talk.up(Double(turn) * gap, register)
            talk.down(
                Double(turn) * gap + 0.02,
                talk.response(200, to: register, ["Contact: <sip:alice@192.168.1.20>;expires=\(granted)"]))
        }
        talk.later(60)
        return talk
    }

    @Test("every 5 s with an hour granted is a note")
    func flaps() {
        let talk = Self.talk(every: 5, granted: 3_600, times: 20)
        #expect(talk.finding(.regFlapping)?.severity == .note)
        #expect(talk.finding(.regFlapping)?.summary.contains("every 5 s, 20 times in all") == true)
        #expect(talk.accusations() == [])
    }

    @Test(
        "what keeps a mapping alive, a short expiry, or a few in a row is none",
        arguments: [(20.0, 3_600, 20), (5.0, 30, 20), (5.0, 3_600, 6)])
    func innocent(gap: Double, granted: Int, times: Int) {
        #expect(Self.talk(every: gap, granted: granted, times: times).finding(.regFlapping) == nil)
    }
}
