import Base
import Capture

/// An IP header where it lies, of either family, up to what it carries.
struct IPHead {
    let start: Int
    let isIPv6: Bool
    let source: IPAddress
    let destination: IPAddress
    /// Protocol number of what it carries, behind any extension headers.
    var number: UInt8
    var payload: Int
    /// Where the packet ends, by its own length.
    let end: Int
    /// Of a fragment, in octets.
    var offset = 0
    var isFragment = false

    var isFirst: Bool { offset == 0 }

    /// nil when it is cut short.
    init?(_ b: [UInt8], _ start: Int) {
        self.start = start
        guard start < b.count else { return nil }
        if b[start] >> 4 == 4 {
            guard start + 20 <= b.count else { return nil }
            isIPv6 = false
            source = .v4(IPv4Address(bits: b.uint32(at: start + 12)))
            destination = .v4(IPv4Address(bits: b.uint32(at: start + 16)))
            number = b[start + 9]
            payload = start + Int(b[start] & 15) * 4
            guard payload >= start + 20 else { return nil }
            let total = Int(b.uint16(at: start + 2))
            end = total == 0 ? b.count : start + total
            let fragment = b.uint16(at: start + 6)
            offset = Int(fragment & 0x1fff) * 8
            isFragment = fragment & 0x3fff != 0
            return
        }
        guard b[start] >> 4 == 6, start + 40 <= b.count else { return nil }
        isIPv6 = true
        func address(_ at: Int) -> IPAddress {
            let words = [at, at + 4, at + 8, at + 12].map { UInt64(b.uint32(at: $0)) }
            return .v6(IPv6Address(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3]))
        }
        source = address(start + 8)
        destination = address(start + 24)
        number = b[start + 6]
        payload = start + 40
        let length = Int(b.uint16(at: start + 4))
        end = length == 0 ? b.count : start + 40 + length
        for _ in 0..<8 {
            guard payload + 8 <= b.count else { return }
            switch number {
            case 0, 43, 60, 135: (number, payload) = (b[payload], payload + (Int(b[payload + 1]) + 1) * 8)
            case 51: (number, payload) = (b[payload], payload + (Int(b[payload + 1]) + 2) * 4)
            case 44:
                isFragment = true
                offset = Int(b.uint16(at: payload + 2) & 0xfff8)
                (number, payload) = (b[payload], payload + 8)
                if offset > 0 { return }
            default: return
            }
        }
    }

    /// Puts other addresses of the same family in place, and hides what options and extension headers tell.
    func replace(_ b: inout [UInt8], _ source: IPAddress, _ destination: IPAddress) {
        func put(_ address: IPAddress, _ at: Int) {
            switch address {
            case .v4(let v4): b.put(v4.bits, at: at)
            case .v6(let v6): b.replaceSubrange(at..<(at + 16), with: v6.octets)
            }
        }
        put(source, start + (isIPv6 ? 8 : 12))
        put(destination, start + (isIPv6 ? 24 : 16))
        guard !isIPv6 else {
            hideExtensions(&b)
            return
        }
        var shift = ChecksumShift()
        let options = (start + 20)..<min(payload, b.count)
        let old = Array(b[options])
        for index in options where b[index] > 1 { b[index] = 1 }
        shift.add(from: old[...], to: b[options])
        shift.add(from: self.source, to: source)
        shift.add(from: self.destination, to: destination)
        b.replace(at: start + 10, bigEndian: shift.applied(to: b.uint16(at: start + 10)))
    }

    /// Which header comes next and how long each is stays; routes, options and keys become padding.
    private func hideExtensions(_ b: inout [UInt8]) {
        var at = start + 40
        var number = b[start + 6]
        while at + 8 <= min(payload, b.count) {
            let size = number == 44 ? 8 : number == 51 ? (Int(b[at + 1]) + 2) * 4 : (Int(b[at + 1]) + 1) * 8
            if number != 44 { for index in (at + 2)..<min(at + size, b.count) { b[index] = 0 } }
            number = b[at]
            at += size
        }
    }
}

extension [UInt8] {
    /// Big-endian; the octets must be there.
    mutating func put(_ value: UInt32, at place: Int) {
        replace(at: place, bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        replace(at: place + 2, bigEndian: UInt16(truncatingIfNeeded: value))
    }
}
