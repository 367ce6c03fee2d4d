import Base
import Codecs
import Foundation
import LinuxEdge
import PhoneEdge
import PhoneNode
import Synchronization
import Testing

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
    private static func settings(_ user: String, _ calls: CallSettings) throws -> PhoneSettings {
        let local = try UDPSocket(Endpoint(.v4(.loopback), 0)).local
        var calls = calls
        calls.rtpPorts = [try evenPort()]
        return PhoneSettings(
            identity: .init(user: user, password: "", registrar: "127.0.0.1"), locals: [local], keepalive: .none,
            registers: false,
            calls: calls)
    }

    /// A free pair of ports.
    private static func evenPort() throws -> UInt16 {
        for _ in 0..<100 {
            let port = try UDPSocket(Endpoint(.v4(.loopback), 0)).local.port & ~1
            if (try? UDPSocket(Endpoint(.v4(.loopback), port))) != nil,
                (try? UDPSocket(Endpoint(.v4(.loopback), port + 1))) != nil
            {
                return port
            }
        }
        throw SystemError(code: 98, doing: "looking for two free ports")
    }

    @Test("A call on loopback: each hears the other's tone, and both reports agree", .timeLimit(.minutes(1)))
    func call() async throws {
        var answering = CallSettings(answers: .auto(after: .milliseconds(100)))
        answering.answerPlay = .tone(880)
        let callee = try Self.settings("200", answering)
        let caller = try Self.settings("100", CallSettings())
        let phones = [try PinholePhone(callee), try PinholePhone(caller)]
        let witnesses = [Witness(), Witness()]
        let request = CallRequest(
            id: PhoneCallID(1), target: "sip:200@\(callee.locals[0])", play: .tone(440), duration: .seconds(2))
        await withThrowingTaskGroup(of: Void.self) { group in
            for (phone, witness) in zip(phones, witnesses) {
                group.addTask {
                    try await withCheckedThrowingContinuation { done in
                        Thread.detachNewThread {
                            do {
                                try phone.run { _, event in
                                    if witness.take(event) { phone.stop() }
                                }
                                done.resume()
                            } catch {
                                // A port was taken meanwhile: the other phone would wait for this one for ever.
                                for other in phones { other.stop() }
                                done.resume(throwing: error)
                            }
                        }
                    }
                }
            }
            // The mailbox keeps the order: the phone is switched on first.
            phones[1].post(.start)
            phones[1].post(.call(request))
        }
        let (called, calling) = (witnesses[0].seen.withLock { $0 }, witnesses[1].seen.withLock { $0 })
        #expect(calling.reports.first?.end == .hungUp)
        #expect(called.reports.first?.end == .hungUpByPeer)
        #expect(called.reports.first?.source?.port == caller.calls?.rtpPorts.first)
        #expect(ToneMeter.share(of: 880, in: calling.samples.dropFirst(800).prefix(4_000), sampleRate: 8_000) > 0.5)
        #expect(ToneMeter.share(of: 440, in: called.samples.dropFirst(800).prefix(4_000), sampleRate: 8_000) > 0.5)
    }
}
