/// Where something came from, as limits know it: an IPv4 address, or so many leading bits of an IPv6 one. UDP's sources may be forged, so that what
/// comes by it has nothing in common with what comes over connections.
package struct Source: Hashable, Sendable {
    /// The address, or the upper half of an IPv6 one with what `prefix` leaves out at zero.
    package let bits: UInt64
    /// How many bits of an IPv6 address count; 0: it is an IPv4 address.
    package let prefix: UInt8
    private let isStream: Bool

    /// `prefix`: of an IPv6 address, at most 64 bits.
    package init(_ flow: FlowID, prefix: UInt8 = 64) {
        isStream = flow.transport.isReliable
        switch flow.remote.address {
        case .v4(let v4):
            bits = UInt64(v4.bits)
            self.prefix = 0
        case .v6(let v6):
            if let v4 = v6.mappedIPv4 {
                bits = UInt64(v4.bits)
                self.prefix = 0
            } else {
                bits = v6.high & (UInt64.max << UInt64(64 - prefix))
                self.prefix = prefix
            }
        }
    }

    package var isIPv6: Bool { prefix != 0 }
}
