import Base
import Capture

/// A range within the bytes of one message, in eight octets.
struct Span: Sendable, Hashable {
    var lower: UInt32 = 0
    var upper: UInt32 = 0

    init() {}

    @inline(__always)
    init(_ from: Int, _ to: Int) {
        lower = UInt32(truncatingIfNeeded: from)
        upper = UInt32(truncatingIfNeeded: max(from, to))
    }

    @inline(__always) var isEmpty: Bool { lower >= upper }
    @inline(__always) var start: Int { Int(lower) }
    @inline(__always) var end: Int { Int(upper) }
    @inline(__always) var count: Int { isEmpty ? 0 : Int(upper) - Int(lower) }
}

/// A host with its port as a header wrote it.
struct HostPort: Sendable, Hashable {
    enum Kind: UInt8, Sendable { case none, name, address }

    var kind = Kind.none
    /// 0 where none is written.
    var port: UInt16 = 0
    var address = PackedAddress(high: 0, low: 0)

    var isPrivateAddress: Bool { kind == .address && address.isPrivateNetwork }
    /// With the port that counts where none is written.
    var portOrDefault: UInt16 { port == 0 ? 5060 : port }
}

extension PackedAddress {
    /// As `IPAddress.isPrivate`, without making one.
    @inline(__always)
    var isPrivateNetwork: Bool {
        if isIPv4 {
            let bits = UInt32(truncatingIfNeeded: low)
            let a = bits >> 24
            let top16 = bits >> 16
            return a == 10 || a == 127 || a == 0 || bits >> 20 == 0xac1 || top16 == 0xc0a8 || top16 == 0xa9fe
                || bits >> 22 == 0x191
        }
        return high >> 57 == 0x7e || high >> 54 == 0x3fa || (high == 0 && (low <= 1 || low >> 32 == 1))
    }

    /// Stands for an end of which nothing is told.
    static let unknown = PackedAddress(high: 0, low: 0)
    /// Or nothing but a stand-in for its name.
    var isUnknown: Bool { high == 0 && (low == 0 || low >> 32 == 1) }
}

typealias Bytes = UnsafeRawBufferPointer

extension UnsafeRawBufferPointer {
    /// FNV-like, eight octets a step; unkeyed, so tables that use it hold at most what a capture holds.
    @inline(__always)
    func hash(_ span: Span, seed: UInt64 = 0x9e37_79b9_7f4a_7c15) -> UInt64 {
        guard !span.isEmpty, span.end <= count else { return 0 }
        var value = seed ^ UInt64(span.count) &* 0xff51_afd7_ed55_8ccd
        var at = span.start
        while at &+ 8 <= span.end {
            value = (value ^ loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9fb2_1c65_1e98_df25
            value ^= value >> 35
            at &+= 8
        }
        while at < span.end {
            value = (value ^ UInt64(self[at])) &* 0x9fb2_1c65_1e98_df25
            value ^= value >> 35
            at &+= 1
        }
        return value == 0 ? 1 : value
    }

    func string(_ span: Span) -> String {
        guard !span.isEmpty, span.end <= count else { return "" }
        return String(decoding: UnsafeRawBufferPointer(rebasing: self[span.start..<span.end]), as: UTF8.self)
    }

    func array(_ span: Span) -> [UInt8] {
        guard !span.isEmpty, span.end <= count else { return [] }
        return Array(self[span.start..<span.end])
    }

    /// Compares without case; `text` in lower case.
    @inline(__always)
    func matches(_ from: Int, _ to: Int, _ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard to &- from == length, to <= count else { return false }
        let wanted = text.utf8Start
        for index in 0..<length where lowered(self[from &+ index]) != wanted[index] { return false }
        return true
    }

    @inline(__always)
    func starts(_ from: Int, _ to: Int, with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return to &- from >= length && matches(from, from &+ length, text)
    }

    /// A decimal number at the start of a range, capped; nil where there is no digit.
    @inline(__always)
    func number(_ from: Int, _ to: Int) -> UInt32? {
        var at = from
        var value: UInt64 = 0
        while at < to, self[at] &- 0x30 <= 9, at &- from < 12 {
            value = value &* 10 &+ UInt64(self[at] &- 0x30)
            at &+= 1
        }
        return at == from ? nil : UInt32(clamping: value)
    }
}

@inline(__always)
func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
