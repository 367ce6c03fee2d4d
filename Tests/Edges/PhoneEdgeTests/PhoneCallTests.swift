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

    /// One call of two phones on real sockets; what each saw. It ends by itself: a call that goes otherwise than expected leaves a phone
    /// waiting, and no time limit reaches a thread.
    private static func talk(_ phones: [PinholePhone], _ request: CallRequest) async -> [Witness.Seen] {
        let witnesses = phones.map { _ in Witness() }
        let over = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            if over.wait(timeout: .now() + .seconds(40)) == .timedOut { for phone in phones { phone.stop() } }
        }
        await withTaskGroup(of: Void.self) { group in
            for (phone, witness) in zip(phones, witnesses) {
                group.addTask {
                    await withCheckedContinuation { done in
                        Thread.detachNewThread {
                            do {
                                try phone.run { _, event in
                                    if witness.take(event) { phone.stop() }
                                }
                            } catch {
                                // A port was taken meanwhile: the other phone would wait for this one.
                                for other in phones { other.stop() }
                            }
                            done.resume()
                        }
                    }
                }
            }
            // The mailbox keeps the order: the phone is switched on first.
            phones[1].post(.start)
            phones[1].post(.call(request))
        }
        over.signal()
        return witnesses.map { $0.seen.withLock { $0 } }
    }

    @Test("A call on loopback: each hears the other's tone, and both reports agree", .timeLimit(.minutes(4)))
    func call() async throws {
        var answering = CallSettings(answers: .auto(after: .milliseconds(100)))
        answering.answerPlay = .tone(880)
        var (called, calling) = (Witness.Seen(), Witness.Seen())
        var port: UInt16?
        // Ports are found free and bound later: another program may come between, and then other ports are taken.
        for _ in 0..<4 where calling.reports.isEmpty || called.reports.isEmpty {
            let callee = try Self.settings("200", answering)
            let caller = try Self.settings("100", CallSettings())
            port = caller.calls?.rtpPorts.first
            let phones = [try PinholePhone(callee), try PinholePhone(caller)]
            let request = CallRequest(
                id: PhoneCallID(1), target: "sip:200@\(callee.locals[0])", play: .tone(440), duration: .seconds(2))
            let seen = await Self.talk(phones, request)
            (called, calling) = (seen[0], seen[1])
        }
        #expect(calling.reports.first?.end == .hungUp)
        #expect(called.reports.first?.end == .hungUpByPeer)
        #expect(called.reports.first?.source?.port == port)
        #expect(ToneMeter.share(of: 880, in: calling.samples.dropFirst(800).prefix(4_000), sampleRate: 8_000) > 0.5)
        #expect(ToneMeter.share(of: 440, in: called.samples.dropFirst(800).prefix(4_000), sampleRate: 8_000) > 0.5)
    }
}
