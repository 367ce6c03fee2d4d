/// How TLS makes keys of secrets.
enum TLSKeySchedule {
    /// RFC 8446 7.1: HKDF-Expand-Label with an empty context.
    static func expand(
        _ secret: [UInt8], _ label: StaticString, count: Int, _ hash: TLSPrimitives.Hash, _ primitives: TLSPrimitives
    ) -> [UInt8] {
        var info: [UInt8] = [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
        info.append(UInt8(6 + label.utf8CodeUnitCount))
        info += "tls13 ".utf8
        info += UnsafeBufferPointer(start: label.utf8Start, count: label.utf8CodeUnitCount)
        info.append(0)
        var result: [UInt8] = []
        var block: [UInt8] = []
        var number: UInt8 = 1
        while result.count < count {
            block = primitives.hmac(hash, secret, block + info + [number])
            guard !block.isEmpty else { return [] }
            result += block
            number &+= 1
        }
        return Array(result.prefix(count))
    }

    /// The key block of TLS up to 1.2 (RFC 5246 6.3): MAC keys, keys and vectors of client and server in turn.
    static func keyBlock(
        master: [UInt8], client: [UInt8], server: [UInt8], version: UInt16, count: Int, _ hash: TLSPrimitives.Hash,
        _ primitives: TLSPrimitives
    ) -> [UInt8] {
        let seed = Array("key expansion".utf8) + server + client
        if version >= 0x0303 { return stretch(master, seed, count: count, hash, primitives) }
        // RFC 2246 5: each half of the secret under its own hash.
        let half = (master.count + 1) / 2
        let first = stretch(Array(master.prefix(half)), seed, count: count, .md5, primitives)
        let second = stretch(Array(master.suffix(half)), seed, count: count, .sha1, primitives)
        return zip(first, second).map { $0 ^ $1 }
    }

    /// P_hash of RFC 5246 5.
    private static func stretch(
        _ secret: [UInt8], _ seed: [UInt8], count: Int, _ hash: TLSPrimitives.Hash, _ primitives: TLSPrimitives
    ) -> [UInt8] {
        var result: [UInt8] = []
        var link = seed
        while result.count < count {
            link = primitives.hmac(hash, secret, link)
            let block = primitives.hmac(hash, secret, link + seed)
            guard !block.isEmpty else { return [] }
            result += block
        }
        return Array(result.prefix(count))
    }
}
