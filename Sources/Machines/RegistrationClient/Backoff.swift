import Base

/// The growing, jittered pauses between failed registrations (RFC 5626 4.5).
struct Backoff: Hashable, Sendable {
    /// Failures in a row.
    private(set) var failures = 0

    mutating func succeed() { failures = 0 }

    /// How long to wait after one more failure: between half and the whole of `base` times two to the number of failures,
    /// at most `cap`; never less than `atLeast` (Retry-After).
    mutating func fail(base: Duration, cap: Duration, atLeast: Duration?, using entropy: inout Entropy) -> Duration {
        failures = min(failures + 1, 1000)
        var upper = base.wholeNanoseconds
        let limit = cap.wholeNanoseconds
        for _ in 0..<failures where upper < limit {
            upper = upper.multipliedReportingOverflow(by: 2).overflow ? limit : upper * 2
        }
        upper = max(min(upper, limit), 0)
        let wait = upper / 2 + (upper > 1 ? Int64(entropy.next() % UInt64(upper / 2 + 1)) : 0)
        return max(.nanoseconds(wait), atLeast ?? .zero)
    }
}
