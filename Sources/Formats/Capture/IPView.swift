import Base

/// An IP header of either family where it lies, up to what it carries (RFC 791 3.1, RFC 8200 3, 4): for packets that were captured, quoted or
/// printed, which may be cut short, padded or contradict themselves. What is to be passed on is read by `IPPacket`, which refuses that.
package struct IPView {
    /// Where the header begins.
    package let start: Int
    package let isIPv6: Bool
    package let source: PackedAddress
    package let destination: PackedAddress
    package let timeToLive: UInt8
    /// Of IPv4; 0 otherwise.
    package let identification: UInt16
    /// Octets from `start`, as the header says; all that are there where it says 0, as segmentation offload leaves the length to the network card.
    package let total: Int
    package let saysLength: Bool
    /// Protocol number of what it carries, behind any extension headers.
    package private(set) var number: UInt8
    /// Where that begins; it may pass the end.
    package private(set) var payload: Int
    package private(set) var isFragment: Bool
    /// Of a fragment, in octets.
    package private(set) var offset: Int
    /// The header, up to that of a fragment, lies within what is there and within its own length.
    package private(set) var isSound: Bool

    /// The addresses as the header's family has them, whatever they hold.
    package var sourceAddress: IPAddress { address(source) }
    package var destinationAddress: IPAddress { address(destination) }
    private func address(_ packed: PackedAddress) -> IPAddress {
        isIPv6 ? .v6(IPv6Address(high: packed.high, low: packed.low)) : packed.address
    }

    package var isFirst: Bool { offset == 0 }
    /// Where the packet ends, by its own length.
    package var end: Int { start + total }

    /// `end` bounds what is there. nil: no IP, or not the whole of a header without options.
    @inline(__always)
    init?(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) {
        guard at + 20 <= end else { return nil }
        start = at
        let first = base.load(fromByteOffset: at, as: UInt8.self)
        if first >> 4 == 4 {
            let header = Int(first & 15) * 4
            guard header >= 20 else { return nil }
            let said = Int(base.half(at + 2))
            saysLength = said > 0
            total = said > 0 ? said : end - at
            isIPv6 = false
            source = PackedAddress(v4: base.word(at + 12))
            destination = PackedAddress(v4: base.word(at + 16))
            timeToLive = base.load(fromByteOffset: at + 8, as: UInt8.self)
            identification = base.half(at + 4)
            number = base.load(fromByteOffset: at + 9, as: UInt8.self)
            payload = at + header
            let fragment = base.half(at + 6)
            isFragment = fragment & 0x3fff != 0
            offset = Int(fragment & 0x1fff) * 8
            isSound = total >= header && payload <= end
        } else {
            guard first >> 4 == 6, at + 40 <= end else { return nil }
            let said = Int(base.half(at + 4))
            saysLength = said > 0
            total = said > 0 ? 40 + said : end - at
            isIPv6 = true
            source = PackedAddress(high: base.long(at + 8), low: base.long(at + 16))
            destination = PackedAddress(high: base.long(at + 24), low: base.long(at + 32))
            timeToLive = base.load(fromByteOffset: at + 7, as: UInt8.self)
            identification = 0
            number = base.load(fromByteOffset: at + 6, as: UInt8.self)
            payload = at + 40
            isFragment = false
            offset = 0
            isSound = true
            passExtensions(base, min(end, at + total))
        }
    }

    package init?(_ bytes: [UInt8], _ at: Int, _ end: Int) {
        precondition(at >= 0 && end <= bytes.count, "a range outside the bytes")
        guard let view = bytes.withUnsafeBytes({ $0.baseAddress.flatMap { IPView($0, at, end) } }) else { return nil }
        self = view
    }

    /// Each extension header names the next; more than a few are no honest packet.
    private mutating func passExtensions(_ base: UnsafeRawPointer, _ stop: Int) {
        for _ in 0..<8 {
            let isHeld = payload + 8 <= stop
            switch number {
            case 0, 43, 51, 60, 135:
                guard isHeld else { return isSound = isFragment }
                let units = Int(base.load(fromByteOffset: payload + 1, as: UInt8.self))
                let size = number == 51 ? (units + 2) * 4 : (units + 1) * 8
                number = base.load(fromByteOffset: payload, as: UInt8.self)
                payload += size
                guard payload <= stop else { return isSound = isFragment }
            case 44:
                isFragment = true
                guard isHeld else { return }
                offset = Int(base.half(payload + 2) & 0xfff8)
                number = base.load(fromByteOffset: payload, as: UInt8.self)
                payload += 8
                // Of a later fragment the rest of the chain is not there.
                if offset > 0 { return }
            default: return
            }
        }
        isSound = isFragment
    }
}
