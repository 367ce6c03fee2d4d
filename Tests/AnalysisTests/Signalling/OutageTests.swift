import Analysis
import Base
import Capture
import Testing

@Suite("An outage of the line is told once, and as such")
struct OutageTests {
    private let phone = Endpoint("192.168.1.40:5060")!
    private let server = Endpoint("203.0.113.10:5060")!
    private let audio = Endpoint("192.168.1.40:20000")!

    /// A call whose incoming audio stops after 10 s; at 30 s the phone's BYE goes unanswered, eleven times. `alive`: what comes meanwhile.
    private func findings(media: Endpoint, alive: Endpoint? = nil) -> [Finding] {
        var talk = Talk()
        talk.phone = phone
        talk.said = "192.168.1.40:5060"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@192.168.1.40>"], body: Talk.sdp("192.168.1.40"), peer: nil)
        let accept = talk.response(
            200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("\(media.address)", port: Int(media.port)))
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: "<sip:bob@pbx.example>;tag=s1")
        let ack = talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1")
        var packets: [(at: Double, from: Endpoint, to: Endpoint, bytes: [UInt8])] = [
            (0, phone, server, Array(invite.utf8)), (0.5, server, phone, Array(accept.utf8)),
            (0.6, phone, server, Array(ack.utf8)),
        ]
        for number in 0..<1_450 {
            let at = 0.7 + Double(number) * 0.02
            packets.append((at, audio, media, MediaScene.rtp(0, number, UInt32(number * 160), 1)))
            if number < 500 { packets.append((at, media, audio, MediaScene.rtp(0, number, UInt32(number * 160), 2))) }
            if let alive, number % 50 == 0 {
                packets.append(
                    (at, alive, Endpoint(audio.address, 20_050), MediaScene.rtp(0, number / 50, UInt32(number * 160), 3)))
            }
        }
        for wait in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] {
            packets.append((30 + wait, phone, server, Array(bye.utf8)))
        }
        var batch = PayloadBatch()
        for (frame, packet) in packets.sorted(by: { $0.at < $1.at }).enumerated() {
            batch.append(
                packet.bytes, from: packet.from, to: packet.to, .udp, at: MediaScene.at(packet.at), frame: UInt64(frame + 1))
        }
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        analyzer.observe(batch, file: 0)
        return analyzer.finish().findings.filter(\.severity.accuses)
    }

    @Test(
        "audio of one host and the answers of another stop at once, and nothing else comes: the line, and what follows below it")
    func line() throws {
        let found = findings(media: Endpoint("203.0.113.11:30000")!)
        #expect(found.map(\.name) == [.sipRetransmit])
        let finding = try #require(found.first)
        #expect(
            finding.summary
                == "The line was down: nothing at all came in from outside up to the end of the capture, of none of 203.0.113.10, 203.0.113.11, "
                + "while 192.168.1.40 went on sending: the audio stopped, and BYE stayed unanswered.")
        #expect(finding.culprit == .between("192.168.1.40", "the Internet"))
        #expect(finding.details.filter { $0.hasPrefix("What follows from it") }.count == 2)
    }

    @Test("a host that falls silent alone, or others that are heard meanwhile: not the line")
    func notTheLine() {
        let alone = findings(media: Endpoint("203.0.113.10:30000")!)
        let others = findings(media: Endpoint("203.0.113.11:30000")!, alive: Endpoint("192.0.2.77:4000")!)
        for found in [alone, others] {
            #expect(!found.isEmpty)
            #expect(!found.contains { $0.summary.hasPrefix("The line was down") })
        }
    }
}
