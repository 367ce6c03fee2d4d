import Base

/// When a request over UDP is sent again, and when it is given up (RFC 8489 6.2.1, RFC 3489 9.3).
public struct STUNSchedule: Hashable, Sendable {
    /// How long after the first sending the second follows; each next pause is twice as long.
    public var initialPause: Duration
    /// No pause grows beyond this; nil lets them double on.
    public var longestPause: Duration?
    /// How often the request is sent in all; at least 1.
    public var sends: Int
    /// How long after the last sending an answer is still awaited.
    public var finalPause: Duration

    public init(initialPause: Duration, longestPause: Duration? = nil, sends: Int, finalPause: Duration) {
        self.initialPause = initialPause
        self.longestPause = longestPause
        self.sends = max(1, sends)
        self.finalPause = finalPause
    }

    /// Rc 7, Rm 16 and a given RTO: 500 ms means sends at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s and the end at 39.5 s.
    public static func rfc8489(rto: Duration = .milliseconds(500)) -> STUNSchedule {
        STUNSchedule(initialPause: rto, sends: 7, finalPause: rto * 16)
    }

    /// Nine sends, 100 ms doubling up to 1.6 s, the end at 9.5 s: the phones of RFC 3489.
    public static let rfc3489 = STUNSchedule(
        initialPause: .milliseconds(100), longestPause: .milliseconds(1600), sends: 9, finalPause: .milliseconds(1600))

    /// The pause after the `sent`-th sending, counted from 1.
    public func pause(after sent: Int) -> Duration {
        guard sent < sends else { return finalPause }
        var pause = initialPause
        for _ in 1..<max(1, sent) {
            pause *= 2
            if let longestPause, pause >= longestPause { return longestPause }
        }
        return pause
    }
}
