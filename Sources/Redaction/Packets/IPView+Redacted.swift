import Base
import Capture

extension IPView {
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
        shift.add(from: sourceAddress, to: source)
        shift.add(from: destinationAddress, to: destination)
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
