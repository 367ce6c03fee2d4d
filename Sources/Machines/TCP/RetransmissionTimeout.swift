import Base

/// How long an acknowledgment is waited for (RFC 6298).
struct RetransmissionTimeout: Sendable {
    /// RTO, back-off included.
    private(set) var value: Duration
    private(set) var isBackedOff = false
    private var smoothed: Duration?
    private var variation = Duration.zero
    private let least: Duration
    private let most: Duration

    init(_ settings: TCPSettings) {
        least = settings.shortestTimeout
        most = max(settings.longestTimeout, settings.shortestTimeout)
        value = min(max(settings.firstTimeout, .milliseconds(1)), most)
    }

    /// A round trip of a segment that was sent once only (Karn's algorithm).
    mutating func measured(_ roundTrip: Duration) {
        let roundTrip = max(roundTrip, .zero)
        if let smoothed {
            let error = smoothed > roundTrip ? smoothed - roundTrip : roundTrip - smoothed
            variation = (variation * 3 + error) / 4
            self.smoothed = (smoothed * 7 + roundTrip) / 8
        } else {
            smoothed = roundTrip
            variation = roundTrip / 2
        }
        settle()
    }

    /// It ran out (5.5).
    mutating func backOff() {
        isBackedOff = true
        value = min(value * 2, most)
    }

    /// New data were acknowledged: the back-off is over (5.7 leaves when to us).
    mutating func settle() {
        defer { isBackedOff = false }
        guard let smoothed else {
            // A SYN that was sent again says nothing of the round trip (5.7).
            if isBackedOff { value = min(max(.seconds(3), least), most) }
            return
        }
        value = min(max(smoothed + max(variation * 4, .milliseconds(1)), least), most)
    }
}
