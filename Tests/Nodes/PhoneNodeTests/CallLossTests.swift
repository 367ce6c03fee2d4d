import Base
import PhoneNode
import RTP
import SDP
import SIP
import Testing

@Suite("Calls over bad networks, and with bad peers")
struct CallLossTests {
    /// A whole call: rings, is answered, held, resumed, hung up.
    private static func story(drops: Set<Int>) -> CallWorld {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto(after: .milliseconds(500)))])
        world.sipDrops = drops
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(6))
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(6))
        world.input(0, .resume(outgoing))
        world.run(for: .seconds(6))
        return world
    }

    private static let messages = story(drops: []).sip.count

    @Test("The n-th SIP message of a call is lost, for every n: the call comes about, is held, resumed and ended all the same")
    func sweep() {
        #expect(Self.messages >= 10)
        for n in 0..<Self.messages {
            var world = Self.story(drops: [n])
            #expect(world.share(of: 880, 0, outgoing) > 0.9, "message \(n) lost")
            let held = world.events(1).contains { if case .media(let state) = $0 { state.heldByThem } else { false } }
            #expect(held, "message \(n) lost")
            world.sipDrops = [world.sip.count]
            world.input(0, .hangUp(outgoing))
            world.run(for: .seconds(40))
            #expect(world.report(0)?.end == .hungUp, "message \(n) lost")
            #expect(world.report(1)?.end == .hungUpByPeer, "message \(n) lost")
            #expect(world.phones.allSatisfy { $0.callCount == 0 && $0.nextDeadline == nil }, "message \(n) lost")
        }
    }

    @Test("Two SIP messages in a row are lost, for every place: the call comes about and both ends agree on its end")
    func sweepOfTwo() {
        for n in 0..<6 {
            var world = CallWorld([.caller(1), .caller(2, calls: .auto(after: .milliseconds(500)))])
            world.sipDrops = [n, n + 1]
            world.call(0, "sip:102@192.0.2.2")
            world.run(for: .seconds(10))
            #expect(world.wasAnswered(0), "messages \(n) and \(n + 1) lost")
            world.input(1, .hangUp(PhoneCallID(1 << 32)))
            world.run(for: .seconds(40))
            #expect(world.phones.allSatisfy { $0.callCount == 0 && $0.nextDeadline == nil }, "messages \(n) and \(n + 1) lost")
        }
    }

    @Test("Every SIP message comes twice: nothing happens twice")
    func doubled() {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto())])
        world.doubles = true
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(4))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        world.input(0, .hold(outgoing))
        world.run(for: .seconds(1))
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(40))
        #expect(world.report(0)?.end == .hungUp)
        #expect(world.events(1).filter { if case .ended = $0 { true } else { false } }.count == 1)
        #expect(world.events(1).filter { if case .incoming = $0 { true } else { false } }.count == 1)
    }

    @Test("One audio packet in ten lost: the report counts them, the sound stays recognisable, the score falls")
    func lossyAudio() throws {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto())])
        var count = 0
        world.wire = { datagram in
            guard datagram.source == Endpoint("192.0.2.2:16384") else { return datagram }
            count += 1
            return count % 10 == 0 ? nil : datagram
        }
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(11))
        #expect(world.share(of: 880, 0, outgoing) > 0.6)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let report = try #require(world.report(0))
        #expect((9.0...11.0).contains(report.lossPercent))
        #expect(report.concealed > 40)
        #expect(try (2.0...4.0).contains(#require(report.meanOpinionScore)))
        // The other side knows it from our receiver reports.
        #expect((world.report(1)?.theirLossPercent ?? 0) > 5)
    }

    @Test("Audio of a stranger is neither heard nor counted, before or after the true one")
    func stranger() throws {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto(.tone(880), after: .zero))])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        for number in 0..<100 {
            let packet = RTPPacket(
                payloadType: 8, sequenceNumber: UInt16(number), timestamp: UInt32(number * 160), ssrc: 0xbad,
                payload: [UInt8](repeating: 0x55 ^ 0x2a, count: 160))
            world.inject(Datagram(from: Endpoint("203.0.113.66:4000")!, to: Endpoint("192.0.2.1:16384")!, packet.bytes))
            world.run(for: .milliseconds(20))
        }
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let report = try #require(world.report(0))
        #expect(report.refused == 100)
        #expect(report.lastSource == Endpoint("192.0.2.2:16384"))
    }

    @Test("A flood on the audio port costs no more than its bound, and the call goes on")
    func flood() throws {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto(.tone(880), after: .zero))])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(2))
        for _ in 0..<100 {
            for _ in 0..<20 {
                world.inject(
                    Datagram(
                        from: Endpoint("203.0.113.66:4000")!, to: Endpoint("192.0.2.1:16384")!,
                        [0x80, 8] + [UInt8](repeating: 1, count: 40)))
            }
            world.run(for: .milliseconds(20))
        }
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let report = try #require(world.report(0))
        #expect(report.refused >= 2_000)
        #expect(world.phones[0].callCount == 0)
    }

    @Test("Every byte of an INVITE with SDP replaced by others in turn: answered or ignored, never a trap, and no port is lost")
    func mutatedInvites() {
        var settings = CallSettings()
        settings.answers = .auto(after: .zero)
        settings.rtpPorts = [16_384, 16_386]
        var world = CallWorld([.caller(1, calls: settings)])
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
            + "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
            + "a=candidate:1 1 UDP 2130706431 192.0.2.9 4000 typ host\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n"
        let head =
            "INVITE sip:101@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;rport\r\nMax-Forwards: 70\r\n"
            + "From: <sip:p@192.0.2.9>;tag=p\r\nTo: <sip:101@192.0.2.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nSupported: 100rel, timer\r\n"
            + "Session-Expires: 90\r\nContact: <sip:p@192.0.2.9>\r\nContent-Type: application/sdp\r\nContent-Length: \(sdp.utf8.count)\r\n\r\n"
        let whole = Array((head + sdp).utf8)
        let replacements: [UInt8] = [0, 0x20, 0x0d, 0x3a, 0x3b, 0x39, 0xff]
        for place in whole.indices {
            var bytes = whole
            bytes[place] = replacements[place % replacements.count]
            world.inject(Datagram(from: Endpoint("192.0.2.9:5060")!, to: Endpoint("192.0.2.1:5060")!, bytes))
            if place % 50 == 0 {
                for call in 0..<2_000 { world.input(0, .hangUp(PhoneCallID(1 << 32 + UInt64(call)))) }
                world.run(for: .seconds(70))
                #expect(world.phones[0].callCount == 0)
            }
        }
        world.run(for: .seconds(200))
        for call in 0..<4_000 { world.input(0, .hangUp(PhoneCallID(1 << 32 + UInt64(call)))) }
        world.run(for: .seconds(200))
        #expect(world.phones[0].callCount == 0)
        // Both ports are free again.
        world.call(0, "sip:a@192.0.2.9", id: 1)
        world.call(0, "sip:a@192.0.2.9", id: 2)
        #expect(world.phones[0].callCount == 2)
    }
}
