import Base

/// Addresses: of the same class, as long as text, the same first octets where the originals share them.
extension Redactor {
    public mutating func redact(_ address: IPAddress) -> IPAddress {
        if let known = addresses[address] { return known }
        let result: IPAddress =
            switch address {
            case .v4(let v4): .v4(standIn(v4))
            case .v6(let v6): .v6(standIn(v6))
            }
        if addresses.count >= Self.mostRemembered { addresses.removeAll(keepingCapacity: true) }
        addresses[address] = result
        return result
    }

    public mutating func redact(_ endpoint: Endpoint) -> Endpoint { Endpoint(redact(endpoint.address), endpoint.port) }

    // MARK: IPv4

    private mutating func standIn(_ address: IPv4Address) -> IPv4Address {
        let (a, b, c, d) = address.octets
        func prefix(_ octets: UInt8...) -> UInt64 { octets.reduce(1) { $0 << 8 | UInt64($1) } }
        var (first, second, third) = (a, b, c)
        switch (a, b, c) {
        // Unspecified, loopback, broadcast and the groups of protocols say nothing about anybody.
        case (0, _, _), (127, _, _), (255, _, _), (224, 0, 0), (224, 0, 1), (239, 255, 255): return address
        case (169, 254, _), (192, 168, _): break
        case (172, 16...31, _): second = 16 + turned(b - 16, 16, prefix(a))
        case (100, 64...127, _): second = b < 100 ? 64 + turned(b - 64, 36, prefix(a)) : 100 + turned(b - 100, 28, prefix(a))
        case (10, _, _), (224..., _, _): second = other(b, prefix(a))
        default:
            first = firstOctet(a)
            second = other(b, prefix(a))
        }
        third = other(c, prefix(a, b))
        // Network and broadcast addresses stay what they are.
        let last =
            d == 0 || d == 255
            ? d
            : d < 10
                ? 1 + turned(d - 1, 9, prefix(a, b, c))
                : d < 100 ? other(d, prefix(a, b, c)) : 100 + turned(d - 100, 155, prefix(a, b, c))
        return IPv4Address(first, second, third, last)
    }

    /// Another octet with as many digits.
    private mutating func other(_ octet: UInt8, _ tweak: UInt64) -> UInt8 {
        switch octet {
        case ..<10: turned(octet, 10, tweak)
        case ..<100: 10 + turned(octet - 10, 90, tweak)
        default: 100 + turned(octet - 100, 156, tweak)
        }
    }

    /// Public first octets; those below which private blocks lie are not given.
    private static let publicOctets: [[UInt8]] = [
        Array(1...9), Array(11...99), (101...223).filter { ![127, 169, 172, 192].contains($0) },
    ]

    private mutating func firstOctet(_ octet: UInt8) -> UInt8 {
        let choices = Self.publicOctets[octet < 10 ? 0 : octet < 100 ? 1 : 2]
        guard let place = choices.firstIndex(of: octet) else {
            return choices[Int(disguise.hash([octet], 3) % UInt64(choices.count))]
        }
        return choices[Int(turned(UInt8(place), choices.count, 2))]
    }

    private mutating func turned(_ value: UInt8, _ count: Int, _ tweak: UInt64) -> UInt8 {
        let name = tweak << 8 | UInt64(count)
        if let known = cycles[name] { return known[Int(value)] }
        let cycle = disguise.cycle(count, tweak: name)
        if cycles.count >= Self.mostRemembered { cycles.removeAll(keepingCapacity: true) }
        cycles[name] = cycle
        return cycle[Int(value)]
    }

    // MARK: IPv6

    /// Groups keep their number of digits, and zeros; the first keeps what names the kind.
    private mutating func standIn(_ address: IPv6Address) -> IPv6Address {
        if let mapped = address.mappedIPv4 { return IPv6Address(mapping: standIn(mapped)) }
        guard address.high != 0 || address.low > 1 else { return address }
        let groups = address.groups
        // Of groups only those that are for one host (RFC 4291 2.7.1) or beyond a site tell of anybody.
        let isGroup = groups[0] >> 8 == 0xff
        if isGroup, groups[1...6].allSatisfy({ $0 == 0 }) { return address }
        var prefix: UInt64 = 6
        var halves: [UInt64] = [0, 0]
        for (index, group) in groups.enumerated() {
            let keepsNibbles: Int =
                switch (index, group >> 8) {
                case (0, 0xfe), (0, 0xff): 4
                case (0, 0xfc...0xfd): 2
                case (0, 0x20...0x3f): 1
                default: 0
                }
            let stand =
                keepsNibbles == 4 || group == 0 || (isGroup && group == 1) ? group : nibbles(group, keeping: keepsNibbles, prefix)
            halves[index / 4] = halves[index / 4] << 16 | UInt64(stand)
            prefix = disguise.hash([UInt8(group >> 8), UInt8(group & 255)], prefix)
        }
        return IPv6Address(high: halves[0], low: halves[1])
    }

