import Base

/// What stands in for TLS in the lab (RFC 8446 has the real one): a handshake of one round trip, and records whose content nobody on
/// the way can read or change unnoticed.
///
/// It keeps SIP helpers out, as TLS does, and looks like TLS in a capture. It keeps out nobody else: there are no certificates, and
/// whoever sees both greetings can make the keys. Real TLS lives at the edge, where randomness and certificates are.
package struct StandInTLS: Sendable {
    /// What a record carries (RFC 8446 5.1).
    private enum Content: UInt8 {
        case handshake = 22
        case data = 23
    }

    private enum State: Sendable {
        case greeting
        case open(sending: Direction, receiving: Direction)
    }

    /// One direction's key stream, and how many records used it.
    private struct Direction: Sendable {
        var stream: Entropy
        var records: UInt64 = 0
        private var rest: [UInt8] = []

        init(_ seed: [UInt8]) { stream = Entropy(seed: seed) }

        mutating func mask(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
            if rest.count < bytes.count { rest += stream.bytes((bytes.count - rest.count + 63) / 64 * 64) }
            defer { rest.removeFirst(bytes.count) }
            return zip(bytes, rest).map { $0 ^ $1 }
        }

        /// FNV-1a over the record's number and content: enough to notice a changed octet or a lost record.
        mutating func tag(_ plain: ArraySlice<UInt8>) -> [UInt8] {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ records
            records += 1
            for byte in plain { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) }
        }
    }

    /// What came of received octets.
    package struct Result: Sendable {
        package var plain: [UInt8] = []
        package var reply: [UInt8] = []
        /// The handshake ended with these octets.
        package var opened = false
        /// Somebody changed something on the way, or the other side speaks no TLS.
        package var isBroken = false
    }

    /// RFC 8446 5.1.
    package static let longestRecord = 16_384

    private let isClient: Bool
    private let random: [UInt8]
    private var state = State.greeting
    private var buffer: [UInt8] = []

    package init(isClient: Bool, entropy: inout Entropy) {
        self.isClient = isClient
        random = entropy.bytes(32)
    }

    package var isOpen: Bool { if case .open = state { true } else { false } }

    /// The client's first octets.
    package var hello: [UInt8] { record(.handshake, greeting) }

    /// A ClientHello or ServerHello with its random and one cipher suite, as far as an onlooker cares.
    private var greeting: [UInt8] {
        let suites: [UInt8] = isClient ? [0, 2, 0x13, 0x01, 1, 0] : [0x13, 0x01, 0]
        let body = [3, 3] + random + [0] + suites
        return [isClient ? 1 : 2, 0, 0, UInt8(body.count)] + body
    }

    private func record(_ content: Content, _ body: [UInt8]) -> [UInt8] {
        [content.rawValue, 3, 3, UInt8(truncatingIfNeeded: body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
    }

    /// `plain` as records; nothing before the handshake is complete.
    package mutating func protect(_ plain: [UInt8]) -> [UInt8] {
        guard case .open(var sending, let receiving) = state else { return [] }
        var result: [UInt8] = []
        var rest = plain[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Self.longestRecord)
            rest = rest.dropFirst(piece.count)
            let sealed = Array(piece) + sending.tag(piece)
            result += record(.data, sending.mask(sealed[...]))
        }
        state = .open(sending: sending, receiving: receiving)
        return result
    }

    package mutating func receive(_ bytes: [UInt8]) -> Result {
        buffer += bytes
        var result = Result()
        var offset = 0
        while buffer.count - offset >= 5, !result.isBroken {
            let length = Int(buffer[offset + 3]) << 8 | Int(buffer[offset + 4])
            guard let content = Content(rawValue: buffer[offset]), buffer[offset + 1] == 3, buffer[offset + 2] == 3,
                length <= Self.longestRecord + 256
            else {
                result.isBroken = true
                break
            }
            guard buffer.count - offset >= 5 + length else { break }
            open(content, buffer[(offset + 5)..<(offset + 5 + length)], &result)
            offset += 5 + length
        }
        buffer.removeFirst(offset)
        return result
    }

    private mutating func open(_ content: Content, _ body: ArraySlice<UInt8>, _ result: inout Result) {
        switch (state, content) {
        case (.greeting, .handshake):
            let body = Array(body)
            guard body.count >= 38, body[0] == (isClient ? 2 : 1) else {
                result.isBroken = true
                return
            }
            let theirs = body[6..<38]
            if !isClient { result.reply = record(.handshake, greeting) }
            let shared = zip(random, theirs).map { $0 ^ $1 }
            var other = shared
            other[0] ^= 0xff
            state =
                isClient
                ? .open(sending: Direction(shared), receiving: Direction(other))
                : .open(sending: Direction(other), receiving: Direction(shared))
            result.opened = true
        case (.open(let sending, var receiving), .data):
            let sealed = receiving.mask(body)
            guard sealed.count >= 8 else {
                result.isBroken = true
                return
            }
            let plain = sealed.dropLast(8)
            guard receiving.tag(plain).elementsEqual(sealed.suffix(8)) else {
                result.isBroken = true
                return
            }
            state = .open(sending: sending, receiving: receiving)
            result.plain += plain
        case (.greeting, .data), (.open, .handshake): result.isBroken = true
        }
    }
}
