import Analysis
import Base
import Capture
import Testing

@Suite("media.one-way: fax over UDPTL (T.38)")
struct FaxTests {
    /// A call of a gateway to a provider that changes to T.38 after 5 s, in which audio stops. `caller`, `callee`: where each sends its fax, and where
    /// it asks for it; nil: it sends none.
    private func findings(
        caller: String? = "203.0.113.9:8000", callee: String? = "198.51.100.5:4000", said: String = "198.51.100.5:4000",
        seconds: Double = 30, turns: Bool = false, refused: Bool = false, audio: Bool = true, goesOn: Bool = false
    ) -> [Finding] {
        var talk = Talk()
        talk.phone = Endpoint("198.51.100.5:5060")!
        talk.said = "198.51.100.5:5060"
        talk.call = "fax@gateway.example"
        let (gateway, provider) = (Endpoint("198.51.100.5:4000")!, Endpoint("203.0.113.9:8000")!)
        talk.server = Endpoint("203.0.113.9:5060")!
        let fax = { (place: String) in
            let end = Endpoint(place)!
            return Talk.sdp("\(end.address)", port: Int(end.port)).replacingMedia(with: "m=image \(end.port) udptl t38")
        }
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.5>"], body: Talk.sdp("198.51.100.5", port: 4_000)
        )
        let accept = talk.response(
            200, to: invite, ["Contact: <sip:bob@203.0.113.9>"], body: Talk.sdp("203.0.113.9", port: 8_000))
        let peer = "<sip:bob@pbx.example>;tag=s1"
        let again = talk.request(
            "INVITE", "sip:bob@203.0.113.9", 2, ["Contact: <sip:alice@198.51.100.5>"], body: fax(said), peer: peer)
        let changed = talk.response(
            200, to: again, ["Contact: <sip:bob@203.0.113.9>"], body: refused ? "" : fax("203.0.113.9:8000"))
        var packets: [(at: Double, from: Endpoint, to: Endpoint, bytes: [UInt8])] = []
        func say(_ at: Double, _ message: String, up: Bool) {
            packets.append((at, up ? talk.phone : talk.server, up ? talk.server : talk.phone, Array(message.utf8)))
        }
        say(0, invite, up: true)
        say(0.5, accept, up: false)
        say(0.6, talk.request("ACK", "sip:bob@203.0.113.9", 1, branch: "a1", peer: peer), up: true)
        say(5, again, up: true)
        say(5.1, refused ? changed.replacing("SIP/2.0 200", with: "SIP/2.0 488") : changed, up: false)
        say(5.2, talk.request("ACK", "sip:bob@203.0.113.9", 2, branch: "a2", peer: peer), up: true)
        let bye = talk.request("BYE", "sip:bob@203.0.113.9", 3, peer: peer)
        say(6 + seconds, bye, up: true)
        say(6.1 + seconds, talk.response(200, to: bye), up: false)
        for number in 0..<220 where audio {
            let at = 0.7 + Double(number) * 0.02
            packets.append((at, gateway, provider, MediaScene.rtp(0, number, UInt32(number * 160), 1)))
            packets.append((at, provider, gateway, MediaScene.rtp(0, number, UInt32(number * 160), 2)))
        }
        for number in 0..<Int(seconds * 20) {
            let at = 5.3 + Double(number) * 0.05
            let bytes: [UInt8] = [UInt8(number >> 8), UInt8(number & 255), 1, 6, 0, 0]
            let isCallers = !turns || number < 20 || number % 200 > 40
            if let caller, isCallers { packets.append((at, gateway, Endpoint(caller)!, bytes)) }
            if let callee, !turns || !isCallers { packets.append((at, provider, Endpoint(callee)!, bytes)) }
            if goesOn {
                packets.append((at, provider, gateway, MediaScene.rtp(0, 220 + number, UInt32(35_200 + number * 400), 2)))
            }
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

    @Test("one end gets nothing of the other's fax, though audio went both ways before")
    func oneWay() throws {
        let finding = try #require(findings(callee: nil).first)
        #expect(finding.name == .mediaOneWay && finding.severity == .fault)
        #expect(
            finding.summary
                == "The fax (T.38) went one way: the caller (198.51.100.5:5060) sent it for 30.0 s, and of the callee (203.0.113.9:5060) nothing came. "
                + "No packet of the callee reached the place of the capture, so it was lost before, or never sent.")
        #expect(findings(caller: nil).map(\.name) == [.mediaOneWay])
    }

