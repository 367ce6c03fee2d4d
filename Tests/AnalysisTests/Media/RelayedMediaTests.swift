import Analysis
import Base
import Capture
import Testing

/// A phone that speaks through a TURN server, and what a tap at either sees.
private struct RelayedCall {
    static let client = Endpoint("198.51.100.7:40002")!
    static let turn = Endpoint("203.0.113.60:3478")!
    static let relay = Endpoint("203.0.113.60:50000")!
    static let peer = Endpoint("203.0.113.50:20000")!

    var talk = Talk()
    var packets: [(at: Double, from: Endpoint, to: Endpoint, bytes: [UInt8])] = []
    var errors: [(at: Double, record: ICMPRecord)] = []

    static func masked(_ type: UInt16, _ place: Endpoint) -> [UInt8] {
        guard case .v4(let address) = place.address else { return [] }
        let port = place.port ^ 0x2112
        let word = address.bits ^ 0x2112_a442
        return [UInt8(type >> 8), UInt8(type & 255), 0, 8, 0, 1, UInt8(port >> 8), UInt8(port & 255)]
            + [24, 16, 8, 0].map { UInt8(word >> $0 & 255) }
    }

    static func stun(_ type: UInt16, _ number: UInt8, _ body: [UInt8] = []) -> [UInt8] {
        [UInt8(type >> 8), UInt8(type & 255), UInt8(body.count >> 8), UInt8(body.count & 255), 0x21, 0x12, 0xa4, 0x42]
            + [UInt8](repeating: number, count: 12) + body
    }

    /// `asks`: for a relay and a channel, before the call; else the capture began later.
    init(asks: Bool = true, permits: Bool = true) {
        if asks {
            add(0.1, Self.client, Self.turn, Self.stun(0x0003, 1))
            add(0.11, Self.turn, Self.client, Self.stun(0x0103, 1, Self.masked(0x0016, Self.relay)))
        }
        if permits {
            add(0.2, Self.client, Self.turn, Self.stun(0x0009, 2, [0, 12, 0, 4, 0x40, 0, 0, 0] + Self.masked(0x0012, Self.peer)))
            add(0.21, Self.turn, Self.client, Self.stun(0x0109, 2))
        }
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("203.0.113.60", port: 50_000))
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2)
        let signalling: [(Double, Bool, String)] = [
            (1, true, invite),
            (1.1, false, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.50"))),
            (1.2, true, talk.request("ACK", "sip:bob@203.0.113.10", 1)),
            (11, true, bye), (11.1, false, talk.response(200, to: bye)),
        ]
        for (at, isUp, message) in signalling {
            add(at, isUp ? talk.phone : talk.server, isUp ? talk.server : talk.phone, Array(message.utf8))
        }
    }

    mutating func add(_ at: Double, _ from: Endpoint, _ to: Endpoint, _ bytes: [UInt8]) { packets.append((at, from, to, bytes)) }

    /// Audio from one place to another, inside ChannelData of channel 0x4000 where that is wanted.
    mutating func speak(
        _ from: Endpoint, _ to: Endpoint, _ ssrc: UInt32, _ times: ClosedRange<Double> = 1.2...11, inside: Bool = false
    ) {
        for number in 0..<Int((times.upperBound - times.lowerBound) * 50) {
            let rtp = MediaScene.rtp(0, number, UInt32(number * 160), ssrc)
            let head: [UInt8] = inside ? [0x40, 0, UInt8(rtp.count >> 8), UInt8(rtp.count & 255)] : []
            add(times.lowerBound + Double(number) * 0.02, from, to, head + rtp)
        }
    }

    mutating func refuse(_ flow: (Endpoint, Endpoint), from start: Double) {
        for number in 0..<8 {
            errors.append(
                (
                    start + Double(number),
                    ICMPRecord(
                        frame: 0, time: Instant(nanoseconds: 0), source: PackedAddress(flow.1.address),
                        destination: PackedAddress(flow.0.address), isIPv6: false, type: 3, code: 3,
                        quoted: PackedFlow(
                            source: PackedAddress(flow.0.address), flow.0.port, destination: PackedAddress(flow.1.address),
                            flow.1.port, .udp), quotedProtocol: 17, quotedID: 0, mtu: 0)
                ))
        }
    }

    func result() -> AnalysisResult {
        var batch = PayloadBatch()
        var last: UInt64 = 0
        func time(_ at: Double) -> Instant { Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(at * 1e9)) }
        for (frame, packet) in packets.sorted(by: { $0.at < $1.at }).enumerated() {
            last = UInt64(frame + 1)
            batch.append(packet.bytes, from: packet.from, to: packet.to, .udp, at: time(packet.at), frame: last)
        }
        for (at, record) in errors {
            last += 1
            var record = record
            (record.frame, record.time) = (last, time(at))
            batch.icmp.append(record)
        }
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        analyzer.observe(batch, file: 0)
        return analyzer.finish()
    }

    func accusations() -> [Finding] { result().findings.filter(\.severity.accuses) }
}

