import Base

/// The payload of a telephone-event packet: one named event (RFC 4733 2.3).
public struct TelephoneEvent: Hashable, Sendable {
    /// 0 to 15 are the DTMF digits, 16 is flash.
    public var event: UInt8
    /// The event is over; sent three times.
    public var isEnd: Bool
    /// Power below 0 dBm0, 0...63 dB.
    public var volume: UInt8
    /// Since the event began, in clock units of the RTP timestamp.
    public var duration: UInt16

    public init(event: UInt8, isEnd: Bool = false, volume: UInt8 = 10, duration: UInt16) {
        self.event = event
        self.isEnd = isEnd
        self.volume = volume & 0x3f
        self.duration = duration
    }

    /// nil: shorter than four bytes. Further events in the same payload (RFC 4733 2.5.1.5) follow at the next four bytes.
    public init?(_ payload: ArraySlice<UInt8>) {
        guard payload.count >= 4 else { return nil }
        let at = payload.startIndex
        event = payload[at]
        isEnd = payload[at + 1] & 0x80 != 0
        volume = payload[at + 1] & 0x3f
        duration = UInt16(payload[at + 2]) << 8 | UInt16(payload[at + 3])
    }

    public var bytes: [UInt8] {
        [event, (isEnd ? 0x80 : 0) | volume & 0x3f, UInt8(duration >> 8), UInt8(truncatingIfNeeded: duration)]
    }

    /// 0-9, *, #, A-D; nil for other events.
    public var digit: Character? { event < 16 ? Self.digits[Int(event)] : nil }

    /// The event of a digit; letters in either case. nil for anything else.
    public static func event(for digit: Character) -> UInt8? {
        digits.firstIndex(of: Character(digit.uppercased())).map(UInt8.init)
    }

    private static let digits: [Character] = Array("0123456789*#ABCD")
}