    @Test("a private address for the fax alone, whether the far end sends there or nowhere")
    func privatePlace() throws {
        for callee in [nil, "192.168.1.5:4000"] {
            let finding = try #require(findings(callee: callee, said: "192.168.1.5:4000").first)
            #expect(finding.name == .mediaOneWay && finding.severity == .fault)
            #expect(finding.summary.contains("asks for the fax at 192.168.1.5:4000, a private address"))
            #expect(finding.remedies[0].actor == .phone)
        }
    }

    @Test(
        "both ends send, at once, in turns, to where it comes from, or go on as audio: audio that stops for it is nobody's fault")
    func healthy() {
        #expect(findings() == [])
        #expect(findings(turns: true) == [])
        #expect(findings(said: "192.168.1.5:4000") == [])
        #expect(findings(callee: nil, goesOn: true) == [])
    }

    /// A fax of an adapter through a PBX, both legs in one capture, of which the provider sends nothing; or the PBX passes nothing on.
    private func legs(passes: Bool) -> [String] {
        let ends = ["192.168.1.5", "192.168.1.2", "203.0.113.9"].map { IPAddress($0)! }
        var scene = MediaScene()
        for leg in 0...1 {
            let (near, far) = (Endpoint(ends[leg], 5_060), Endpoint(ends[leg + 1], 5_060))
            let (here, there) = (Endpoint(ends[leg], 4_000 + UInt16(leg)), Endpoint(ends[leg + 1], 8_000))
            scene.call(
                dialog: leg, ended: 40, offer: MediaScene.sdp(here), answer: MediaScene.sdp(there), source: near, destination: far
            )
            scene.say(here, there, at: 1.1) {
                $0.seconds = 4; $0.ssrc = UInt32(10 + leg)
            }
            scene.say(there, here, at: 1.1) {
                $0.seconds = 4; $0.ssrc = UInt32(20 + leg)
            }
            for (caller, place) in [(false, there), (true, here)] {
                let body = Talk.sdp("\(place.address)").replacingMedia(with: "m=image \(place.port) udptl t38")
                scene.fact(
                    .description(Array(body.utf8), isAnswer: caller), dialog: leg, fromCaller: caller, at: caller ? 5.1 : 5,
                    source: caller ? near : far, destination: caller ? far : near)
            }
            for number in 0..<600 {
                let bytes: [UInt8] = [UInt8(number >> 8), UInt8(number & 255), 1, 6, 0, 0]
                let at = 5.3 + Double(number) * 0.05
                scene.packet(bytes, here, there, at: at)
                if !passes, leg == 1 { scene.packet(bytes, there, here, at: at) }
            }
        }
        return scene.accusations()
    }

    @Test("a PBX with nothing to pass on is not named beside the provider that sends nothing; one that passes nothing on is")
    func twoLegs() {
        #expect(legs(passes: true) == ["media.one-way fault [1]"])
        #expect(legs(passes: false) == ["media.one-way fault [0]"])
    }

    @Test("a fax that is over at once, one that was refused, and a tap that sees one direction of all: nothing")
    func untold() {
        #expect(findings(callee: nil, seconds: 4) == [])
        #expect(findings(callee: nil, refused: true).allSatisfy { !$0.summary.contains("T.38") })
        #expect(findings(callee: nil, audio: false) == [])
    }
}

extension String {
    fileprivate func replacingMedia(with line: String) -> String {
        split(separator: "\r\n", omittingEmptySubsequences: false).map { $0.hasPrefix("m=") ? line : String($0) }.joined(
            separator: "\r\n")
    }
}
