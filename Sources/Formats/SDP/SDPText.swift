import Base

/// The words of a value: runs of spaces count as one, as peers are careless.
func words(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] { bytes.split(separator: UInt8(ascii: " ")) }

func string(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

/// Digits only, at most `most`; nil for anything else, the empty text included.
func decimal(_ bytes: some Collection<UInt8>, most: UInt64) -> UInt64? {
    guard !bytes.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = tens.addingReportingOverflow(UInt64(byte - 0x30))
        guard !tooLarge, !overflow, sum <= most else { return nil }
        value = sum
    }
    return value
}

/// Whether ASCII letters apart in case alone are the same.
func isSame(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
    return a.count == b.count && zip(a, b).allSatisfy { lower($0) == lower($1) }
}

func isSame(_ a: String, _ b: String) -> Bool { isSame(a.utf8, b.utf8) }

/// Takes the next part, however many separators stand before it; nil: there is none.
func part(of rest: inout ArraySlice<UInt8>, until separator: UInt8) -> ArraySlice<UInt8>? {
    guard let start = rest.firstIndex(where: { $0 != separator }) else { return nil }
    let end = rest[start...].firstIndex(of: separator) ?? rest.endIndex
    defer { rest = rest[end...] }
    return rest[start..<end]
}

/// A set of payload types: 0 to 127.
struct PayloadTypes {
    private var bits: (low: UInt64, high: UInt64) = (0, 0)

    func contains(_ type: UInt8) -> Bool { (type < 64 ? bits.low : bits.high) >> UInt64(type & 63) & 1 == 1 }

    /// Whether it was not in the set.
    mutating func insert(_ type: UInt8) -> Bool {
        guard !contains(type) else { return false }
        if type < 64 { bits.low |= 1 << UInt64(type) } else { bits.high |= 1 << UInt64(type & 63) }
        return true
    }
}

/// What stands before and after the first `byte`; the second is nil without one.
func halves(_ bytes: ArraySlice<UInt8>, at byte: UInt8) -> (ArraySlice<UInt8>, ArraySlice<UInt8>?) {
    guard let index = bytes.firstIndex(of: byte) else { return (bytes, nil) }
    return (bytes[..<index], bytes[(index + 1)...])
}
