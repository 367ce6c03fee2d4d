import Base
import MediaControl
import SIP
import SIPStack
import ServerNode
import Testing

@Suite("Calls opened and broken at random points end with nothing in use")
struct BrokenCallsTests {
    /// In all. Without optimisation each costs milliseconds.
    #if DEBUG
        static let calls = 1_000
    #else
        static let calls = 100_000
    #endif

    /// What may happen to a call at any of its points.
    enum Step: Int, CaseIterable {
        case ring, early, answer, answerBadly, refuse, cancel, ack, byeOfCaller, byeOfCallee, reinvite, reinviteOfCallee, update,
            info, refer,
            closeCaller, closeCallee, copyInvite, copyAnswer, silence, finished, prack, serviceHold
    }

    /// One call, its messages made from a few texts: as little work as possible beside the server's.
    struct Life {
        var number: Int
        var callerFlow: FlowID
        var calleeFlow: FlowID?
        var invite: SIPMessage?
        var requests: [(FlowID, SIPMessage)] = []
        var toTag = ""
        var cseq = 1
        var calleeSequence = 1
        var isService: Bool
    }

    final class Run {
        let h: Harness
        var random: Entropy
        var calleeFlows: [FlowID] = []

        init(seed: UInt64) throws {
            var settings = ServerSettings()
            settings.keepalive.interval = nil
            settings.calls.anonymousCalls = true
            settings.calls.ringFor = .seconds(30)
            // What nobody ends the session timers do.
            settings.calls.session = SessionTimer.Settings(interval: 90)
            settings.limits = .trusted
            settings.limits.callsPerAccount = .max
            h = Harness(settings)
            random = Entropy(labSeed: seed)
            h.server.traces.isOn = false
            h.input(
                .mediaPorts([Array(stride(from: 10_000, to: 12_000, by: 2)), Array(stride(from: 12_000, to: 14_000, by: 2))]))
            for (port, transport) in [(5070, SIPTransport.udp), (5071, .udp), (5072, .tcp)] {
                let phone = UA(h, "bob", at: "198.51.100.77:\(port)", transport)
                try phone.register()
                calleeFlows.append(phone.flow)
            }
            h.keeps = false
        }

        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

        static let body = UA.offer("192.0.2.1", 40_000)
        static let answer = UA.offer("198.51.100.77", 30_000)
        static let other = UA.offer("192.0.2.1", 40_002, direction: "sendonly", version: 2)

