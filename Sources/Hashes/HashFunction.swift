import CHashes

/// A hash function that SIP digest, STUN or a nonce's code needs, by the system's libcrypto (docs/decisions/0017-first-build.md).
///
/// Values depend on what is hashed alone, any thread may ask at any time, and nothing is allocated. Where `problem` is not nil, asking for
/// a value ends the program with its words: whoever starts a program asks first.
public enum HashFunction: CaseIterable, Sendable {
    /// RFC 1321.
    case md5
    /// FIPS 180-4.
    case sha1, sha256, sha512256

    /// Why no hash can be had on this machine and what to install, in one line without a full stop; nil where all can.
    public static var problem: String? { ch_problem().map { String(cString: $0) } }

    /// What `problem` would be with the shared library of that name.
    package static func problem(with library: String) -> String? { ch_problem_with(library).map { String(cString: $0) } }

    /// Octets of a value: 16, 20 or 32.
    public var length: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256, .sha512256: 32
        }
    }

    /// Writes the hash of `bytes`, `length` octets, to `value`.
    public func hash(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) {
        ch_hash(function, bytes.baseAddress, bytes.count, value.assumingMemoryBound(to: UInt8.self))
    }

    public func hash(_ bytes: [UInt8]) -> [UInt8] {
        value { value in bytes.withUnsafeBytes { hash($0, into: value) } }
    }

    /// Writes the HMAC of `bytes` (RFC 2104), `length` octets, to `value`. `key`: of any length; one longer than the function's block is
    /// hashed first.
    public func code(key: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) {
        ch_hmac(
            function, key.baseAddress, key.count, bytes.baseAddress, bytes.count, value.assumingMemoryBound(to: UInt8.self))
    }

    public func code(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        value { value in
            key.withUnsafeBytes { key in bytes.withUnsafeBytes { code(key: key, $0, into: value) } }
        }
    }

    private func value(_ write: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            guard let place = buffer.baseAddress else { return }
            write(place)
            count = length
        }
    }

    private var function: ch_function {
        switch self {
        case .md5: ch_md5
        case .sha1: ch_sha1
        case .sha256: ch_sha256
        case .sha512256: ch_sha512_256
        }
    }
}
