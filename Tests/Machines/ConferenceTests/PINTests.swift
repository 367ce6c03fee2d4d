import Base
import Codecs
import Conference
import MediaControl
import Testing

@Suite struct PINTests {
    private func isIn(_ rig: SoundRig, _ party: TestParty) -> Bool { rig.plane.members(of: "8000").contains(party.id) }

    /// Dials at once, without the time that keys take.
    private func key(_ rig: SoundRig, _ party: TestParty, _ digits: String) {
        for digit in digits { rig.plane.digit(slot: party.slot, digit, at: rig.now) }
        rig.fetch()
    }

    @Test("The right PIN opens, dialled over RFC 4733, after a prompt; its digits are told to nobody")
    func right() {
        let rig = SoundRig()
        let party = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        rig.run(seconds: 1)
        #expect(!isIn(rig, party) && party.heardBurst(of: 1_000))
        rig.dial("4711", party)
        #expect(isIn(rig, party) && rig.digits(party).isEmpty)
        rig.dial("#5", party)
        #expect(rig.digits(party) == "#5")
    }

    @Test("A star gives up an entry; one left alone for three seconds is complete; a PIN that is part of a longer entry is none")
    func entry() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        key(rig, one, "9*4711")
        #expect(isIn(rig, one))
        let two = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, two, "00004711")
        #expect(!isIn(rig, two))
        rig.run(seconds: 3.1)
        #expect(rig.plane.counts.wrongPINs == 2 && rig.finished(two) == nil)
        key(rig, two, "#4711")
        #expect(isIn(rig, two))
    }

    @Test("Three wrong PINs end the call, the third with a last tone")
    func thrice() {
        let rig = SoundRig()
        let party = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        key(rig, party, "1111#2222#")
        rig.run(seconds: 0.1)
        #expect(rig.finished(party) == nil)
        key(rig, party, "3333#")
        rig.run(seconds: 0.7)
        #expect(rig.finished(party) == .wrongPIN && rig.plane.counts.wrongPINs == 3)
        #expect(party.heardBurst(of: 300))
        key(rig, party, "4711")
        #expect(!isIn(rig, party))
    }

    @Test("Who dials nothing for a minute is told to hang up")
    func patience() {
        let rig = SoundRig()
        let party = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        rig.run(seconds: 59)
        #expect(rig.finished(party) == nil)
        rig.run(seconds: 2)
        #expect(rig.finished(party) == .wrongPIN)
    }

    @Test(
        "Brute force: hanging up and calling again buys nothing; from many calls a room judges ten at once and then one in 30 s")
    func bruteForce() {
        let rig = SoundRig()
        var calls = 0
        // A tireless caller under ever new names: three guesses a call, ten seconds each, for twenty minutes.
        var slot = 0
        for _ in 0..<120 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            party.isSending = false
            key(rig, party, "0001#")
            key(rig, party, "0002#")
            key(rig, party, "0003#")
            rig.run(seconds: 10)
            rig.leave(party)
            calls += 1
            slot += 1
        }
        #expect(calls == 120)
        // 360 guesses were dialled; ten and one each 30 s were judged.
        #expect((40...51).contains(rig.plane.counts.wrongPINs))
    }

    @Test("One party's guesses use up its own share first: five at once, then one a minute; others get in meanwhile")
    func perParty() {
        let rig = SoundRig()
        for _ in 0..<4 {
            let party = TestParty(0, .pcmu, tone: nil)
            party.isSending = false
            rig.join(party, pin: "4711")
            key(rig, party, "0001#0002#0003#")
            rig.run(seconds: 1)
            rig.leave(party)
        }
        #expect(rig.plane.counts.wrongPINs == 5)
        let honest = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, honest, "4711")
        #expect(isIn(rig, honest))
    }

    @Test("While too many were wrong, a right PIN waits for its turn and then opens")
    func waiting() {
        let rig = SoundRig()
        for slot in 10..<15 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            key(rig, party, "0001#0002#")
        }
        #expect(rig.plane.counts.wrongPINs == 10)
        let honest = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, honest, "4711")
        rig.run(seconds: 25)
        #expect(!isIn(rig, honest) && honest.heardBurst(of: 425))
        rig.run(seconds: 6)
        #expect(isIn(rig, honest))
    }

    @Test("No more than sixteen wait at a door: the next is sent away")
    func queue() {
        let rig = SoundRig()
        for slot in 0..<40 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            party.isSending = false
            key(rig, party, "0001#")
        }
        rig.run(seconds: 1)
        let sentAway = rig.parties.count { rig.finished($0) == .wrongPIN }
        #expect(rig.plane.counts.wrongPINs == 10 && sentAway == 40 - 10 - 16)
    }

    // MARK: - Guessing

    @Test("Entries given up with a star are wrong ones: the third ends the call, and all calls together get no more than others")
    func star() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        key(rig, one, "0000*0001*0002*4711")
        #expect(!isIn(rig, one) && rig.plane.counts.wrongPINs == 3)
        rig.run(seconds: 1)
        #expect(rig.finished(one) == .wrongPIN)
        for slot in 1..<50 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            party.isSending = false
            key(rig, party, "0003*0004*4711")
            #expect(isIn(rig, party) == (slot <= 3))
            rig.leave(party)
        }
    }

    @Test("Who hangs up before the end of an entry has used up one, whatever was missing", arguments: ["0", "0001"])
    func hangUp(_ digits: String) {
        let rig = SoundRig()
        for slot in 0..<10 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            key(rig, party, digits)
            rig.leave(party)
        }
        #expect(rig.plane.counts.wrongPINs == 10)
        let late = rig.join(TestParty(20, .pcmu, tone: nil), pin: "4711")
        key(rig, late, "4711#")
        #expect(!isIn(rig, late))
    }

    @Test("Guesses dialled in a hundred calls at once count like guesses one after the other")
    func atOnce() {
        let rig = SoundRig()
        let parties = (0..<100).map { rig.join(TestParty($0, .pcmu, tone: nil), pin: "0055") }
        for place in 0..<4 {
            for (guess, party) in parties.enumerated() {
                let digits = Array("00" + (guess < 10 ? "0" : "") + "\(guess)")
                key(rig, party, String(digits[place]))
            }
        }
        #expect(rig.plane.members(of: "8000").isEmpty)
    }

    @Test("While too many were wrong, the right PIN sounds like a wrong one until its entry is over")
    func noOracle() {
        let rig = SoundRig()
        for slot in 10..<15 { key(rig, rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711"), "0001#0002#") }
        let right = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        let wrong = rig.join(TestParty(2, .pcmu, tone: nil), pin: "4711")
        rig.run(seconds: 2)
        for party in [right, wrong] { party.forget() }
        key(rig, right, "4711")
        key(rig, wrong, "4712")
        rig.run(seconds: 2.9)
        #expect(right.heard == wrong.heard)
    }

    @Test("An account that was let in within 30 days has a share of its own: strangers cannot lock it out", arguments: [29, 31])
    func ownShare(_ days: Int64) {
        let rig = SoundRig()
        let first = rig.join(TestParty(0, .pcmu, tone: nil), account: "100", pin: "4711")
        key(rig, first, "4711")
        #expect(isIn(rig, first))
        rig.leave(first)
        rig.now += .seconds(days * 86_400)
        for slot in 10..<40 {
            let party = rig.join(TestParty(slot, .pcmu, tone: nil), pin: "4711")
            party.isSending = false
            key(rig, party, "0001#0002#")
        }
        let again = rig.join(TestParty(0, .pcmu, tone: nil), account: "100", pin: "4711")
        key(rig, again, "4711")
        #expect(isIn(rig, again) == (days == 29))
        // Its name alone is nobody's account.
        let other = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, other, "4711#")
        #expect(!isIn(rig, other))
    }

    @Test("That share is five at once as well")
    func ownShareEnds() {
        let rig = SoundRig()
        for guesses in ["4711", "0001#0002#0003#", "0004#0005#4711#"] {
            let party = rig.join(TestParty(0, .pcmu, tone: nil), account: "100", pin: "4711")
            key(rig, party, guesses)
            #expect(isIn(rig, party) == (guesses == "4711"))
            rig.leave(party)
        }
        #expect(rig.plane.counts.wrongPINs == 5)
        // The others' is untouched.
        let other = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, other, "4711")
        #expect(isIn(rig, other))
    }
}
