import SIP
import Streams
import Testing

@Suite("Messages cut out of a byte stream")
struct FramerTests {
    /// Two messages, a ping before and between them.
    let stream = Array("\r\n\r\n\(request(1, body: 30))\r\n\r\n\(request(2))".utf8)
    let expected = ["\r\n\r\n", request(1, body: 30), "\r\n\r\n", request(2)]

    func all(_ framer: inout StreamFramer) throws -> [String] {
        var found: [String] = []
        while let message = try framer.next() { found.append(String(decoding: message, as: UTF8.self)) }
        return found
    }

    @Test("RFC 3261 18.3: the same messages come out wherever the stream is cut in two")
    func cutAnywhere() throws {
        for cut in 0...stream.count {
            var framer = StreamFramer(limits: .default)
            framer.append(stream[..<cut])
            var found = try all(&framer)
            framer.append(stream[cut...])
            found += try all(&framer)
            #expect(found == expected, "cut at \(cut)")
            #expect(!framer.isPartial)
        }
    }

    @Test("Byte by byte too, and a partial message is known as such")
    func byteByByte() throws {
        var framer = StreamFramer(limits: .default)
        var found: [String] = []
        for (index, byte) in stream.enumerated() {
            framer.append([byte])
            found += try all(&framer)
            #expect(framer.isPartial == (found.joined().utf8.count < index + 1))
        }
        #expect(found == expected)
    }

    @Test("A head without an end is given up at the limit, not a byte later")
    func endlessHead() throws {
        var framer = StreamFramer(limits: SIPLimits(messageBytes: 1_000))
        framer.append(Array("MESSAGE sip:a@lab SIP/2.0\r\nSubject: ".utf8))
        framer.append(Array(repeating: UInt8(ascii: "a"), count: 1_000 - 36))
        #expect(try framer.next() == nil)
        framer.append([UInt8(ascii: "a")])
        let error = #expect(throws: SIPParseError.self) { try framer.next() }
        #expect(error?.reason == .messageTooLarge)
    }

    @Test("What was handed on is forgotten: a long-lived connection does not grow")
    func longLife() throws {
        var framer = StreamFramer(limits: .default)
        let message = Array(request(3, body: 900).utf8)
        // Always half a message over, so that the buffer never runs empty.
        framer.append(message[..<500])
        for _ in 0..<2_000 {
            framer.append(message[500...] + message[..<500])
            #expect(try framer.next() == message)
            #expect(try framer.next() == nil)
        }
    }
}
