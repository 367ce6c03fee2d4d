import Base
import Codecs
import RTP
import Testing

@Suite struct DTMFTests {
    /// The packets of `text`, nil where audio goes.
    private func packets(_ text: String, intervals: Int, from start: UInt32 = 1_000) -> [DTMFSender.Packet?] {
        var sender = DTMFSender(clockRate: 8_000)
        sender.dial(text)
        return (0..<intervals).map { sender.next(timestamp: start &+ UInt32($0 * 160)) }
    }

    @Test("RFC 4733 2.5.1: one timestamp for an event, rising durations, marker first, the end said three times")
    func sending() throws {
        let sent = packets("5", intervals: 9)
        let events = try sent[..<7].map { TelephoneEvent(try #require($0).payload[...])! }
        #expect(events.map(\.event) == [UInt8](repeating: 5, count: 7))
        #expect(events.map(\.duration) == [160, 320, 480, 640, 800, 800, 800])
        #expect(events.map(\.isEnd) == [false, false, false, false, true, true, true])
        #expect(sent[..<7].map { $0!.marker } == [true, false, false, false, false, false, false])
        #expect(sent[..<7].allSatisfy { $0!.timestamp == 1_000 })
        #expect(sent[7] == nil && sent[8] == nil)
    }

    @Test(
        "Digits follow each other after a pause; the sender is idle when the last has ended; others than digits are passed over")
    func sequence() throws {
        let sent = packets("1x#", intervals: 30)
        let starts = sent.indices.filter { sent[$0]?.marker == true }
        #expect(starts == [0, 9])
        let second = try #require(sent[9])
        #expect(second.timestamp == 2_440)
        var sender = DTMFSender(clockRate: 8_000)
        #expect(sender.isIdle)
        sender.dial("12")
        for at in 0..<30 { _ = sender.next(timestamp: UInt32(at * 160)) }
        #expect(sender.isIdle)
    }

    @Test("At most 128 digits wait")
    func cap() {
        var sender = DTMFSender(clockRate: 8_000)
        sender.dial(String(repeating: "1", count: 10_000))
        var starts = 0
        for at in 0..<20_000 where sender.next(timestamp: UInt32(truncatingIfNeeded: at * 160))?.marker == true { starts += 1 }
        #expect(starts == 128)
    }

    @Test("Each digit is told once: whole, with any one packet lost, and with all but one lost")
    func losses() {
        let text = "0123456789*#ABCD"
        let sent = packets(text, intervals: 16 * 9).compactMap { $0 }
        func heard(_ packets: [DTMFSender.Packet]) -> String {
            var receiver = DTMFReceiver()
            return String(packets.compactMap { receiver.receive($0.payload, timestamp: $0.timestamp) })
        }
        #expect(heard(sent) == text)
        for lost in sent.indices { #expect(heard(sent.enumerated().filter { $0.offset != lost }.map(\.element)) == text) }
        for kept in 0..<7 { #expect(heard(sent.enumerated().filter { $0.offset % 7 == kept }.map(\.element)) == text) }
    }

    @Test("Repeated and swapped packets tell nothing twice; a late end of the former digit is no digit")
    func disorder() {
        let sent = packets("77", intervals: 18).compactMap { $0 }
        var receiver = DTMFReceiver()
        var order = sent.flatMap { [$0, $0] }
        order.swapAt(12, 14)
        order.append(sent[6])
        let heard = order.compactMap { receiver.receive($0.payload, timestamp: $0.timestamp) }
        #expect(String(heard) == "77")
    }

    @Test("RFC 4733 2.5.1.3: a key held beyond the duration's range is one digit")
    func longKey() {
        var receiver = DTMFReceiver()
        var heard: [Character] = []
        var start: UInt32 = 0xffff_0000
        for _ in 0..<3 {
            for duration in [UInt16(160), 30_000, 0xffff] {
                let event = TelephoneEvent(event: 9, duration: duration)
                if let digit = receiver.receive(event.bytes, timestamp: start) { heard.append(digit) }
            }
            start &+= 0xffff
        }
        #expect(heard == ["9"])
    }

    private func hears(_ receiver: inout DTMFReceiver, _ payload: [UInt8], _ timestamp: UInt32, _ digit: Character?) {
        let heard = receiver.receive(payload, timestamp: timestamp)
        #expect(heard == digit)
    }

    @Test("Timestamps may wrap, and start anew after a reset")
    func wrap() {
        var receiver = DTMFReceiver()
        hears(&receiver, TelephoneEvent(event: 1, duration: 160).bytes, 0xffff_ff00, "1")
        hears(&receiver, TelephoneEvent(event: 2, duration: 160).bytes, 0x100, "2")
        hears(&receiver, TelephoneEvent(event: 3, duration: 160).bytes, 0, nil)
        receiver.reset()
        hears(&receiver, TelephoneEvent(event: 3, duration: 160).bytes, 0, "3")
    }

    @Test("Short payloads and events that are no digits are nothing")
    func nothing() {
        var receiver = DTMFReceiver()
        hears(&receiver, [], 1, nil)
        hears(&receiver, [1, 0, 0], 1, nil)
        hears(&receiver, TelephoneEvent(event: 16, duration: 160).bytes, 1, nil)
        hears(&receiver, [5, 0, 0, 160, 6, 0, 0, 160], 1, "5")
    }
}
