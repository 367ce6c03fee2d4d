extension TLSConnection {
    /// TLS 1.3: what the log holds, in the order in which it comes into use. False: not what the application's records need.
    mutating func trafficKeys(_ secrets: TLSKeyLog.Secrets, _ suite: TLSCipherSuite, _ primitives: TLSPrimitives) -> Bool {
        guard case .aead(let cipher) = suite.protection, let fromClient = secrets.clientTraffic,
            let fromServer = secrets.serverTraffic
        else { return false }
        func direction(_ list: [[UInt8]?], _ secret: [UInt8]) -> Direction {
            var result = Direction()
            result.following = (list + [secret]).compactMap { $0 }.map {
                TLSProtection(secret: $0, cipher, suite.hash, primitives)
            }
            result.protection = result.following.removeFirst()
            result.secret = secret
            result.isAdrift = result.following.isEmpty
            return result
        }
        client = direction([secrets.clientEarly, secrets.clientHandshake], fromClient)
        server = direction([secrets.serverHandshake], fromServer)
        return true
    }

    /// TLS up to 1.2: keys that wait for each side's ChangeCipherSpec.
    mutating func keyBlock(
        _ secrets: TLSKeyLog.Secrets, _ suite: TLSCipherSuite, client random: [UInt8], _ hello: TLSHello,
        _ primitives: TLSPrimitives
    ) -> Bool {
        guard let master = secrets.master else { return false }
        let sizes: (mac: Int, key: Int, vector: Int)
        let method: TLSProtection.Method
        switch suite.protection {
        case .aead(.chaCha20Poly1305):
            sizes = (0, 32, 12)
            method = .maskedNonce(.chaCha20Poly1305)
        case .aead(let cipher):
            sizes = (0, cipher.keySize, 4)
            method = .explicitNonce(cipher)
        case .cbc(let keySize, let mac):
            let isChained = version == 0x0301
            sizes = (mac.size, keySize, isChained ? 16 : 0)
            method = .cbc(mac, encryptsFirst: hello.encryptsFirst, isChained: isChained)
        }
        let wanted = 2 * (sizes.mac + sizes.key + sizes.vector)
        let block = TLSKeySchedule.keyBlock(
            master: master, client: random, server: hello.random, version: version, count: wanted, suite.hash, primitives)
        guard block.count == wanted else { return false }
        var at = 0
        func next(_ count: Int) -> [UInt8] {
            at += count
            return Array(block[(at - count)..<at])
        }
        let macs = (next(sizes.mac), next(sizes.mac))
        let ciphers = (next(sizes.key), next(sizes.key))
        let vectors = (next(sizes.vector), next(sizes.vector))
        client.following = [TLSProtection(method: method, key: ciphers.0, macKey: macs.0, vector: vectors.0)]
        server.following = [TLSProtection(method: method, key: ciphers.1, macKey: macs.1, vector: vectors.1)]
        return true
    }

    /// ChangeCipherSpec (RFC 5246 7.1).
    mutating func change(_ side: TLSSide) {
        with(side) {
            guard !$0.following.isEmpty else { return }
            $0.protection = $0.following.removeFirst()
        }
    }

    /// KeyUpdate (RFC 8446 7.2): the next secret follows from this one.
    mutating func update(_ side: TLSSide, _ primitives: TLSPrimitives) {
        guard let suite, case .aead(let cipher) = suite.protection else { return }
        with(side) {
            $0.secret = TLSKeySchedule.expand($0.secret, "traffic upd", count: suite.hash.size, suite.hash, primitives)
            $0.protection = TLSProtection(secret: $0.secret, cipher, suite.hash, primitives)
            $0.following = []
        }
    }

    /// Opens a record with the keys in use, or with those that may have come into use unseen.
    mutating func open(
        _ head: TLSRecord, _ fragment: [UInt8], _ side: TLSSide, _ primitives: TLSPrimitives
    ) -> (kind: TLSRecord.Kind, text: [UInt8])? {
        var direction = has(side)
        guard var protection = direction.protection else { return nil }
        let tried = direction.isAdrift ? Self.mostTried : 1
        // Early data ends, and a log may lack the handshake's secrets: TLS 1.3 may be ahead at any time, TLS 1.2 only after a hole.
        let ahead = version >= 0x0304 || direction.isAdrift ? direction.following : []
        for (epoch, candidate) in ([protection] + ahead).enumerated() {
            protection = candidate
            for number in candidate.sequence..<(candidate.sequence &+ tried) {
                guard let opened = protection.open(head, fragment, sequence: number, primitives) else { continue }
                protection.sequence = number &+ 1
                direction.protection = protection
                direction.following.removeFirst(epoch)
                direction.failures = 0
                direction.isAdrift = false
                if side == .client { client = direction } else { server = direction }
                return opened
            }
        }
        // A damaged record had a number, too.
        with(side) { if !$0.isAdrift { $0.protection?.sequence &+= 1 } }
        return nil
    }
}
