/// What protects the records of one direction for a while: a cipher, its keys, and the number of the next record.
struct TLSProtection: Sendable {
    enum Method: Hashable, Sendable {
        /// RFC 8446 5.2; the kind of content is inside.
        case tls13(TLSPrimitives.AEAD)
        /// RFC 5288, RFC 6655: 4 octets of nonce in the keys, 8 in each record.
        case explicitNonce(TLSPrimitives.AEAD)
        /// RFC 7905: the nonce is the record's number, masked.
        case maskedNonce(TLSPrimitives.AEAD)
        /// RFC 5246 6.2.3.2, or RFC 7366 when it `encryptsFirst`. TLS 1.0 chains its vectors from record to record.
        case cbc(TLSPrimitives.Hash, encryptsFirst: Bool, isChained: Bool)
    }

    let method: Method
    let key: [UInt8]
    let macKey: [UInt8]
    var vector: [UInt8]
    var sequence: UInt64 = 0

    init(method: Method, key: [UInt8], macKey: [UInt8] = [], vector: [UInt8]) {
        self.method = method
        self.key = key
        self.macKey = macKey
        self.vector = vector
    }

    /// Of a traffic secret (RFC 8446 7.3).
    init(secret: [UInt8], _ cipher: TLSPrimitives.AEAD, _ hash: TLSPrimitives.Hash, _ primitives: TLSPrimitives) {
        self.init(
            method: .tls13(cipher), key: TLSKeySchedule.expand(secret, "key", count: cipher.keySize, hash, primitives),
            vector: TLSKeySchedule.expand(secret, "iv", count: 12, hash, primitives))
    }

    /// What the record holds, opened as the one with that number; nil when it does not fit. Changes nothing but a chained vector.
    mutating func open(
        _ head: TLSRecord, _ fragment: [UInt8], sequence: UInt64, _ primitives: TLSPrimitives
    ) -> (kind: TLSRecord.Kind, text: [UInt8])? {
        switch method {
        case .tls13(let cipher):
            let additional = [head.kind.rawValue] + Self.octets(UInt64(head.version), 2) + Self.octets(UInt64(fragment.count), 2)
            guard fragment.count > cipher.tagSize,
                var text = primitives.open(cipher, key, masked(sequence), additional, fragment),
                let last = text.lastIndex(where: { $0 != 0 }), let kind = TLSRecord.Kind(rawValue: text[last])
            else { return nil }
            text.removeSubrange(last...)
            return (kind, text)
        case .explicitNonce(let cipher):
            let size = fragment.count - 8 - cipher.tagSize
            guard size >= 0 else { return nil }
            let text = primitives.open(
                cipher, key, vector + fragment[..<8], Self.additional(head, sequence, size), Array(fragment[8...]))
            return text.map { (head.kind, $0) }
        case .maskedNonce(let cipher):
            let size = fragment.count - cipher.tagSize
            guard size >= 0 else { return nil }
            let text = primitives.open(cipher, key, masked(sequence), Self.additional(head, sequence, size), fragment)
            return text.map { (head.kind, $0) }
        case .cbc(let hash, let encryptsFirst, let isChained):
            return block(head, fragment, sequence, hash, encryptsFirst, isChained, primitives).map { (head.kind, $0) }
        }
    }

    private mutating func block(
        _ head: TLSRecord, _ fragment: [UInt8], _ sequence: UInt64, _ hash: TLSPrimitives.Hash, _ encryptsFirst: Bool,
        _ isChained: Bool, _ primitives: TLSPrimitives
    ) -> [UInt8]? {
        let end = fragment.count - (encryptsFirst ? hash.size : 0)
        let start = isChained ? 0 : 16
        guard end > start, (end - start).isMultiple(of: 16) else { return nil }
        if encryptsFirst {
            let authenticated = Self.additional(head, sequence, end) + fragment[..<end]
            guard primitives.hmac(hash, macKey, authenticated) == Array(fragment[end...]) else { return nil }
        }
        guard
            var text = primitives.decryptCBC(key, isChained ? vector : Array(fragment[..<16]), Array(fragment[start..<end])),
            let padding = text.last, text.count > Int(padding)
        else { return nil }
        text.removeLast(Int(padding) + 1)
        if !encryptsFirst {
            guard text.count >= hash.size else { return nil }
            let mac = Array(text.suffix(hash.size))
            text.removeLast(hash.size)
            guard primitives.hmac(hash, macKey, Self.additional(head, sequence, text.count) + text) == mac else { return nil }
        }
        if isChained { vector = Array(fragment[..<end].suffix(16)) }
        return text
    }

    /// RFC 8446 5.3.
    private func masked(_ sequence: UInt64) -> [UInt8] {
        var nonce = vector
        guard nonce.count == 12 else { return nonce }
        for index in 0..<8 { nonce[4 + index] ^= UInt8(truncatingIfNeeded: sequence >> UInt64(56 - 8 * index)) }
        return nonce
    }

    /// RFC 5246 6.2.3.3.
    private static func additional(_ head: TLSRecord, _ sequence: UInt64, _ size: Int) -> [UInt8] {
        octets(sequence, 8) + [head.kind.rawValue] + octets(UInt64(head.version), 2) + octets(UInt64(size), 2)
    }

    private static func octets(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
    }
}
