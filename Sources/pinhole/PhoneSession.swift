import Base
import Foundation
import PhoneEdge
import PhoneNode
import SoundEdge
import Synchronization

/// One run of `pinhole phone`: the phone, what it shall do, and everything that is seen and heard of it.
///
/// Invariant for `@unchecked Sendable`: all but `phone`, `keys` and `talking` is touched on the phone's own thread only.
final class PhoneSession: @unchecked Sendable {
    private let phone: PinholePhone
    private let plan: PhonePlan
    private let printer: PhonePrinter
    private let keys = Mutex<[UInt8]>([])
    private let talking = Mutex<Set<PhoneCallID>>([])
    private var console: PhoneConsole
    private var card: SoundCard?
    private var recordings: [PhoneCallID: PhoneRecording] = [:]
    private var recorded = 0
    private var reports: [CallReport] = []
    private var wasRegistered = false
    private var hasFailed = false
    private var hasBegun = false

    init(phone: PinholePhone, plan: PhonePlan, sipDebug: Bool, showsSecrets: Bool) {
        self.phone = phone
        self.plan = plan
        printer = PhonePrinter(
            name: phone.settings.identity.user, clock: phone.clock, sipDebug: sipDebug, showsSecrets: showsSecrets)
        console = PhoneConsole(play: plan.play ?? .microphone, firstID: UInt64(plan.targets.count) + 1)
    }

    /// Safe from any thread.
    func stop() { phone.stop() }

    /// Runs until the phone has signed off; the exit status.
    func run() throws -> Int32 {
        openSound()
        let keyboard = PhoneKeyboard { [self] byte in
            keys.withLock { $0.append(byte) }
            // The phone comes by to look at the keys.
            phone.wake()
        }
        defer {
            keyboard?.restore()
            card?.stop()
            for recording in recordings.values { recording.close() }
        }
        printer.isInteractive = keyboard != nil
        try phone.run { [self] now, event in took(event, at: now) }
        printer.status("")
        return status
    }

    private var status: Int32 {
        if plan.text != nil, hasFailed || !hasBegun { return 1 }
        guard !plan.targets.isEmpty || plan.answers && plan.isOnce else { return plan.isOnce && !wasRegistered ? 1 : 0 }
        guard hasBegun, !reports.isEmpty, !hasFailed else { return 1 }
        if reports.contains(where: { if case .impossible = $0.end { true } else { false } }) { return 1 }
        if reports.contains(where: { !$0.isSuccess }) { return 2 }
        return reports.contains { $0.packetsReceived == 0 } ? 3 : 0
    }

    private func openSound() {
        guard let name = plan.sound, isatty(STDOUT_FILENO) != 0, SoundCard.isAvailable else { return }
        var heard: (@Sendable ([Int16]) -> Void)?
        if plan.play == nil {
            heard = { [self] samples in
                for id in talking.withLock({ $0 }) { _ = phone.post(.microphone(id, samples, rate: SoundCard.rate)) }
            }
        }
        do {
            card = try SoundCard(name, heard: heard)
        } catch {
            printer.line("no sound: \(error)")
        }
    }

    /// Makes the calls that were asked for.
    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        if !phone.settings.registers, plan.answers {
            printer.line("takes calls at \(phone.settings.locals.map(\.description).joined(separator: ", "))")
        }
        if let text = plan.text { phone.post(.sendText(to: text.to, text.text)) }
        for (index, target) in plan.targets.enumerated() {
            phone.post(
                .call(
                    CallRequest(
                        id: PhoneCallID(UInt64(index) + 1), target: target, play: plan.play ?? .microphone, dtmf: plan.dtmf,
                        dtmfDelay: plan.dtmfDelay, duration: plan.hangUpAfter)))
        }
    }

    private func took(_ event: PhoneEvent, at now: Instant) {
        switch event {
        case .status(let status):
            printer.print(event, at: now)
            wasRegistered = wasRegistered || status.isRegistered
            if status.isRegistered { begin() }
            let isAsked = plan.isOnce && !plan.answers || !plan.targets.isEmpty || plan.text != nil
            if isAsked, !hasBegun, status.isFailure { fail() }
            if plan.isOnce, !plan.answers, plan.targets.isEmpty, status.isRegistered { phone.stop() }
        case .call(let id, let call): took(id, call, at: now)
        case .audio(let id, let samples, let rate):
            console.heard(id)
            card?.play(samples, rate: rate)
            do { try recordings[id]?.add(samples, rate: rate) } catch {
                printer.line("recording ends: \(error)")
                recordings.removeValue(forKey: id)?.close()
            }
        case .text(let from, let text): printer.line("\(from) writes: \(text)")
        case .textSent(let to, let code, let reason):
            printer.line(code == 0 ? "text to \(to): \(reason)" : "text to \(to): \(code) \(reason)")
            if !(200..<300 ~= code) { hasFailed = true }
            if plan.targets.isEmpty { phone.stop() }
        case .woken:
            if !phone.settings.registers { begin() }
            for byte in takeKeys() { pressed(byte, at: now) }
        case .trace, .sendFailed: printer.print(event, at: now)
        }
        printer.status(console.statusLine(printer.style, at: now), at: now)
    }

    private func fail() {
        hasFailed = true
        phone.stop()
    }

    private func took(_ id: PhoneCallID, _ event: CallEvent, at now: Instant) {
        if let line = console.note(id, event, at: now) { printer.line(line) }
        switch event {
        case .answered:
            talking.withLock { _ = $0.insert(id) }
            record(id)
            if id.isIncoming, let after = plan.hangUpAfter {
                DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(clamping: after.wholeMilliseconds))) {
                    [phone] in
                    phone.post(.hangUp(id))
                }
            }
        case .ended(let report):
            talking.withLock { _ = $0.remove(id) }
            recordings.removeValue(forKey: id)?.close()
            reports.append(report)
            let asked = plan.targets.count
            let isOver = asked > 0 ? reports.filter { !$0.id.isIncoming }.count >= asked : plan.isOnce && plan.answers
            if isOver, !console.hasCalls { phone.stop() }
        case .incoming, .calling, .progress, .media, .digit, .digitsSent, .asksTransfer, .transfer, .refused: break
        }
    }

    private func record(_ id: PhoneCallID) {
        guard let base = plan.record else { return }
        recorded += 1
        do {
            recordings[id] = try PhoneRecording(PhoneRecording.path(base, number: recorded))
        } catch {
            printer.line("not recorded: \(error.localizedDescription)")
        }
    }

    private func takeKeys() -> [UInt8] {
        keys.withLock { keys in
            defer { keys = [] }
            return keys
        }
    }

    private func pressed(_ byte: UInt8, at now: Instant) {
        for wish in console.key(byte) {
            switch wish {
            case .command(let input): phone.post(input)
            case .quit: phone.stop()
            case .say(let line): printer.line(line)
            }
        }
    }
}