    private func nibbles(_ group: UInt16, keeping kept: Int, _ tweak: UInt64) -> UInt16 {
        let digits = group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1
        let all = (0..<digits).map { UInt8(group >> UInt16(4 * (digits - 1 - $0)) & 15) }
        var values = Array(all[kept...])
        // The first digit must not become zero: on along the cycle.
        for _ in 0..<64 {
            values = disguise.permuted(values, radices: [UInt8](repeating: 16, count: values.count), tweak: tweak)
            if kept > 0 || values.first != 0 { break }
        }
        return (all[..<kept] + values).reduce(0) { $0 << 4 | UInt16($1) }
    }

    // MARK: As text

    /// An IPv4 or IPv6 address that begins at a place.
    mutating func address(in bytes: [UInt8], at start: Int, isAfterEscape: Bool = false) -> (length: Int, stand: [UInt8])? {
        let first = bytes[start]
        guard hexDigit(first) != nil || first == UInt8(ascii: ":") else { return nil }
        // In the middle of a word or a number nothing begins; `received=::1` and `UDP:192.0.2.1` differ.
        if start > 0, !isAfterEscape, Self.isAlphanumeric(bytes[start - 1]) || bytes[start - 1] == 0x2e { return nil }
        var end = start
        var (dots, colons) = (0, 0)
        while end < bytes.count, end - start < 46, hexDigit(bytes[end]) != nil || bytes[end] == 0x2e || bytes[end] == 0x3a {
            if bytes[end] == 0x2e { dots += 1 }
            if bytes[end] == 0x3a { colons += 1 }
            end += 1
        }
        if colons >= 2, start == 0 || bytes[start - 1] != 0x3a, let found = token(bytes, start, end) { return found }
        guard dots >= 3, Self.isDigit(first) else { return nil }
        end = start
        while end < bytes.count, end - start < 16, Self.isDigit(bytes[end]) || bytes[end] == 0x2e { end += 1 }
        return token(bytes, start, end)
    }

    private mutating func token(_ bytes: [UInt8], _ start: Int, _ last: Int) -> (length: Int, stand: [UInt8])? {
        var end = last
        // A full stop ends a sentence, a colon leads a port or a text.
        while end > start, bytes[end - 1] == 0x2e || (bytes[end - 1] == 0x3a && !(end - 2 >= start && bytes[end - 2] == 0x3a)) {
            end -= 1
        }
        guard end > start, end == bytes.count || !Self.isAlphanumeric(bytes[end]) else { return nil }
        let text = Array(bytes[start..<end])
        guard let address = IPAddress(utf8: text) else { return nil }
        let stand = redact(address)
        switch stand {
        case .v4(let v4): return (text.count, Array("\(v4)".utf8))
        case .v6(let v6): return (text.count, spelled(v6, as: text))
        }
    }

    /// In the spelling of `text`: its gap, its leading zeros, its case.
    private mutating func spelled(_ address: IPv6Address, as text: [UInt8]) -> [UInt8] {
        let groups = address.groups
        let dotted = text.firstIndex(of: 0x2e).map { dot in (text[..<dot].lastIndex(of: 0x3a) ?? -1) + 1 }
        var runs: [Range<Int>] = []
        var gap: Int?
        var at = 0
        while at < (dotted ?? text.count) {
            if text[at] == 0x3a {
                if at + 1 < text.count, text[at + 1] == 0x3a { gap = runs.count }
                at += 1
                continue
            }
            var end = at
            while end < text.count, text[end] != 0x3a { end += 1 }
            runs.append(at..<end)
            at = end
        }
        let missing = 8 - runs.count - (dotted == nil ? 0 : 2)
        var out = text
        for (number, run) in runs.enumerated() {
            let index = number + (gap.map { number >= $0 } ?? false ? missing : 0)
            guard groups.indices.contains(index) else { return standIns(text) }
            let isUpper = text[run].contains { (0x41...0x46).contains($0) }
            let digits = Array(String(groups[index], radix: 16, uppercase: isUpper).utf8)
            guard digits.count <= run.count else { return standIns(text) }
            out.replaceSubrange(run, with: [UInt8](repeating: 0x30, count: run.count - digits.count) + digits)
        }
        guard let dotted else { return out }
        let tail = Array("\(IPv4Address(bits: UInt32(groups[6]) << 16 | UInt32(groups[7])))".utf8)
        guard tail.count == text.count - dotted else { return standIns(text) }
        return out[..<dotted] + tail
    }

    /// An unusual spelling: hidden, though no longer the same as elsewhere.
    private func standIns(_ text: [UInt8]) -> [UInt8] { text.map { Self.isAlphanumeric($0) ? 0x30 : $0 } }
}
