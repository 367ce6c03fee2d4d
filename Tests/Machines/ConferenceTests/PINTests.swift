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

    @Test("A star begins anew; an entry left alone for three seconds is complete; a PIN that is part of a longer entry is none")
    func entry() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: nil), pin: "4711")
        key(rig, one, "9*4711")
        #expect(isIn(rig, one))
        let two = rig.join(TestParty(1, .pcmu, tone: nil), pin: "4711")
        key(rig, two, "00004711")
        #expect(!isIn(rig, two))
        rig.run(seconds: 3.1)
        #expect(rig.plane.counts.wrongPINs == 1 && rig.finished(two) == nil)
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
}
