import Base
import RTP

/// Digits as RFC 4733 events in the place of audio packets.
public struct DTMFSender: Sendable {
    /// One packet to be sent with telephone-event's payload type.
    public struct Packet: Hashable, Sendable {
        public var payload: [UInt8]
        /// Of the event's start: the same in all its packets.
        public var timestamp: UInt32
        /// On the first of an event.
        public var marker: Bool
    }

    private enum State: Sendable {
        case idle
        /// `sent`: timestamp units so far.
        case sounding(event: UInt8, start: UInt32, sent: Int)
        /// The end is said three times (RFC 4733 2.5.1.4).
        case ending(event: UInt8, start: UInt32, duration: Int, left: Int)
        /// Packets' worth of pause between digits.
        case pausing(left: Int)
    }

    /// Timestamp units a packet interval.
    private let step: Int
    private let length: Int
    private let pause: Int
    private var digits: [UInt8] = []
    private var state: State = .idle

    /// `clockRate`: of the telephone-event format. `packetTime`: how often `next` is asked. `length`: of a digit; `pause`: after it.
    public init(
        clockRate: Int, packetTime: Duration = .milliseconds(20), length: Duration = .milliseconds(100),
        pause: Duration = .milliseconds(60)
    ) {
        let interval = max(1, Int(packetTime.wholeMilliseconds))
        step = max(1, clockRate * interval / 1_000)
        self.length = max(step, min(0xffff, clockRate * Int(length.wholeMilliseconds) / 1_000))
        self.pause = max(1, Int(pause.wholeMilliseconds) / interval)
    }

    /// Queues 0-9, *, #, A-D; others are passed over. At most 128 wait.
    public mutating func dial(_ text: String) {
        for character in text {
            guard let event = TelephoneEvent.event(for: character), digits.count < 128 else { continue }
            digits.append(event)
        }
    }

    public var isIdle: Bool {
        guard digits.isEmpty else { return false }
        return if case .idle = state { true } else { false }
    }

    /// What to send in the place of the audio packet whose timestamp is `timestamp`; nil: the audio.
    public mutating func next(timestamp: UInt32) -> Packet? {
        switch state {
        case .idle:
            guard !digits.isEmpty else { return nil }
            return begin(at: timestamp)
        case .pausing(let left):
            if left > 1 {
                state = .pausing(left: left - 1)
                return nil
            }
            state = .idle
            return digits.isEmpty ? nil : begin(at: timestamp)
        case .sounding(let event, let start, let sent):
            let duration = sent + step
            if duration >= length {
                state = .ending(event: event, start: start, duration: length, left: 2)
                return packet(event, start, length, isEnd: true, marker: false)
            }
            state = .sounding(event: event, start: start, sent: duration)
            return packet(event, start, duration, isEnd: false, marker: false)
        case .ending(let event, let start, let duration, let left):
            state = left > 1 ? .ending(event: event, start: start, duration: duration, left: left - 1) : .pausing(left: pause)
            return packet(event, start, duration, isEnd: true, marker: false)
        }
    }

    private mutating func begin(at timestamp: UInt32) -> Packet {
        let event = digits.removeFirst()
        state = .sounding(event: event, start: timestamp, sent: step)
        return packet(event, timestamp, step, isEnd: false, marker: true)
    }

    private func packet(_ event: UInt8, _ start: UInt32, _ duration: Int, isEnd: Bool, marker: Bool) -> Packet {
        let event = TelephoneEvent(event: event, isEnd: isEnd, duration: UInt16(clamping: duration))
        return Packet(payload: event.bytes, timestamp: start, marker: marker)
    }
}
