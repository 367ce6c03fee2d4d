import Base
import Codecs
import Conference
import MediaControl
import RTP
import Synchronization
import Testing

@Suite struct ServiceTests {
    @Test("A tone service sends its tone, at the codec's rate, from the first tick", arguments: [8_000, 16_000, 48_000])
    func tone(rate: Int) {
        let rig = SoundRig()
        let party = rig.serve(TestParty(0, rate == 8_000 ? .pcma : muLaw(at: rate), tone: nil), .tone(1_004))
        rig.run(seconds: 1)
        #expect(party.received.count == 50 && party.share(of: 1_004) > 0.99)
        #expect(party.received[0].timestamp &+ UInt32(rate / 50) == party.received[1].timestamp)
        rig.dial("12", party)
        #expect(rig.digits(party) == "12")
    }

    @Test("Silence and echo send nothing from here, but digits are told")
    func silence() {
        let rig = SoundRig()
        for (slot, service) in [MediaService.silence, .echo].enumerated() {
            let party = rig.serve(TestParty(slot, .pcmu, tone: 440), service)
            rig.dial("7", party)
            #expect(party.received.isEmpty && rig.digits(party) == "7")
        }
    }

    @Test("Where no voice is, an announcement is the text in Morse code, then the end")
    func morse() {
        let rig = SoundRig()
        let party = rig.serve(TestParty(0, .pcmu, tone: nil), .announcement("203.0.113.7:52011 ok"))
        rig.run(seconds: 40)
        #expect(rig.finished(party) == .announced)
        #expect(decodeMorse(party.heard) == "203.0.113.7:52011 ok")
        party.forget()
        rig.run(seconds: 1)
        #expect(party.received.isEmpty)
    }

    @Test("An IPv6 address is said to the last letter")
    func morse6() {
        let rig = SoundRig()
        let party = rig.serve(TestParty(0, muLaw(at: 16_000), tone: nil), .announcement("[2001:db8::c0de]:5060"))
        rig.run(seconds: 60)
        #expect(rig.finished(party) == .announced)
        #expect(decodeMorse(stride(from: 0, to: party.heard.count, by: 2).map { party.heard[$0] }) == "2001:db8::c0de:5060")
    }

    @Test("A voice is asked until it is ready, and heard at the party's rate, in full, then the end")
    func voice() {
        let asked = Mutex(0)
        var tone = ToneGenerator(500, sampleRate: 22_050)
        let speech = tone.next(22_050)
        let rig = SoundRig(
            speech: SpeechProvider { text in
                asked.withLock { $0 += 1 }
                return text == "hello" && asked.withLock({ $0 }) > 10 ? .ready(speech, sampleRate: 22_050) : .pending
            })
        let party = rig.serve(TestParty(0, .pcmu, tone: nil), .announcement("hello"))
        rig.run(seconds: 0.2)
        #expect(ToneMeter.level(party.heard) < 1)
        rig.run(seconds: 2)
        #expect(rig.finished(party) == .announced && asked.withLock { $0 } == 11)
        let loud = party.heard.filter { abs(Int($0)) > 100 }.count
        #expect(abs(loud - 8_000) < 400)
        #expect(ToneMeter.share(of: 500, in: party.heard.drop { abs(Int($0)) < 100 }.prefix(8_000), sampleRate: 8_000) > 0.98)
    }

    @Test("A voice that stays away, or has nothing to say, is replaced by Morse")
    func noVoice() {
        for answer in [SpeechAnswer.pending, .unavailable, .ready([], sampleRate: 8_000), .ready([1], sampleRate: 0)] {
            let rig = SoundRig(speech: SpeechProvider { _ in answer })
            let party = rig.serve(TestParty(0, .pcmu, tone: nil), .announcement("e"))
            rig.run(seconds: 6)
            #expect(decodeMorse(party.heard) == "e" && rig.finished(party) == .announced)
        }
    }

    @Test("An announcement waits until the party is heard, a second at most: before, its packets may have nowhere to go")
    func lead() {
        let rig = SoundRig()
        let silent = rig.serve(TestParty(0, .pcmu, tone: nil), .announcement("e"))
        silent.isSending = false
        let heard = rig.serve(TestParty(1, .pcmu, tone: nil), .announcement("e"))
        rig.run(seconds: 3)
        func start(_ party: TestParty) -> Int { (party.heard.firstIndex { abs(Int($0)) > 1_000 } ?? 0) / 8 }
        #expect((0...60).contains(start(heard)) && (1_000...1_060).contains(start(silent)))
    }

    /// Text out of 8 kHz samples of Morse at 20 words a minute.
    private func decodeMorse(_ samples: [Int16]) -> String {
        let letters: [String: Character] = [
            ".-": "a", "-...": "b", "-.-.": "c", "-..": "d", ".": "e", "..-.": "f", "-.-": "k", "---": "o", "-----": "0",
            ".----": "1", "..---": "2", "...--": "3", "....-": "4", ".....": "5", "-....": "6", "--...": "7", "---..": "8",
            "----.": "9", ".-.-.-": ".", "---...": ":",
        ]
        // Ten milliseconds at a time: on or off.
        let states = stride(from: 0, to: samples.count - 79, by: 80).map { ToneMeter.level(samples[$0..<($0 + 80)]) > 1_000 }
        var text = ""
        var signs = ""
        var at = 0
        while at < states.count {
            let end = states[at...].firstIndex { $0 != states[at] } ?? states.count
            let dots = (Double(end - at) / 6).rounded()
            if states[at] {
                signs += dots >= 2 ? "-" : "."
            } else if dots >= 2, !signs.isEmpty {
                text.append(letters[signs] ?? "?")
                signs = ""
                if dots >= 5, end < states.count { text.append(" ") }
            }
            at = end
        }
        return text
    }
}