@Suite("audio inside TURN")
struct RelayedMediaTests {
    @Test("ChannelData is audio between the relayed address and the peer: both ways, nobody is accused")
    func bothWays() {
        var call = RelayedCall()
        call.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        call.speak(RelayedCall.turn, RelayedCall.client, 2, inside: true)
        let result = call.result()
        #expect(result.findings.filter(\.severity.accuses).isEmpty)
        #expect(
            result.streams.map { "\($0.source) \($0.destination) \($0.packets)" } == [
                "203.0.113.50:20000 203.0.113.60:50000 490", "203.0.113.60:50000 203.0.113.50:20000 490",
            ])
        #expect(result.streams.map(\.speaker) == [.callee, .caller])
    }

    @Test("a tap at the TURN server sees each packet twice and counts it once")
    func serverTap() {
        var call = RelayedCall()
        call.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        call.speak(RelayedCall.relay, RelayedCall.peer, 1, 1.2001...11.0001)
        call.speak(RelayedCall.peer, RelayedCall.relay, 2)
        call.speak(RelayedCall.turn, RelayedCall.client, 2, 1.2001...11.0001, inside: true)
        let result = call.result()
        #expect(result.findings.filter(\.severity.accuses).isEmpty)
        #expect(result.streams.map(\.packets) == [490, 490])
    }

    @Test("nothing comes out of the relay: the phone's tap tells it, and the way through the TURN server")
    func deaf() throws {
        var call = RelayedCall()
        call.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        let finding = try #require(call.accusations().first)
        #expect(finding.name == .mediaOneWay)
        #expect(
            finding.summary.hasSuffix(
                "It has to come to 203.0.113.60:50000, which the TURN server 203.0.113.60:3478 gave to the caller, and nothing comes out of there."
            ))
    }

    @Test("what arrives at the relay and is not passed on is told at the server, with the permission that was not asked for")
    func keptBack() throws {
        var call = RelayedCall()
        call.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        call.speak(RelayedCall.peer, RelayedCall.relay, 2)
        let finding = try #require(call.accusations().first)
        #expect(finding.name == .mediaOneWay)
        #expect(finding.culprit == .proved("the TURN server 203.0.113.60:3478"))
        #expect(
            finding.summary.hasSuffix(
                "It arrives at 203.0.113.60:50000, which the TURN server 203.0.113.60:3478 gave to 198.51.100.7:40002, and nothing of it is passed on "
                    + "to there."))
        var other = RelayedCall()
        other.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        other.speak(Endpoint("203.0.113.51:20000")!, RelayedCall.relay, 2)
        #expect(other.accusations().contains { $0.summary.hasSuffix("asked for no permission for 203.0.113.51.") })
    }

    @Test("a TURN server that closes its port in the middle of the call cuts the audio")
    func cut() throws {
        var call = RelayedCall()
        call.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        call.speak(RelayedCall.turn, RelayedCall.client, 2, 1.2...5, inside: true)
        call.refuse((RelayedCall.client, RelayedCall.turn), from: 5)
        let finding = try #require(call.accusations().first)
        #expect(finding.name == .mediaNone)
        #expect(
            finding.summary.contains(
                "the caller goes on sending to 203.0.113.60:3478, a TURN server, and 203.0.113.60 refuses it by ICMP"))
    }

    @Test("a capture that began after the allocation, and one whose audio passes beside the relay, accuse nobody")
    func innocent() {
        var late = RelayedCall(asks: false)
        late.speak(RelayedCall.client, RelayedCall.turn, 1, inside: true)
        #expect(late.accusations().isEmpty)
        var beside = RelayedCall()
        beside.speak(RelayedCall.client, RelayedCall.peer, 1)
        beside.speak(RelayedCall.peer, RelayedCall.client, 2)
        #expect(beside.accusations().isEmpty)
    }
}
