import Base

/// A SIP message as flat text, read the way a helper in a packet filter reads it: by looking for the beginnings of lines, never
/// by parsing the whole, so that a malformed message costs at most the value that is malformed.
///
/// Where the Linux helper's reading departs from RFC 3261 this one departs with it, each time with a comment: what such a
/// helper fails to see is part of what it does.
struct SIPText: Sendable {
    /// A header field whose value is looked for.
    struct Name: Sendable {
        enum Value: Sendable { case digits, address, userAddress, word }

        var full: [UInt8]
        var compact: UInt8?
        /// The value is looked for after this text; empty: at once.
        var lead: [UInt8]
        var value: Value

        init(_ full: StaticString, compact: UInt8? = nil, lead: StaticString = "", _ value: Value) {
            self.full = full.bytes
            self.compact = compact
            self.lead = lead.bytes
            self.value = value
        }

        static let cseq = Name("cseq", .digits)
        static let expires = Name("expires", .digits)
        static let contentLength = Name("content-length", compact: 0x6c, .digits)
        static let callID = Name("call-id", compact: 0x69, .word)
        static let from = Name("from", compact: 0x66, lead: "sip:", .userAddress)
        static let to = Name("to", compact: 0x74, lead: "sip:", .userAddress)
        static let contact = Name("contact", compact: 0x6d, lead: "sip:", .userAddress)
        static let viaUDP = Name("via", compact: 0x76, lead: "udp ", .address)
        static let viaTCP = Name("via", compact: 0x76, lead: "tcp ", .address)
    }

    enum Lookup: Hashable, Sendable {
        case found(Range<Int>)
        /// The field is there, its value is not what was looked for. Where the value begins.
        case malformed(Int)
        case absent
    }

    var bytes: [UInt8]
    /// Which family's literals count as addresses: that of the packet.
    var isIPv6: Bool

    init(_ bytes: [UInt8], isIPv6: Bool) {
        self.bytes = bytes
        self.isIPv6 = isIPv6
    }

    var end: Int { bytes.count }

    /// Whether `text` (lower case) stands at `at`, compared without case.
    func has(_ text: [UInt8], at: Int) -> Bool {
        guard at >= 0, end - at >= text.count else { return false }
        for (offset, byte) in text.enumerated() where lowerASCII(bytes[at + offset]) != byte { return false }
        return true
    }

    func isLineEnd(_ at: Int) -> Bool { bytes[at] == 0x0d || bytes[at] == 0x0a }

    /// The next beginning of a line, looking for a line end from `at` on; nil at the end of the bytes.
    func nextLine(from at: Int) -> Int? {
        var at = max(at, 0)
        while at < end, !isLineEnd(at) { at += 1 }
        at += 1
        guard at < end else { return nil }
        if bytes[at - 1] == 0x0d, bytes[at] == 0x0a { at += 1 }
        return at < end ? at : nil
    }

    /// The first field `name` on a line that begins after `offset`. The first line is never one.
    ///
    /// A longer field name that begins alike ends the search, as does a compact name without a colon: the helper then finds nothing,
    /// and so it does not look past the `m=` of a session description either.
    func header(_ name: Name, from offset: Int) -> Lookup {
        var line = nextLine(from: offset)
        while let at = line {
            var value = at
            if bytes[at] == 0x20 || bytes[at] == 0x09 {
                line = nextLine(from: at + 1)
                continue
            } else if has(name.full, at: at) {
                value += name.full.count
            } else if let compact = name.compact, lowerASCII(bytes[at]) == compact, at + 1 < end, !isLetter(bytes[at + 1]) {
                value += 1
            } else {
                line = nextLine(from: at + 1)
                continue
            }
            guard let colon = skipSpace(value), bytes[colon] == 0x3a, colon + 1 < end, let start = skipSpace(colon + 1) else {
                return .absent
            }
            return self.value(of: name, at: start)
        }
        return .absent
    }

    /// The next value of a list in the same field, after a comma.
    func nextValue(_ name: Name, from offset: Int) -> Lookup {
        guard let comma = search([0x2c], from: offset, to: end), let lead = search(name.lead, from: comma, to: end) else {
            return .absent
        }
        let start = lead + name.lead.count
        let range = match(name.value, at: start)
        return range.isEmpty ? .malformed(start) : .found(range)
    }

    private func value(of name: Name, at start: Int) -> Lookup {
        var from = start
        if !name.lead.isEmpty {
            guard let lead = search(name.lead, from: start, to: end) else { return .malformed(start) }
            from = lead + name.lead.count
        }
        let range = match(name.value, at: from)
        return range.isEmpty ? .malformed(start) : .found(range)
    }

    private func match(_ value: Name.Value, at: Int) -> Range<Int> {
        switch value {
        case .digits: return at..<digitsEnd(at)
        case .address: return addressAndPort(at: at)
        case .userAddress:
            // Up to an @ anywhere on the line, even one of a later value in the list.
            var sign = at
            while sign < end, bytes[sign] != 0x40, !isLineEnd(sign) { sign += 1 }
            return addressAndPort(at: sign < end && bytes[sign] == 0x40 ? sign + 1 : at)
        case .word:
            var stop = at
            while stop < end, bytes[stop] > 0x20 { stop += 1 }
            return at..<stop
        }
    }

    /// Past spaces and folded line ends; nil where the field ends first.
    func skipSpace(_ start: Int) -> Int? {
        var at = start
        while at < end {
            if bytes[at] == 0x20 {
                at += 1
            } else if isLineEnd(at) {
                guard let next = continuation(at) else { return nil }
                at = next
            } else {
                return at
            }
        }
        return nil
    }

    /// From a line end to the first text of the line after it, if that one continues the field.
    private func continuation(_ lineEnd: Int) -> Int? {
        var at = lineEnd + 1
        guard at < end else { return nil }
        if bytes[lineEnd] == 0x0d, bytes[at] == 0x0a { at += 1 }
        guard at < end, bytes[at] == 0x20 || bytes[at] == 0x09 else { return nil }
        while at < end, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
        return at < end ? at : nil
    }

    /// Where `text` (lower case) stands in the rest of a field, folded lines included, before `limit`.
    func search(_ text: [UInt8], from start: Int, to limit: Int) -> Int? {
        var at = max(start, 0)
        while at < limit - text.count {
            if isLineEnd(at) {
                guard let next = continuation(at) else { return nil }
                at = next + 1
                continue
            }
            if has(text, at: at) { return at }
            at += 1
        }
        return nil
    }

    func digitsEnd(_ start: Int) -> Int {
        var at = start
        while at < end, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
        return max(at, start)
    }

    /// The decimal number at `at`, saturated; 0 without digits.
    func number(at: Int) -> UInt64 {
        var value: UInt64 = 0
        for byte in bytes[min(at, end)..<min(digitsEnd(at), end)] {
            value = value > 1 << 40 ? value : value &* 10 &+ UInt64(byte &- 0x30)
        }
        return value
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}

func lowerASCII(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }

func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(lowerASCII(byte)) }

extension StaticString {
    /// The text's UTF-8.
    var bytes: [UInt8] { withUTF8Buffer { Array($0) } }
}
