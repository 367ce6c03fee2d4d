/// What a ClientHello or a ServerHello says that matters to whoever reads the session (RFC 8446 4.1.2, RFC 5246 7.4.1).
struct TLSHello: Hashable, Sendable {
    var isClient: Bool
    /// The version chosen by a server; a client's legacy version.
    var version: UInt16
    var random: [UInt8]
    /// A server's choice; 0 of a client.
    var suite: UInt16 = 0
    /// RFC 7366: a server that agreed to encrypt before it authenticates.
    var encryptsFirst = false

    /// RFC 8446 4.1.3: the random of a ServerHello that asks for another ClientHello.
    private static let retry: [UInt8] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
        0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]

    var isRetry: Bool { !isClient && random == Self.retry }

    /// `body`: of the handshake message, its head of 4 octets left out. nil: it contradicts itself.
    init?(_ body: [UInt8], isClient: Bool) {
        guard body.count >= 35 else { return nil }
        self.isClient = isClient
        version = UInt16(body[0]) << 8 | UInt16(body[1])
        random = Array(body[2..<34])
        guard !isClient else { return }
        var at = 35 + Int(body[34])
        guard at + 3 <= body.count else { return nil }
        suite = UInt16(body[at]) << 8 | UInt16(body[at + 1])
        at += 3
        guard at + 2 <= body.count else { return }
        let end = at + 2 + (Int(body[at]) << 8 | Int(body[at + 1]))
        at += 2
        guard end <= body.count else { return nil }
        while at + 4 <= end {
            let type = Int(body[at]) << 8 | Int(body[at + 1])
            let length = Int(body[at + 2]) << 8 | Int(body[at + 3])
            at += 4
            guard at + length <= end else { return nil }
            if type == 43, length == 2 { version = UInt16(body[at]) << 8 | UInt16(body[at + 1]) }
            if type == 22 { encryptsFirst = true }
            at += length
        }
    }
}
