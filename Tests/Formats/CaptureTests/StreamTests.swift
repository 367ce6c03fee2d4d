import Base
import Capture
import Packet
import Testing

@Suite("TCP streams of a capture")
struct StreamTests {
    func decode(_ script: TCPScript) -> Decoded { CaptureTests.decode(packets: script.packets) }

    func kinds(_ decoded: Decoded) -> [StreamEvent.Kind] { decoded.events.map(\.kind) }

    @Test("several messages in one segment, and one message in several segments")
    func framing() {
        var script = TCPScript()
        script.send(sipMessage(1) + sipMessage(2, size: 50) + sipMessage(3))
        let long = sipMessage(4, size: 3_000)
        script.send(Array(long[..<1_000]))
        script.send(Array(long[1_000..<2_000]))
        script.send(Array(long[2_000...]) + sipMessage(5))
        let decoded = decode(script)
        #expect(decoded.payloads == [sipMessage(1), sipMessage(2, size: 50), sipMessage(3), long, sipMessage(5)])
        #expect(
            decoded.seen.map(\.frame) == [4, 4, 4, 7, 7] && decoded.seen[3].frames == [5, 6, 7] && decoded.seen[4].frames == [7])
        #expect(decoded.seen.allSatisfy { $0.transport == .tcp && $0.flags == .fromStream && $0.content == .sip })
        #expect(decoded.notes.connections == 1 && decoded.notes.gaps == 0 && kinds(decoded) == [.opening, .opened])
    }

    @Test("a segment sent four times and not acknowledged is told, with the longest that was; and that it moved at last")
    func stalled() {
        var script = TCPScript()
        script.send(sipMessage(1))
        script.segment(fromClient: false, at: script.serverNext, flags: .ack)
        let long = Array(sipMessage(2, size: 1_500)[..<1_400])
        let start = script.clientNext
        for _ in 0..<3 { script.segment(fromClient: true, at: start, long) }
        #expect(kinds(decode(script)) == [.opening, .opened])
        let shortest = sipMessage(1).count
        func stalls(_ script: TCPScript) -> [[Int]] {
            decode(script).events.compactMap {
                guard case .stalled(let octets, let longest, let sends, _, let isAwaited) = $0.kind else { return nil }
                return [octets, longest, sends, isAwaited ? 1 : 0]
            }
        }
        script.segment(fromClient: true, at: start, long)
        #expect(stalls(script) == [[1_400, shortest, 4, 0]])
        // The other side says something, and still waits for the same octets.
        script.packets.append(script.packet(fromClient: false, at: script.serverNext, acknowledging: start, [13, 10]))
        script.segment(fromClient: true, at: start, long)
        #expect(stalls(script) == [[1_400, shortest, 4, 0], [1_400, shortest, 5, 1]])
        script.packets.append(
            script.packet(fromClient: false, at: script.serverNext &+ 2, flags: .ack, acknowledging: start &+ 1_400))
        #expect(kinds(decode(script)).last == .moved)
    }

    @Test("a stream of which one direction is captured tells nothing of what is acknowledged")
    func unacknowledged() {
        var script = TCPScript(handshake: false)
        for _ in 0..<6 { script.segment(fromClient: true, at: script.clientNext, sipMessage(1, size: 1_200)) }
        #expect(kinds(decode(script)) == [])
    }

    @Test("octet by octet")
    func trickle() {
        var script = TCPScript()
        for byte in sipMessage(1) + sipMessage(2, size: 20) { script.send([byte]) }
        #expect(decode(script).payloads == [sipMessage(1), sipMessage(2, size: 20)])
    }

    @Test("both directions are told apart")
    func directions() {
        var script = TCPScript()
        script.send(sipMessage(1))
        script.send(Array("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".utf8), fromClient: false)
        let decoded = decode(script)
        #expect(decoded.seen.map(\.source) == [script.client, script.server])
    }

    @Test("segments out of order, doubled and overlapping give the stream once", arguments: 0..<30)
    func reordering(seed: Int) {
        let stream = (1...12).flatMap { sipMessage($0, size: $0 * 30) }
        var script = TCPScript()
        let start = script.clientNext
        var pieces: [[UInt8]] = []
        var entropy = Entropy(seed: [UInt8](repeating: UInt8(seed), count: 32))
        var at = 0
        while at < stream.count {
            let end = min(stream.count, at + 100 + Int(entropy.next() % 400))
            // A resend may reach back over what was sent before.
            let from = max(0, at - Int(entropy.next() % 80))
            pieces.append(script.packet(fromClient: true, at: start &+ UInt32(from), Array(stream[from..<end])))
            if entropy.next() % 4 == 0 { pieces.append(pieces[pieces.count - 1]) }
            at = end
        }
        for index in pieces.indices.dropLast() where entropy.next() % 2 == 0 {
            let other = min(pieces.count - 1, index + 1 + Int(entropy.next() % 3))
            pieces.swapAt(index, other)
        }
        script.packets += pieces
        let decoded = decode(script)
        #expect(decoded.payloads == (1...12).map { sipMessage($0, size: $0 * 30) })
        #expect(decoded.notes.gaps == 0)
    }

    @Test("sequence numbers wrap")
    func wrap() {
        var script = TCPScript(handshake: false)
        script.clientNext = 0xffff_ff00
        script.segment(fromClient: true, at: script.clientNext, flags: .syn)
        script.clientNext &+= 1
        for number in 1...5 { script.send(sipMessage(number, size: 100)) }
        #expect(decode(script).payloads == (1...5).map { sipMessage($0, size: 100) })
    }

    @Test("a hole that the other side acknowledged was lost by the capture alone: counted, marked, gone over")
    func hole() {
        var script = TCPScript()
        script.send(sipMessage(1))
        let lost = sipMessage(2)
        script.clientNext &+= UInt32(lost.count)
        script.send(sipMessage(3))
        script.segment(fromClient: false, at: script.serverNext, flags: .ack)
        script.send(sipMessage(4))
        let decoded = decode(script)
        #expect(decoded.payloads == [sipMessage(1), sipMessage(3), sipMessage(4)])
        #expect(decoded.seen[1].flags.contains(.afterGap) && !decoded.seen[2].flags.contains(.afterGap))
        #expect(decoded.notes.gaps == 1 && decoded.notes.gapOctets == UInt64(lost.count))
        #expect(kinds(decoded).contains(.gap(octets: UInt64(lost.count))))
    }

    @Test("a message with a hole in it is given as far as it came, and reading goes on at the next start line")
    func holeInMessage() {
        let message = sipMessage(1, size: 2_000)
        var script = TCPScript()
        script.send(Array(message[..<700]))
        script.clientNext &+= 700
        script.send(Array(message[1_400...]) + sipMessage(2))
        script.segment(fromClient: false, at: script.serverNext, flags: .ack)
        let decoded = decode(script)
        #expect(decoded.payloads == [Array(message[..<700]), sipMessage(2)])
        #expect(decoded.seen[0].flags.contains(.cutShort) && decoded.seen[1].flags.contains(.afterGap))
    }

    @Test("a capture that begins amid a connection finds the next start line")
    func midStream() {
        var script = TCPScript(handshake: false)
        script.send(Array(sipMessage(1).dropFirst(40)) + sipMessage(2))
        script.send(sipMessage(3))
        let decoded = decode(script)
        #expect(decoded.payloads == [sipMessage(2), sipMessage(3)])
        #expect(decoded.notes.midStream == 1)
    }

    @Test("a Content-Length too great, as an ALG leaves it: the message ends where the next begins")
    func lengthTooGreat() {
        let wrong = Array("INVITE sip:a@b SIP/2.0\r\nContent-Length: 90\r\n\r\nv=0\r\n".utf8)
        var script = TCPScript()
        script.send(wrong)
        script.send(sipMessage(2))
        let decoded = decode(script)
        #expect(decoded.payloads == [wrong, sipMessage(2)] && decoded.seen[0].flags.contains(.cutShort))
        #expect(decoded.seen[0].flags.contains(.miscounted))
    }

    @Test("a Content-Length too small: what is left over is skipped and counted")
    func lengthTooSmall() {
        let wrong = Array("INVITE sip:a@b SIP/2.0\r\nl: 3\r\n\r\nv=0\r\ns=-\r\nt=0 0\r\n".utf8)
        var script = TCPScript()
        script.send(wrong + sipMessage(2))
        let decoded = decode(script)
        #expect(decoded.payloads.last == sipMessage(2))
        #expect(decoded.payloads.first == Array(wrong.dropLast(14)))
        #expect(decoded.notes.unframedOctets == 12)
        #expect(decoded.seen.map { $0.flags.contains(.miscounted) } == [true, false, false])
    }

    @Test("a body whose last line end was not counted, a keepalive behind it, and half of the next message are no miscount")
    func wellCounted() {
        let untidy = Array("INVITE sip:a@b SIP/2.0\r\nl: 3\r\n\r\nv=0\r\n".utf8)
        let tidy = Array("INVITE sip:a@b SIP/2.0\r\nl: 5\r\n\r\nv=0\r\n".utf8)
        for first in [untidy, tidy] {
            for next in [sipMessage(2), [13, 10, 13, 10] + sipMessage(2)] {
                for cut in [0, 1, 4, 30] {
                    var script = TCPScript()
                    script.send(first + next.prefix(cut))
                    script.send(Array(next.dropFirst(cut)))
                    #expect(decode(script).seen.allSatisfy { !$0.flags.contains(.miscounted) })
                }
            }
        }
    }

    @Test("keepalives and STUN between messages (RFC 5626 3.5.1)")
    func keepalives() {
        let stun: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] + [UInt8](repeating: 7, count: 12)
        var script = TCPScript()
        script.send([13, 10, 13, 10])
        script.send(stun + sipMessage(1))
        script.send([13, 10], fromClient: false)
        let decoded = decode(script)
        #expect(decoded.seen.map(\.content) == [.keepalive, .stun, .sip, .keepalive])
    }

    @Test("the end of a connection: closed by both, reset, refused")
    func ends() {
        var script = TCPScript()
        script.send(Array(sipMessage(1).dropLast(5)))
        script.segment(fromClient: true, at: script.clientNext, flags: [.fin, .ack])
        script.segment(fromClient: false, at: script.serverNext, flags: [.fin, .ack])
        let decoded = decode(script)
        #expect(kinds(decoded) == [.opening, .opened, .closed, .closed])
        #expect(decoded.seen.count == 1)
        var reset = TCPScript()
        reset.segment(fromClient: false, at: reset.serverNext, flags: .rst)
        #expect(kinds(decode(reset)) == [.opening, .opened, .reset])
        var refused = TCPScript(handshake: false)
        refused.segment(fromClient: true, at: 1, flags: .syn)
        refused.segment(fromClient: false, at: 0, flags: [.rst, .ack])
        #expect(kinds(decode(refused)) == [.opening, .refused])
    }

    @Test("a message cut off by the end of the capture is given as it is")
    func captureEnds() {
        var script = TCPScript()
        script.send(Array(sipMessage(1, size: 400).dropLast(100)))
        let decoded = decode(script)
        #expect(decoded.payloads == [Array(sipMessage(1, size: 400).dropLast(100))] && decoded.seen[0].flags.contains(.cutShort))
    }

    @Test("ports used again begin a connection anew")
    func portsReused() {
        var script = TCPScript()
        script.send(Array(sipMessage(1).dropLast(5)))
        script.segment(fromClient: true, at: 700_000_000, flags: .syn)
        script.clientNext = 700_000_001
        script.send(sipMessage(2))
        let decoded = decode(script)
        #expect(decoded.payloads.last == sipMessage(2) && decoded.notes.connections == 2)
    }

    @Test("TLS is recognised and not read")
    func tls() {
        var script = TCPScript()
        script.send([0x16, 3, 1, 0, 50] + [UInt8](repeating: 1, count: 50))
        script.send([0x17, 3, 3, 0, 20] + [UInt8](repeating: 2, count: 20))
        let decoded = decode(script)
        #expect(decoded.seen.isEmpty && decoded.notes.tls.connections == 1 && kinds(decoded).contains(.tls))
    }

    @Test("other protocols are left alone, whatever their port")
    func other() {
        var script = TCPScript()
        script.send(Array("EHLO example.com\r\n".utf8))
        script.send(sipMessage(1))
        #expect(decode(script).seen.isEmpty)
    }

    // MARK: WebSocket

    func frame(_ payload: [UInt8], opcode: UInt8 = 1, isLast: Bool = true, mask: [UInt8]? = nil) -> [UInt8] {
        var bytes: [UInt8] = [(isLast ? 0x80 : 0) | opcode]
        let bit: UInt8 = mask == nil ? 0 : 0x80
        if payload.count < 126 {
            bytes.append(bit | UInt8(payload.count))
        } else {
            bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
    }

    func webSocket(handshake: Bool = true) -> TCPScript {
        var script = TCPScript(handshake: handshake)
        guard handshake else { return script }
        script.send(
            Array(
                "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
                    .utf8))
        script.send(
            Array("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n".utf8),
            fromClient: false)
        return script
    }

    @Test("SIP over WebSocket (RFC 7118): masked, in pieces, with pings between")
    func webSocketMessages() {
        var script = webSocket()
        let mask: [UInt8] = [1, 2, 3, 4]
        let long = sipMessage(2, size: 800)
        script.send(frame(sipMessage(1), mask: mask) + frame([], opcode: 9, mask: mask))
        script.send(frame(Array(long[..<300]), isLast: false, mask: mask))
        script.send(frame([1], opcode: 10, mask: mask) + frame(Array(long[300...]), opcode: 0, mask: mask))
        script.send(frame(Array("SIP/2.0 200 OK\r\n\r\n".utf8), opcode: 2), fromClient: false)
        let decoded = decode(script)
        #expect(decoded.payloads == [sipMessage(1), long, Array("SIP/2.0 200 OK\r\n\r\n".utf8)])
        #expect(decoded.seen.allSatisfy { $0.transport == .ws })
        #expect(decoded.notes.webSockets == 1 && kinds(decoded).contains(.webSocket(subprotocolSIP: true)))
    }

    @Test("a WebSocket frame over several segments")
    func webSocketSegments() {
        var script = webSocket()
        let bytes = frame(sipMessage(1, size: 2_000), mask: [9, 8, 7, 6])
        for start in stride(from: 0, to: bytes.count, by: 333) {
            script.send(Array(bytes[start..<min(bytes.count, start + 333)]))
        }
        let decoded = decode(script)
        #expect(decoded.payloads == [sipMessage(1, size: 2_000)] && decoded.seen[0].frames.count == 7)
    }

    @Test("a WebSocket whose handshake the capture missed is recognised by a frame that holds SIP")
    func webSocketMidStream() {
        var script = webSocket(handshake: false)
        script.send(frame(sipMessage(1), mask: [5, 5, 5, 5]))
        script.send(frame(sipMessage(2), mask: [1, 2, 3, 4]))
        #expect(decode(script).payloads == [sipMessage(1), sipMessage(2)])
    }

    @Test("compressed WebSocket messages are counted, as they cannot be read")
    func webSocketCompressed() {
        var script = webSocket()
        var bytes = frame([1, 2, 3, 4], mask: [1, 2, 3, 4])
        bytes[0] |= 0x40
        script.send(bytes)
        let decoded = decode(script)
        #expect(decoded.seen.isEmpty && decoded.notes.compressedWebSocket == 1)
    }

    // MARK: Limits

    @Test("ten thousand connections, of which a hundred are remembered: nothing grows, what was given up is counted")
    func manyConnections() {
        var decoder = CaptureDecoder(limits: .init(streams: .init(directions: 100)))
        var batch = PayloadBatch()
        var packets: [[UInt8]] = []
        for port in 0..<10_000 {
            var script = TCPScript(handshake: false)
            script.client = Endpoint(script.client.address, UInt16(1_024 + port))
            script.segment(fromClient: true, at: 1, flags: .syn)
            packets += script.packets
        }
        decoder.feed(PcapText(packets).bytes, into: &batch)
        decoder.finish(&batch)
        #expect(decoder.notes.connections == 10_000 && decoder.notes.evictedConnections >= 9_800)
    }

    @Test("a direction that never fills its hole holds no more than it may")
    func endlessHole() {
        var script = TCPScript()
        script.clientNext &+= 100
        for number in 1...300 { script.send(sipMessage(number)) }
        let decoded = decode(script)
        // The hole is given up when the queue is full; all that came is read.
        #expect(decoded.payloads == (1...300).map { sipMessage($0) })
        #expect(decoded.notes.gaps == 1 && decoded.notes.gapOctets == 100)
    }
}
