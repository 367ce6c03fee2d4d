import Base
import Hashes

// The unsafe code of this target: what is hashed is put together on the stack, so that a digest costs no allocation.

/// Bytes on their way into a hash, gathered in a buffer whose capacity the caller computed.
struct HashInput {
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    fileprivate init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func append(_ byte: UInt8) {
        precondition(count < buffer.count, "capacity computed too small")
        buffer[count] = byte
        count &+= 1
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { source in append(raw: source) }
    }

    mutating func append(_ text: StaticString) {
        append(raw: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func append(raw source: UnsafeRawBufferPointer) {
        precondition(buffer.count - count >= source.count, "capacity computed too small")
        guard source.count > 0 else { return }
        UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: source)
        count &+= source.count
    }

    mutating func append(bigEndian word: UInt64) {
        precondition(buffer.count - count >= 8, "capacity computed too small")
        buffer.storeBytes(of: word.bigEndian, toByteOffset: count, as: UInt64.self)
        count &+= 8
    }

    mutating func append(colon: Void = ()) { append(UInt8(ascii: ":")) }

    /// Lower-case hexadecimal, 32 or 64 digits.
    mutating func append(hex value: HashValue) {
        append(hexWord: value.words.0)
        append(hexWord: value.words.1)
        guard value.count > 16 else { return }
        append(hexWord: value.words.2)
        append(hexWord: value.words.3)
    }

    private mutating func append(hexWord word: UInt64) {
        append(bigEndian: hexDigits(UInt32(truncatingIfNeeded: word >> 32)))
        append(bigEndian: hexDigits(UInt32(truncatingIfNeeded: word)))
    }
}

/// Eight nibbles as eight ASCII digits, without a table: each byte lane takes 0x30 and, from ten on, 0x27 more.
func hexDigits(_ word: UInt32) -> UInt64 {
    var lanes = UInt64(word)
    lanes = (lanes | lanes << 16) & 0x0000_ffff_0000_ffff
    lanes = (lanes | lanes << 8) & 0x00ff_00ff_00ff_00ff
    lanes = (lanes | lanes << 4) & 0x0f0f_0f0f_0f0f_0f0f
    let tens = ((lanes &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    return lanes &+ 0x3030_3030_3030_3030 &+ tens &* 0x27
}

extension DigestHash {
    /// The hash of what `fill` appends; `capacity` is an upper bound of its size.
    func hash(capacity: Int, _ fill: (inout HashInput) -> Void) -> HashValue {
        withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) { buffer in
            var input = HashInput(buffer)
            fill(&input)
            return hash(buffer: UnsafeRawBufferPointer(rebasing: buffer[..<input.count]))
        }
    }

    func hash(buffer: UnsafeRawBufferPointer) -> HashValue {
        value(count: length) { function.hash(buffer, into: $0) }
    }
}

/// A key for HMAC with SHA-256 (RFC 2104).
struct MessageKey: Sendable {
    private let secret: [UInt8]

    init(_ secret: [UInt8]) { self.secret = secret }

    /// The authentication code of what `fill` appends; `capacity` is an upper bound of its size.
    func code(capacity: Int, _ fill: (inout HashInput) -> Void) -> HashValue {
        withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) { buffer in
            var input = HashInput(buffer)
            fill(&input)
            let text = UnsafeRawBufferPointer(rebasing: buffer[..<input.count])
            return secret.withUnsafeBytes { secret in
                value(count: 32) { HashFunction.sha256.code(key: secret, text, into: $0) }
            }
        }
    }
}

/// The value whose 16 or 32 octets `write` puts where it is told to.
private func value(count: Int, _ write: (UnsafeMutableRawPointer) -> Void) -> HashValue {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { octets in
        if let place = octets.baseAddress { write(place) }
    }
    return HashValue(
        words: (
            UInt64(bigEndian: words.0), UInt64(bigEndian: words.1), UInt64(bigEndian: words.2), UInt64(bigEndian: words.3)
        ), count: count)
}
