import Base

/// Stands another name, number or address in for each that it sees: always the same one, of the same length and the same kind, so that
/// a redacted capture keeps its lengths and its findings.
///
/// Private addresses stay private, public ones public. Digits stay digits, letters letters. What an attacker who knows a name beforehand
/// could test is not hidden: this protects a case that is shown to others, it is no encryption.
public struct Redactor: Sendable {
    private var entropy: Entropy
    private var addresses: [IPAddress: IPAddress] = [:]
    private var taken: Set<IPAddress> = []
    private var words: [[UInt8]: [UInt8]] = [:]
    private var takenWords: Set<[UInt8]> = []
    /// Names that reports may show outside a URI.
    private(set) var names: Set<[UInt8]> = []
    private(set) var displayed: Set<[UInt8]> = []

    /// Other randomness, other stand-ins.
    public init(entropy: Entropy) { self.entropy = entropy }

    // MARK: Addresses

    /// The stand-in: of the same family, kind and textual length.
    public mutating func redact(_ address: IPAddress) -> IPAddress {
        if let known = addresses[address] { return known }
        let length = "\(address)".utf8.count
        var result = address
        switch address {
        case .v4(let v4):
            if Self.isKept(v4) { break }
            for _ in 0..<200 {
                let candidate = IPAddress.v4(redacted(v4))
                if !taken.contains(candidate), candidate != address { result = candidate; break }
            }
        case .v6(let v6):
            if let mapped = v6.mappedIPv4 {
                if case .v4(let other) = redact(IPAddress.v4(mapped)) { result = .v6(IPv6Address(mapping: other)) }
                break
            }
            if v6.high == 0 || v6.high >> 56 == 0xff { break }
            for _ in 0..<200 {
                let candidate = IPAddress.v6(redacted(v6))
                if !taken.contains(candidate), candidate != address, "\(candidate)".utf8.count == length {
                    result = candidate
                    break
                }
            }
        }
        addresses[address] = result
        taken.insert(result)
        return result
    }

    public mutating func redact(_ endpoint: Endpoint) -> Endpoint { Endpoint(redact(endpoint.address), endpoint.port) }

    /// Loopback, unspecified, link-local, multicast and broadcast say nothing about anybody.
    private static func isKept(_ address: IPv4Address) -> Bool {
        let first = address.octets.0
        return first == 0 || first == 127 || first >= 224 || (first == 169 && address.octets.1 == 254)
    }

    private mutating func redacted(_ address: IPv4Address) -> IPv4Address {
        let (a, b, c, d) = address.octets
        switch (a, b) {
        case (10, _): return IPv4Address(10, other(b), other(c), other(d))
        case (192, 168): return IPv4Address(192, 168, other(c), other(d))
        case (172, 16...31): return IPv4Address(172, 16 + UInt8(entropy.next() % 16), other(c), other(d))
        case (100, 64...127):
            // Shared address space (RFC 6598): two digits or three, as it was.
            return IPv4Address(
                100, b < 100 ? 64 + UInt8(entropy.next() % 36) : 100 + UInt8(entropy.next() % 28), other(c), other(d))
        default:
            var first = other(a)
            while [0, 10, 100, 127, 169, 172, 192].contains(first) || first >= 224 { first = other(a) }
            return IPv4Address(first, other(b), other(c), other(d))
        }
    }

    /// Another octet with as many digits.
    private mutating func other(_ octet: UInt8) -> UInt8 {
        switch octet {
        case 0..<10: UInt8(1 + entropy.next() % 9)
        case 10..<100: UInt8(10 + entropy.next() % 90)
        default: UInt8(100 + entropy.next() % 155)
        }
    }

    /// Groups keep their number of digits, zeros and the first group, which names the kind.
    private mutating func redacted(_ address: IPv6Address) -> IPv6Address {
        var halves: [UInt64] = [0, 0]
        for (index, group) in address.groups.enumerated() {
            var stand = group
            if index > 0, group != 0 {
                let digits = String(group, radix: 16).count
                let low = digits == 1 ? 1 : UInt64(1) << UInt64(4 * (digits - 1))
                let high = UInt64(1) << UInt64(4 * digits)
                stand = UInt16(truncatingIfNeeded: low + entropy.next() % (high - low))
            }
            halves[index / 4] = halves[index / 4] << 16 | UInt64(stand)
        }
        return IPv6Address(high: halves[0], low: halves[1])
    }

    // MARK: Words

    /// The stand-in of a name or number: digits become digits, letters letters of the same case, all else stays.
    public mutating func redact(word: [UInt8]) -> [UInt8] {
        if let known = words[word] { return known }
        guard word.contains(where: Self.isAlphanumeric) else { return word }
        var result = word
        for _ in 0..<50 {
            result = word.map { byte in
                switch byte {
                case 0x30...0x39: 0x30 + UInt8(entropy.next() % 10)
                case 0x41...0x5a: 0x41 + UInt8(entropy.next() % 26)
                case 0x61...0x7a: 0x61 + UInt8(entropy.next() % 26)
                default: byte
                }
            }
            if result != word, !takenWords.contains(result) { break }
        }
        words[word] = result
        takenWords.insert(result)
        return result
    }

    /// A host: an address, or a name whose labels are replaced but for the last.
    public mutating func redact(host: [UInt8]) -> [UInt8] {
        if let address = IPAddress(utf8: host) { return Array("\(redact(address))".utf8) }
        var labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(Array.init)
        guard labels.count > 1 else { return Self.plainHosts.contains(host) ? host : redact(word: host) }
        for index in labels.indices.dropLast() { labels[index] = redact(word: labels[index]) }
        return Array(labels.joined(separator: [UInt8(ascii: ".")]))
    }

    private static let plainHosts: Set<[UInt8]> = [Array("localhost".utf8), Array("anonymous".utf8)]

    /// Remembers a name that may stand by itself in a report.
    mutating func learn(_ name: [UInt8]) { if name.count > 2 { names.insert(name) } }

    /// Remembers a word of a display name or a title: common words stand there, so it is only looked for in quotes.
    mutating func learn(displayed word: [UInt8]) { displayed.insert(word) }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
