import Base
import Codecs
import RTP
import Testing

/// A receiver of PCMA, telephone-event and whatever else, with its own clock.
private struct Ear {
    var receiver: AudioReceiver
    var now = Instant(seconds: 1)
    private var sequence: UInt16 = 100
    private(set) var timestamp: UInt32 = 1_000

    init(rate: Int = 8_000, _ formats: [MediaFormat] = [.pcma, .telephoneEvent]) {
        receiver = AudioReceiver(rate: rate, noiseSeed: 1)
        receiver.accept(formats, .g711)
    }

    /// `octets` of sound (8 a millisecond) at once, or of something else.
    @discardableResult
    mutating func take(type: UInt8 = 8, _ payload: [UInt8], advances: UInt32? = nil) -> AudioReceiver.Arrival {
        let packet = RTPPacket(payloadType: type, sequenceNumber: sequence, timestamp: timestamp, ssrc: 7, payload: payload)
        sequence &+= 1
        timestamp &+= advances ?? UInt32(payload.count)
        return packet.bytes.withUnsafeBytes {
            let header = RTPHeader($0)!
            let range = header.payloadStart..<header.payloadEnd
            return receiver.insert(header, UnsafeRawBufferPointer(rebasing: $0[range]), at: now)
        }
    }

    /// The next 20 ms.
    mutating func tick() -> [Int16] {
        now += .milliseconds(20)
        receiver.tick(at: now)
        return Array(receiver.frame[..<receiver.count])
    }

    static func sound(_ octets: Int) -> [UInt8] { [UInt8](repeating: 0x2a, count: octets) }
}

@Suite("What comes in, 20 ms at a time") struct AudioReceiverTests {
    @Test("However long its packets are, 20 ms come out a tick", arguments: [10, 20, 30, 60])
    func lengths(milliseconds: Int) {
        var ear = Ear()
        // Twelve tenths of a second, two packet lengths ahead.
        for _ in 0..<(120 / milliseconds) { ear.take(Ear.sound(8 * milliseconds)) }
        var heard = 0
        for _ in 0..<5 {
            let frame = ear.tick()
            #expect(frame.count == 160)
            if frame.allSatisfy({ $0 != 0 }) { heard += 1 }
        }
        #expect(heard >= 4)
    }

    @Test("Before the first packet's turn nothing counts as played")
    func silenceBefore() {
        var ear = Ear()
        #expect(ear.tick().allSatisfy { $0 == 0 } && !ear.receiver.hasPlayed && !ear.receiver.isSpeech)
        ear.take(Ear.sound(160))
        #expect(ear.receiver.hasHeard && !ear.receiver.hasPlayed)
        for _ in 0..<3 { _ = ear.tick() }
        #expect(ear.receiver.hasPlayed && ear.receiver.isSpeech)
    }

    @Test("RFC 3389: a pause is filled with noise of the level that was told, agreed on or not, and is no speech")
    func noise() {
        var ear = Ear()
        #expect(ear.receiver.sort(of: 13) == .noise)
        for _ in 0..<3 { ear.take(Ear.sound(160)) }
        ear.take(type: 13, [40], advances: 160)
        var last: [Int16] = []
        for _ in 0..<12 { last = ear.tick() }
        #expect(!ear.receiver.isSpeech)
        #expect((100...700).contains(ToneMeter.level(last)))
    }

    @Test("RFC 4733: a digit is told by its first packet, and its tone is not heard")
    func digits() {
        var ear = Ear()
        for _ in 0..<3 { ear.take(Ear.sound(160)) }
        for _ in 0..<3 { _ = ear.tick() }
        var told: [Character] = []
        var frames: [[Int16]] = []
        for step in 1...6 as ClosedRange<UInt16> {
            let event = TelephoneEvent(event: 5, isEnd: step > 3, duration: 160 * step)
            if case .digit(let digit) = ear.take(type: 101, event.bytes, advances: 0) { told.append(digit) }
            frames.append(ear.tick())
        }
        #expect(told == ["5"])
        #expect(ear.receiver.sort(of: 101) == .events)
        #expect(frames.suffix(4).allSatisfy { $0.allSatisfy { $0 == 0 } })
    }

    @Test("Held, what waits is forgotten, and with it the digit that was being pressed")
    func held() {
        var ear = Ear()
        let event = TelephoneEvent(event: 1, duration: 160).bytes
        #expect(ear.take(type: 101, event, advances: 0) == .digit("1"))
        #expect(ear.take(type: 101, event, advances: 0) != .digit("1"))
        ear.receiver.drop()
        #expect(ear.tick().allSatisfy { $0 == 0 })
        #expect(ear.take(type: 101, event, advances: 0) == .digit("1"))
    }

    @Test("A codec of another rate is converted to the one that was asked for")
    func rates() {
        var ear = Ear(rate: 16_000)
        for _ in 0..<6 { ear.take(Ear.sound(160)) }
        var last: [Int16] = []
        for _ in 0..<5 { last = ear.tick() }
        #expect(last.count == 320 && last.allSatisfy { $0 != 0 })
    }

    @Test("A packet without a payload is nothing, one of a type that was not agreed on is told, and so is the 41st of a tick")
    func refused() {
        var ear = Ear()
        #expect(ear.take([]) == .nothing && !ear.receiver.hasHeard)
        #expect(ear.take(type: 0, Ear.sound(160)) == .wrongType && ear.receiver.sort(of: 0) == nil)
        for _ in 0..<38 { ear.take(Ear.sound(160)) }
        #expect(ear.take(Ear.sound(160)) == .flood)
        _ = ear.tick()
        #expect(ear.take(Ear.sound(160)) != .flood)
    }
}
