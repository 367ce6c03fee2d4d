import Base
import MediaControl

extension SoundPlane {
    /// A digit of the party's, by RFC 4733 or by what signalling heard (SIP INFO).
    public mutating func digit(slot: Int, _ digit: Character, at now: Instant) {
        guard isServing(slot: slot) else { return }
        switch parties[slot].stage {
        case .proving(var entry):
            // A PIN is nobody's business: it is not told on.
            if entry.isEmpty, digit != "#", digit != "*" { entry.isPaid = mayPay(entry.entry, at: now) }
            let progress = entry.key(digit, at: now)
            parties[slot].prompt = nil
            parties[slot].stage = .proving(entry)
            switch progress {
            case .open: break
            case .opens, .complete: judge(slot, entry, isRight: entry.isRight, at: now)
            case .givenUp: judge(slot, entry, isRight: false, at: now)
            }
        case .held: break
        case .inRoom(let room, let entry):
            append(.digit(parties[slot].id, digit))
            command(slot, room, entry, digit, at: now)
        case .waiting, .silent, .tone, .announcing: append(.digit(parties[slot].id, digit))
        case .vacant, .leaving, .finished: break
        }
    }

    // MARK: - Before the door

    /// Whoever waits already goes first; not before those who pay for themselves.
    private mutating func mayPay(_ entry: RoomEntry, at now: Instant) -> Bool {
        guard throttles.isKnown(entry, at: now) || waitingAt(entry.room) == 0 else { return false }
        return throttles.pay(entry, at: now)
    }

    private func waitingAt(_ room: String) -> Int {
        waiting.count { slot in
            if case .held(let other, _) = parties[slot].stage { return other.entry.room == room }
            return false
        }
    }

    /// An entry that is complete is judged at once, unless too many were wrong lately.
    private mutating func judge(_ slot: Int, _ entry: PINEntry, isRight: Bool, at now: Instant) {
        if entry.isPaid || mayPay(entry.entry, at: now) { return settle(slot, entry, isRight: isRight, at: now) }
        guard waitingAt(entry.entry.room) < settings.pinsWaiting else {
            counts.refusedEntries &+= 1
            return sendAway(slot, .wrongPIN, .wrongPIN)
        }
        parties[slot].stage = .held(entry, isRight: isRight)
        waiting.append(slot)
    }

    /// A paid entry's verdict.
    private mutating func settle(_ slot: Int, _ entry: PINEntry, isRight: Bool, at now: Instant) {
        if isRight {
            throttles.admit(entry.entry, at: now)
            return enter(slot, entry.entry, at: now)
        }
        var entry = entry
        entry.fail()
        counts.wrongPINs &+= 1
        guard entry.wrong < settings.wrongPINs else {
            counts.refusedEntries &+= 1
            return sendAway(slot, .wrongPIN, .wrongPIN)
        }
        parties[slot].stage = .proving(entry)
        parties[slot].play(.wrongPIN)
    }

    /// Whoever hangs up before the end of an entry has learnt as much as by its end.
    mutating func abandonEntry(_ slot: Int) {
        guard case .proving(let entry) = parties[slot].stage, entry.isPaid, !entry.isEmpty else { return }
        counts.wrongPINs &+= 1
    }

    /// What is due before doors: entries left alone, verdicts whose turn came, and those who took too long.
    mutating func watchDoors(at now: Instant) {
        for slot in parties.indices where parties[slot].isAlone {
            guard case .proving(let entry) = parties[slot].stage else { continue }
            if now - entry.began >= settings.pinTime {
                abandonEntry(slot)
                counts.refusedEntries &+= 1
                sendAway(slot, .wrongPIN, .wrongPIN)
            } else if entry.isLeftAlone(at: now, pause: settings.pinPause) {
                judge(slot, entry, isRight: entry.isRight, at: now)
            }
        }
        guard !waiting.isEmpty else { return }
        var stay: [Int] = []
        for slot in waiting {
            guard case .held(let entry, let isRight) = parties[slot].stage else { continue }
            if now - entry.began >= settings.pinTime {
                counts.refusedEntries &+= 1
                sendAway(slot, .wrongPIN, .wrongPIN)
            } else if throttles.pay(entry.entry, at: now) {
                settle(slot, entry, isRight: isRight, at: now)
            } else {
                if parties[slot].prompt == nil, tick % 100 == 0 { parties[slot].play(.waitForVerdict) }
                stay.append(slot)
            }
        }
        waiting = stay
    }

    // MARK: - Inside

    /// `*6`: mute; the owner's `*1`: lock, `*3`: remove the last who entered.
    private mutating func command(_ slot: Int, _ room: Int, _ entry: RoomEntry, _ digit: Character, at now: Instant) {
        if digit == "*" {
            parties[slot].star = now
            return
        }
        guard let star = parties[slot].star else { return }
        parties[slot].star = nil
        guard now - star <= .seconds(3) else { return }
        switch digit {
        case "6": mute(slot, !parties[slot].isMuted)
        case "1" where entry.isOwner:
            let isLocked = !rooms[room]!.isLocked
            lock(room, isLocked)
            parties[slot].play(isLocked ? .locked : .unlocked)
        case "3" where entry.isOwner: kickLast(room, at: now)
        default: break
        }
    }
}
