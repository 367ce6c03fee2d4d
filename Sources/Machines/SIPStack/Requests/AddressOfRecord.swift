import Base

/// The canonical index of a user's bindings: `user@domain`, unescaped, without scheme, port and parameters (RFC 3261 10.3 step 5).
///
/// The user part keeps its case (RFC 3261 19.1.4), the domain is lower case. `sip:` and `sips:` of one name share their bindings.
public struct AddressOfRecord: Hashable, Sendable, CustomStringConvertible {
    /// `user@domain` as UTF-8.
    public let bytes: [UInt8]

    /// `user` unescaped; `domain` in any case.
    @inlinable
    public init(user: some Collection<UInt8>, domain: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(user.count + domain.count + 1)
        bytes.append(contentsOf: user)
        bytes.append(UInt8(ascii: "@"))
        for byte in domain { bytes.append(byte &- 0x41 < 26 ? byte | 0x20 : byte) }
        self.bytes = bytes
    }

    public init(user: String, domain: String) { self.init(user: Array(user.utf8), domain: Array(domain.utf8)) }

    /// `user@domain`, as `description` prints it and storage keeps it; nil without an `@` or without a user.
    public init?(_ text: String) {
        guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")), at != text.utf8.startIndex else { return nil }
        self.init(user: Array(text.utf8[..<at]), domain: Array(text.utf8[text.utf8.index(after: at)...]))
    }

    public var user: String { String(decoding: bytes[..<separator], as: UTF8.self) }
    public var domain: String { String(decoding: bytes[(separator + 1)...], as: UTF8.self) }
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    // What is made for them takes the bytes one by one, and the tables ask for every REGISTER.

    public static func == (a: Self, b: Self) -> Bool {
        a.bytes.count == b.bytes.count
            && a.bytes.withUnsafeBytes { a in
                b.bytes.withUnsafeBytes { b in
                    var place = 0
                    while place + 8 <= a.count {
                        guard
                            a.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                                == b.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                        else { return false }
                        place += 8
                    }
                    return a[place...].elementsEqual(b[place...])
                }
            }
    }

    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    private var separator: Int { bytes.lastIndex(of: UInt8(ascii: "@")) ?? 0 }
}
