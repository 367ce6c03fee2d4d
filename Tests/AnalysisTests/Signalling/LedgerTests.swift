import Base
import Capture
import Testing

@testable import Analysis

@Suite("Remedies, verdicts, and how much is held")
struct LedgerTests {
    @Test(
        "a device named in prose brings its own command, a model before its family",
        arguments: [
            ("behind my new SpeedTouch 780 router", "SpeedTouch 780", "appconfig application=SIP SIP_ALG=disabled"),
            ("an old Speedtouch 510 modem", "SpeedTouch 510/530", "nat unbind application=SIP port=5060"),
            ("we have a MikroTik here", "MikroTik", "/ip firewall service-port disable sip"),
            ("the FortiGate at the edge", "FortiGate (FortiOS)", "set sip-expectation disable"),
            ("Cisco ASA 5505", "Cisco ASA", "no inspect sip"),
        ])
    func devices(text: String, name: String, command: String) throws {
        let device = try #require(RouterDevice.named(in: text).first)
        #expect(device.name == name && RouterDevice.named(in: text).count == 1)
        #expect(device.remedy.commands.contains { $0.contains(command) })
    }

    @Test("a word that only contains a name is no device")
    func words() { #expect(RouterDevice.named(in: "the vigorous asaph uses lenovyos").isEmpty) }

    @Test("every device has a name of its own, and a remedy")
    func table() {
        #expect(Set(RouterDevice.all.map(\.name)).count == RouterDevice.all.count)
        for device in RouterDevice.all {
            #expect(!device.remedy.text.isEmpty && RouterDevice.named(in: device.words[0]).contains(device))
        }
    }

    @Test("a thousand phones with the same fault are one finding with a count, which names some of them")
    func merged() throws {
        var talk = Talk()
        for index in 0..<1_000 {
            talk.call = "c\(index)"
            talk.user = "u\(index)"
            let at = Double(index)
            let a = talk.register(1)
            talk.up(at, a)
            talk.down(at + 0.02, talk.challenge(to: a, nonce: "n"))
            let b = talk.register(2, nonce: "n")
            talk.up(at + 0.03, b, port: 50_000)
            talk.down(at + 0.05, talk.response(200, to: b), port: 50_000)
        }
        let jumps = talk.result().findings.filter { $0.name == .natPortJump }
        #expect(jumps.count == 1 && jumps.first?.count == 1_000 && jumps.first?.subject.dialogs.count == 1_000)
        #expect(
            jumps.first?.details.last
                == "The same with u1@pbx.example, u2@pbx.example, u3@pbx.example, u4@pbx.example, u5@pbx.example and others."
        )
    }

    @Test("the verdict is two sentences at most, and says so when the capture is blind")
    func verdict() {
        var talk = Talk()
        #expect(talk.result().verdict.hasPrefix("No SIP message was seen"))
        talk.registers()
        #expect(talk.result().verdict == "Nothing is wrong with the one dialog seen.")
        let a = talk.register(5)
        talk.up(20, a)
        talk.down(20.02, talk.challenge(to: a, nonce: "n5"))
        let b = talk.register(6, nonce: "n5")
        talk.up(20.03, b, port: 40_100)
        talk.later(60)
        #expect(talk.result().verdict.hasPrefix("The registration of alice@pbx.example jumped from port 40000 to port 40100"))
    }

    @Test("only one direction in the capture is said first, and nobody is accused of silence")
    func oneDirection() {
        var talk = Talk()
        for index in 0..<3 {
            talk.call = "c\(index)"
            talk.up(Double(index), talk.register(1))
            talk.up(Double(index) + 0.1, talk.register(2, nonce: "n"))
        }
        let result = talk.result()
        #expect(result.findings.filter(\.severity.accuses).map(\.name) == [.captureBlind])
        #expect(result.verdict.contains("see capture.blind"))
    }

    @Test("memory goes with open dialogs: a day of finished calls leaves no steps, and their records in order")
    func closing() {
        var talk = Talk()
        talk.call = "k"
        let options = talk.request("OPTIONS", "sip:a", 1)
        var analyzer = Analyzer(sources: [SourceSummary(name: "day", kind: .capture)])
        for index in 0..<20_000 {
            let text = Array(options.replacing("Call-ID: k", with: "Call-ID: k\(index)").utf8)
            let time = Instant(nanoseconds: Int64(index) * 2_000_000_000)
            analyzer.observe(
                Observation(
                    place: .frame(file: 0, number: index + 1), time: time, source: talk.phone, destination: talk.server,
                    transport: .udp,
                    what: .sip(text, isCut: false)))
        }
        #expect(analyzer.table.openSteps < 2 * Analyzer.sweepEvery)
        let result = analyzer.finish()
        #expect(result.dialogs.count == 20_000 && result.records.count == 20_000)
        #expect(result.dialogs[19_999].callID == "k19999" && result.messages(of: result.dialogs[0]).map(\.firstLine).count == 1)
    }

    @Test("a registration that refreshes for a day is judged in parts and still tells its jump")
    func longRegistration() {
        var talk = Talk()
        for turn in 0..<300 {
            let refresh = talk.register(turn + 1, nonce: "n1", count: "0000\(1_000 + turn)", expires: 60)
            let port: UInt16 = turn == 250 ? 41_234 : 40_000
            talk.up(Double(turn) * 15, refresh, port: port)
            talk.down(Double(turn) * 15 + 0.02, talk.response(200, to: refresh), port: port)
        }
        #expect(talk.accusations() == ["fault nat.port-jump"])
        let dialog = talk.result().dialogs[0]
        #expect(dialog.messageCount == 600 && talk.result().recordIndices(of: dialog).count == 600)
    }

    @Test("an accused dialog keeps its messages, however long ago they were")
    func kept() throws {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n"))
        let b = talk.register(2, nonce: "n")
        talk.up(0.03, b, port: 50_000)
        talk.down(0.05, talk.response(200, to: b), port: 50_000)
        talk.call = "noise"
        let padding = "X: " + String(repeating: "x", count: 4_000)
        for index in 0..<5_000 { talk.up(60 + Double(index), talk.request("OPTIONS", "sip:a", index + 1, [padding])) }
        let result = talk.result()
        let dialog = try #require(result.dialogs.first)
        #expect(result.messages(of: dialog).map { $0.fields.contains { $0.name == "Contact" } } == [true, false, true, false])
        #expect(
            result.findings.first { $0.name == .natPortJump }?.evidence[0].excerpt.contains("REGISTER sip:pbx.example") == true)
    }

    @Test("whatever bytes come, nothing traps and everything is counted")
    func hostile() {
        var talk = Talk()
        var state: UInt64 = 7
        let seeds = [
            talk.register(1, nonce: "n"), talk.challenge(to: talk.register(1), nonce: "n"),
            talk.request("INVITE", "sip:b", 1, body: Talk.sdp("10.0.0.1")),
        ]
        for round in 0..<3_000 {
            var bytes = Array(seeds[round % 3].utf8)
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let at = Int(state >> 33) % bytes.count
                if state & 1 == 0 {
                    bytes[at] = UInt8(truncatingIfNeeded: state >> 20)
                } else {
                    bytes.removeSubrange(at..<min(bytes.count, at + 5))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            talk.see(Double(round), talk.phone, talk.server, round % 5 == 0 ? .stun(bytes) : .sip(bytes, isCut: round % 2 == 0))
        }
        let counts = talk.result().counts
        #expect(counts.sip + counts.malformed + counts.stun == 3_000)
    }
}
