import Base

/// How many ICMP errors may leave: a token bucket for each side (RFC 1812 4.3.2.8, RFC 4443 2.4), so that whoever sends what must be refused
/// neither draws a flood on the address he forged nor takes the errors from the other side.
struct ICMPErrorBudget: Sendable {
    private let perSecond: Int64
    private let burst: Int64
    /// In thousand millionths of an error.
    private var lan: Int64
    private var wan: Int64
    private var last: Instant?
    private(set) var withheld: UInt64 = 0

    private static let one: Int64 = 1_000_000_000

    init(_ limits: RouterLimits) {
        perSecond = Int64(max(1, limits.icmpErrorsPerSecond))
        burst = Int64(max(1, limits.icmpErrorBurst)) * Self.one
        (lan, wan) = (burst, burst)
    }

    mutating func advance(to now: Instant) {
        defer { last = max(last ?? now, now) }
        guard let last, now > last else { return }
        let (gain, isMuch) = (now.nanoseconds - last.nanoseconds).multipliedReportingOverflow(by: perSecond)
        lan = isMuch ? burst : min(burst, lan + min(gain, burst))
        wan = isMuch ? burst : min(burst, wan + min(gain, burst))
    }

    /// Takes one for an error towards that side; false: there is none left.
    mutating func take(_ interface: RouterInterface) -> Bool {
        let isLeft = interface == .lan ? lan >= Self.one : wan >= Self.one
        guard isLeft else {
            withheld &+= 1
            return false
        }
        if interface == .lan { lan -= Self.one } else { wan -= Self.one }
        return true
    }
}
