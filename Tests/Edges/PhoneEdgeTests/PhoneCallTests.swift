import Base
import Codecs
import Foundation
import LinuxEdge
import PhoneEdge
import PhoneNode
import Synchronization
import Testing
import Waiting

/// What one phone on real sockets told and heard, from its own thread.
private final class Witness: Sendable {
    struct Seen: Sendable {
        var samples: [Int16] = []
        var reports: [CallReport] = []
    }

    let seen = Mutex(Seen())

    func take(_ event: PhoneEvent) -> Bool {
        seen.withLock { seen in
            switch event {
            case .audio(_, let samples, _): seen.samples += samples
            case .call(_, .ended(let report)):
                seen.reports.append(report)
                return true
            case .call, .status, .trace, .text, .textSent, .sendFailed, .woken: break
            }
            return false
        }
    }
}

@Suite("The phone on real sockets")
struct PhoneCallTests {
    private static func settings(_ user: String, _ calls: CallSettings, _ local: Endpoint, _ media: UInt16) -> PhoneSettings {
        var calls = calls
        calls.rtpPorts = [media]
        return PhoneSettings(
            identity: .init(user: user, password: "", registrar: "127.0.0.1"), locals: [local], keepalive: .none,
            registers: false,
            calls: calls)
    }

    /// One call of two phones on real sockets; what each saw. It ends by itself: a call that goes otherwise than expected leaves a phone
    /// waiting.
    private static func talk(_ phones: [PinholePhone], _ request: CallRequest) throws -> [Witness.Seen] {
        let witnesses = phones.map { _ in Witness() }
        let watchdog = Watchdog { for phone in phones { phone.stop() } }
        let ended = DispatchSemaphore(value: 0)
        for (phone, witness) in zip(phones, witnesses) {
            Thread.detachNewThread {
                do {
                    try phone.run { _, event in
                        if witness.take(event) { phone.stop() }
                    }
                } catch {
                    // A port was taken meanwhile: the other phone would wait for this one.
                    for other in phones { other.stop() }
                }
                ended.signal()
            }
        }
        // The mailbox keeps the order: the phone is switched on first.
        phones[1].post(.start)
        phones[1].post(.call(request))
        try ended.wait(for: "the end of a phone")
        // A call that was refused, as where the callee was not yet listening, ends for the caller alone.
        if ended.wait(timeout: .now() + 20) == .timedOut {
            for phone in phones { phone.stop() }
            try ended.wait(for: "the end of the other phone")
        }
        try watchdog.leave("a call of two seconds")
        return witnesses.map { $0.seen.withLock { $0 } }
    }

    @Test("A call on loopback: each hears the other's tone, and both reports agree")
    func call() throws {
        var answering = CallSettings(answers: .auto(after: .milliseconds(100)))
        answering.answerPlay = .tone(880)
        // Where another program takes a port meanwhile, a phone does not even begin, and other ports are asked for.
        let (called, calling, port) = try withFreePorts(2) { locals in
            try withFreePairs(2) { media in
                let callee = Self.settings("200", answering, locals[0], media[0])
                let caller = Self.settings("100", CallSettings(), locals[1], media[1])
                let request = CallRequest(
                    id: PhoneCallID(1), target: "sip:200@\(locals[0])", play: .tone(440), duration: .seconds(2))
                let seen = try Self.talk([try PinholePhone(callee), try PinholePhone(caller)], request)
                return seen.allSatisfy { !$0.reports.isEmpty } ? (seen[0], seen[1], media[1]) : nil
            }
        }
        #expect(calling.reports.first?.end == .hungUp)
        #expect(called.reports.first?.end == .hungUpByPeer)
        #expect(called.reports.first?.source?.port == port)
        #expect(Self.purest(880, in: calling.samples) > 0.5)
        #expect(Self.purest(440, in: called.samples) > 0.5)
    }

    /// The share of a tone where it is purest for a quarter of a second: a busy machine plays late packets as silence.
    private static func purest(_ hertz: Double, in samples: [Int16]) -> Double {
        stride(from: 0, to: max(0, samples.count - 2_000), by: 400).map {
            ToneMeter.share(of: hertz, in: samples[$0..<($0 + 2_000)], sampleRate: 8_000)
        }.max() ?? 0
    }
}