        func request(_ life: Life, _ method: String, _ cseq: Int, branch: String, body: String = "", extra: String = "") -> String
        {
            let to = life.toTag.isEmpty ? "" : ";tag=\(life.toTag)"
            let user = life.isService ? "8000" : "bob"
            return
                "\(method) sip:\(user)@pinhole SIP/2.0\r\nVia: SIP/2.0/\(life.callerFlow.transport.viaToken) 192.0.2.1:5060;rport;branch=z9hG4bK\(branch)\r\nMax-Forwards: 70\r\nFrom: <sip:x@elsewhere>;tag=f\(life.number)\r\nTo: <sip:\(user)@pinhole>\(to)\r\nCall-ID: c\(life.number)\r\nCSeq: \(cseq) \(method)\r\nContact: <sip:x@192.0.2.1>\r\n\(extra)\(body.isEmpty ? "" : "Content-Type: application/sdp\r\n")Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        func response(_ message: SIPMessage, _ status: Int, body: String = "", extra: String = "") -> String {
            var text =
                "SIP/2.0 \(status) X\r\nVia: \(message.first(.via)!.value)\r\nFrom: \(message.first(.from)!.value)\r\nTo: \(message.first(.to)!.value)"
            if (try? message.to)?.tag == nil { text += ";tag=callee" }
            text +=
                "\r\nCall-ID: \(message.first(.callID)!.value)\r\nCSeq: \(message.first(.cseq)!.value)\r\nContact: <sip:bob@198.51.100.77>\r\n"
            text += extra + (body.isEmpty ? "" : "Content-Type: application/sdp\r\n")
            return text + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// A request of the callee inside its dialog.
        func calleeRequest(_ invite: SIPMessage, _ method: String, _ cseq: Int, branch: String, body: String = "") -> String {
            let from = invite.first(.to)!.value
            let to = invite.first(.from)!.value
            return
                "\(method) sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.77;rport;branch=z9hG4bKe\(branch)\r\nMax-Forwards: 70\r\nFrom: \(from);tag=callee\r\nTo: \(to)\r\nCall-ID: \(invite.first(.callID)!.value)\r\nCSeq: \(cseq) \(method)\r\nContact: <sip:bob@198.51.100.77>\r\n\(body.isEmpty ? "" : "Content-Type: application/sdp\r\n")Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// What the server sent because of a step, kept with the call.
        func take(_ out: [(flow: FlowID, bytes: [UInt8])], _ life: inout Life) {
            for (flow, bytes) in out {
                guard let message = try? SIPMessage(parsing: bytes) else { continue }
                if message.isRequest {
                    if message.method == .invite, life.invite == nil, (try? message.to)?.tag == nil {
                        life.invite = message
                        life.calleeFlow = flow
                    } else if message.method != .ack {
                        life.requests.append((flow, message))
                    }
                } else if flow == life.callerFlow, life.toTag.isEmpty, let tag = (try? message.to)?.tag,
                    (try? message.callID)?.string == "c\(life.number)"
                {
                    life.toTag = tag.string
                }
            }
        }

        func live(_ number: Int) {
            let transport: SIPTransport = pick(4) == 0 ? .tcp : .udp
            let flow = FlowID(
                transport, local: Harness.local, remote: Endpoint(IPAddress("192.0.2.1")!, 5060),
                connection: transport == .tcp ? UInt64(number) : 0)
            var life = Life(number: number, callerFlow: flow, isService: pick(5) == 0)
            let branch = "i\(number)"
            let isDelayed = pick(6) == 0
            let extra = pick(4) == 0 ? "Supported: 100rel, timer\r\n" : ""
            let invite = request(life, "INVITE", 1, branch: branch, body: isDelayed ? "" : Self.body, extra: extra)
            take(h.receive(invite, on: flow), &life)
            var lastAnswer = ""
            for step in 0..<pick(7) {
                switch Step(rawValue: pick(Step.allCases.count))! {
                case .ring: if let invite = life.invite { take(h.receive(response(invite, 180), on: life.calleeFlow!), &life) }
                case .early:
                    guard let invite = life.invite else { continue }
                    let extra = pick(2) == 0 ? "Require: 100rel\r\nRSeq: \(step + 1)\r\n" : ""
                    take(h.receive(response(invite, 183, body: Self.answer, extra: extra), on: life.calleeFlow!), &life)
                case .answer, .answerBadly:
                    guard let invite = life.invite else { continue }
                    lastAnswer = response(invite, 200, body: pick(8) == 0 ? "nonsense" : Self.answer)
                    take(h.receive(lastAnswer, on: life.calleeFlow!), &life)
                case .refuse:
                    guard let invite = life.invite else { continue }
                    take(h.receive(response(invite, [486, 603, 503, 401, 302, 422, 488][pick(7)]), on: life.calleeFlow!), &life)
                case .cancel:
                    let tag = life.toTag
                    life.toTag = ""
                    take(h.receive(request(life, "CANCEL", 1, branch: branch), on: flow), &life)
                    life.toTag = tag
                case .ack: h.receive(request(life, "ACK", 1, branch: "a\(number)", body: isDelayed ? Self.body : ""), on: flow)
                case .byeOfCaller:
                    life.cseq += 1
                    take(h.receive(request(life, "BYE", life.cseq, branch: "b\(number)-\(step)"), on: flow), &life)
                case .byeOfCallee:
                    guard let invite = life.invite else { continue }
                    life.calleeSequence += 1
                    take(
                        h.receive(
                            calleeRequest(invite, "BYE", life.calleeSequence, branch: "\(number)-\(step)"), on: life.calleeFlow!),
                        &life)
                case .reinvite, .serviceHold:
                    life.cseq += 1
                    let body = pick(3) == 0 ? "" : Self.other
                    take(h.receive(request(life, "INVITE", life.cseq, branch: "r\(number)-\(step)", body: body), on: flow), &life)
                    answerSome(&life)
                case .reinviteOfCallee:
                    guard let invite = life.invite else { continue }
                    life.calleeSequence += 1
                    let text = calleeRequest(invite, "INVITE", life.calleeSequence, branch: "\(number)-\(step)", body: Self.other)
                    take(h.receive(text, on: life.calleeFlow!), &life)
                    answerSome(&life)
                case .update:
                    life.cseq += 1
                    take(
                        h.receive(request(life, "UPDATE", life.cseq, branch: "u\(number)-\(step)", body: Self.other), on: flow),
                        &life)
                    answerSome(&life)
                case .info:
                    life.cseq += 1
                    take(h.receive(request(life, "INFO", life.cseq, branch: "n\(number)-\(step)"), on: flow), &life)
                case .refer:
                    life.cseq += 1
                    let target = pick(2) == 0 ? "8000" : "bob"
                    let extra = "Refer-To: <sip:\(target)@pinhole>\r\n"
                    take(
                        h.receive(request(life, "REFER", life.cseq, branch: "f\(number)-\(step)", extra: extra), on: flow), &life)
                    answerSome(&life)
                case .closeCaller: if flow.transport.isReliable { take(h.input(.closed(flow)), &life) }
                case .closeCallee: break
                case .copyInvite: take(h.receive(invite, on: flow), &life)
                case .copyAnswer: if !lastAnswer.isEmpty { take(h.receive(lastAnswer, on: life.calleeFlow!), &life) }
                case .silence: take(h.advance(.milliseconds(Int64(pick(4_000)))), &life)
                case .finished: h.input(.media(.finished(MediaLegID(UInt64(number)), reason: .kicked)))
                case .prack:
                    life.cseq += 1
                    let extra = "RAck: 1 1 INVITE\r\n"
                    take(
                        h.receive(request(life, "PRACK", life.cseq, branch: "p\(number)-\(step)", extra: extra), on: flow), &life)
                }
            }
        }

        /// Some of what the server asked is answered, well or badly.
        private func answerSome(_ life: inout Life) {
            let asked = life.requests
            life.requests = []
            for (flow, message) in asked where pick(3) > 0 {
                let status = pick(4) == 0 ? [481, 488, 491, 500, 405][pick(5)] : 200
                let body = message.method == .invite || !message.body.isEmpty ? Self.answer : ""
                take(h.receive(response(message, status, body: status == 200 ? body : ""), on: flow), &life)
            }
        }
    }

    @Test(
        "Opened and broken at random: no port, leg, tag, transaction, deadline or index entry stays",
        arguments: [1, 2, 3, 4] as [UInt64])
    func broken(seed: UInt64) throws {
        let run = try Run(seed: seed)
        let count = Self.calls / 4
        for number in 1...count { run.live(number) }
        run.h.advance(.seconds(600))
        #expect(run.h.server.callUsage == CallUsage())
        #expect(run.h.server.counters.callsStarted > UInt64(count / 2))
        #expect(run.h.server.counters.callsAnswered > UInt64(count / 10))
        #expect(run.h.server.nextDeadline.map { $0 > run.h.now } ?? true)
    }
}
