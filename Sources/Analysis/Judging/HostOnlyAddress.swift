import Base
import Capture

/// An address that leads nowhere from any other host: no NAT explains it, its host names itself wrongly.
struct HostOnlyAddress {
    /// `the loopback address 127.0.1.1:4000`.
    let name: String
    let why: String
    let remedy: Remedy

    /// IPv4 loopback and link-local, and IPv6 loopback: IPv6's link-local addresses are good between neighbours.
    static func holds(_ address: PackedAddress) -> Bool {
        let bits = UInt32(truncatingIfNeeded: address.low)
        return address.isIPv4 ? bits >> 24 == 127 || bits >> 16 == 0xa9fe : address.high == 0 && address.low == 1
    }

    /// Nil for an address that some network may hold.
    init?(_ address: PackedAddress, said: String) {
        let bits = UInt32(truncatingIfNeeded: address.low)
        if address.isIPv4 ? bits >> 24 == 127 : address.high == 0 && address.low == 1 {
            name = "the loopback address \(said)"
            why =
                "It is the sender's name for itself, as a hosts file that gives the host's own name 127.0.1.1 brings about; no NAT writes it."
            remedy = Remedy(
                .server, "Give the host's own name its real address in the hosts file, or bind SIP and audio to that address.",
                commands: ["getent hosts $(hostname)", "Asterisk pjsip: bind= in the transport, media_address= in the endpoint"])
        } else if address.isIPv4 ? bits >> 16 == 0xa9fe : address.high >> 54 == 0x3fa {
            name = "the link-local address \(said)"
            why =
                "A host gives itself such an address on an interface without one: DHCP failed there, or that interface leads nowhere."
            remedy = Remedy(.server, "Mend DHCP on that interface, or bind SIP and audio to the interface that has an address.")
        } else {
            return nil
        }
    }
}
