import Base

/// The 14 octets before what a frame carries (RFC 894, RFC 2464 2): destination, source, kind.
enum EthernetFrame {
    static let headerLength = 14
    static let ipv4: UInt16 = 0x0800
    static let arp: UInt16 = 0x0806
    static let ipv6: UInt16 = 0x86dd
    /// IEEE 802.1Q, 802.1ad and what came before it.
    static let tags: [UInt16] = [0x8100, 0x88a8, 0x9100]

    /// One allocation; the payload is copied once.
    static func bytes(to destination: MACAddress, from source: MACAddress, _ kind: UInt16, _ payload: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: headerLength + payload.count) { buffer, count in
            let addresses = (destination.bits << 16 | source.bits >> 32).bigEndian
            let rest = (UInt64(UInt32(truncatingIfNeeded: source.bits)) << 32 | UInt64(kind) << 16).bigEndian
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: addresses, as: UInt64.self)
            withUnsafeBytes(of: rest) { rest in
                for place in 0..<6 { raw[8 + place] = rest[place] }
            }
            payload.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: raw[headerLength...]).copyMemory(from: bytes)
            }
            count = headerLength + payload.count
        }
    }
}
