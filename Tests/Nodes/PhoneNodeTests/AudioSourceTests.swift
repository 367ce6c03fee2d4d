import Base
import PhoneNode
import RTP
import SIP
import Testing

/// Whose audio a call takes where it comes from elsewhere than SDP says (192.0.2.250:4000; SIP comes from 192.0.2.250:5060).
@Suite("Audio from elsewhere than SDP says")
struct AudioSourceTests {
    private struct Caller {
        var world: CallWorld
        private var sequences: [Endpoint: UInt16] = [:]

        /// `moved`: what the peer says from the second INVITE on.
        init(symmetric: Bool = false, moved: String? = nil) {
            let peer = Peer()
            peer.answers = { peer, request in
                guard request.method == .invite else {
                    return request.method == .ack ? [] : [peer.response(request, 200)]
                }
                let isHeld = String(decoding: request.body, as: UTF8.self).contains("a=sendonly")
                let sdp = peer.count(.invite) > 1 ? moved ?? Peer.sdp : Peer.sdp
                return [peer.response(request, 200, sdp: sdp + (isHeld ? "a=recvonly\r\n" : ""))]
            }
            world = CallWorld([.caller(1, calls: CallSettings(codecs: ["PCMU"], symmetricRTP: symmetric))])
            world.scripted = [Peer.endpoint]
            world.script = { datagram, _ in peer.receive(datagram) }
            world.call(0, "8000")
            world.run(for: .seconds(1))
        }

        /// So many packets, 20 ms apart.
        mutating func hear(_ count: Int, from source: String) {
            let source = Endpoint(source)!
            for _ in 0..<count {
                let number = sequences[source, default: 1]
                sequences[source] = number + 1
                let packet = RTPPacket(
                    payloadType: 0, sequenceNumber: number, timestamp: UInt32(number) * 160, ssrc: UInt32(source.port),
                    payload: [UInt8](repeating: 0x2a, count: 160))
                world.inject(Datagram(from: source, to: Endpoint("192.0.2.1:16384")!, packet.bytes))
                world.run(for: .milliseconds(20))
            }
        }

        /// Where the latest audio of ours went.
        var target: Endpoint? { world.media.last { $0.datagram.source == Endpoint("192.0.2.1:16384") }?.datagram.destination }

        mutating func report() throws -> CallReport {
            world.input(0, .hangUp(outgoing))
            world.run(for: .seconds(1))
            return try #require(world.report(0))
        }
    }

    @Test("Another port of the peer's address is believed with its third packet; what came before goes nowhere")
    func learnt() throws {
        var caller = Caller(symmetric: true)
        caller.hear(2, from: "192.0.2.250:4002")
        #expect(caller.target == Endpoint("192.0.2.250:4000"))
        caller.hear(8, from: "192.0.2.250:4002")
        #expect(caller.target == Endpoint("192.0.2.250:4002"))
        let report = try caller.report()
        #expect(report.packetsReceived == 8 && report.refused == 0)
    }

    @Test("An address that nothing speaks for waits half a second for the peer's own, and is believed then")
    func unknown() throws {
        var caller = Caller()
        caller.hear(25, from: "203.0.113.66:4000")
        #expect(caller.world.heard[0][outgoing] == nil)
        caller.hear(25, from: "203.0.113.66:4000")
        let report = try caller.report()
        #expect(report.source == Endpoint("203.0.113.66:4000") && report.packetsReceived == 25)
    }

    @Test("What SDP names takes over from what was learnt, with its third packet")
    func takesOver() throws {
        var caller = Caller()
        caller.hear(10, from: "192.0.2.250:4002")
        caller.hear(10, from: "192.0.2.250:4000")
        let report = try caller.report()
        #expect(report.source == Endpoint("192.0.2.250:4002") && report.lastSource == Endpoint("192.0.2.250:4000"))
        #expect(report.packetsReceived == 8 + 8)
    }

    @Test("After two seconds of silence only the very same stream goes on from elsewhere")
    func goesOn() throws {
        var caller = Caller()
        caller.hear(10, from: "192.0.2.250:4000")
        caller.world.run(for: .seconds(3))
        caller.hear(10, from: "192.0.2.250:4002")
        let report = try caller.report()
        #expect(report.lastSource == Endpoint("192.0.2.250:4000") && report.packetsReceived == 10 && report.refused == 10)
    }

    @Test(
        "After new SDP audio goes to the new address at once; the former source is heard for a while, and never settled on again")
    func moved() throws {
        let elsewhere = Peer.sdp.replacing("192.0.2.250\r\nt=", with: "192.0.2.251\r\nt=").replacing("o=- 1 1", with: "o=- 1 2")
        var caller = Caller(symmetric: true, moved: elsewhere)
        caller.hear(5, from: "192.0.2.250:4000")
        caller.world.input(0, .hold(outgoing))
        caller.world.run(for: .milliseconds(100))
        caller.world.input(0, .resume(outgoing))
        caller.world.run(for: .milliseconds(100))
        caller.hear(10, from: "192.0.2.250:4000")
        #expect(caller.target == Endpoint("192.0.2.251:4000"))
        caller.hear(3, from: "192.0.2.251:4000")
        caller.hear(5, from: "192.0.2.250:4000")
        let report = try caller.report()
        #expect(report.packetsReceived == 5 + 10 + 3 && report.refused == 5)
    }
}
