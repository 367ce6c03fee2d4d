import Base
import Crypto

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
        switch self {
        case .md5:
            var md5 = Insecure.MD5()
            md5.update(bufferPointer: buffer)
            return md5.finalize().withUnsafeBytes { octets in
                HashValue(words: (word(octets, 0), word(octets, 1), 0, 0), count: 16)
            }
        case .sha256:
            var sha256 = SHA256()
            sha256.update(bufferPointer: buffer)
            return sha256.finalize().withUnsafeBytes(longValue)
        case .sha512256: return SHA512256.hash(buffer)
        }
    }
}

/// A key for HMAC with SHA-256 (RFC 2104), padded to the hash's block and held inline: a code costs two hashes and no other work.
struct MessageKey: Sendable {
    private var words = InlineArray<8, UInt64>(repeating: 0)

    init(_ secret: [UInt8]) {
        if secret.count > 64 {
            let hash = DigestHash.sha256.hash(secret[...])
            words[0] = hash.words.0
            words[1] = hash.words.1
            words[2] = hash.words.2
            words[3] = hash.words.3
        } else {
            for (place, octet) in secret.enumerated() { words[place >> 3] |= UInt64(octet) << UInt64(56 - (place & 7) * 8) }
        }
    }

    /// The authentication code of what `fill` appends; `capacity` is an upper bound of its size.
    func code(capacity: Int, _ fill: (inout HashInput) -> Void) -> HashValue {
        let inner = DigestHash.sha256.hash(capacity: 64 + capacity) { input in
            append(0x3636_3636_3636_3636, to: &input)
            fill(&input)
        }
        return DigestHash.sha256.hash(capacity: 96) { input in
            append(0x5c5c_5c5c_5c5c_5c5c, to: &input)
            input.append(bigEndian: inner.words.0)
            input.append(bigEndian: inner.words.1)
            input.append(bigEndian: inner.words.2)
            input.append(bigEndian: inner.words.3)
        }
    }

    private func append(_ pad: UInt64, to input: inout HashInput) {
        for place in 0..<8 { input.append(bigEndian: words[place] ^ pad) }
    }
}

private func longValue(_ octets: UnsafeRawBufferPointer) -> HashValue {
    HashValue(words: (word(octets, 0), word(octets, 1), word(octets, 2), word(octets, 3)), count: 32)
}

private func word(_ octets: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
    UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
}
