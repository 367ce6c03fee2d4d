import Base

extension STUNMessage {
    /// All attributes, understood. Throws at the first whose value has the wrong shape.
    public func attributes() throws(STUNError) -> [STUNAttribute] {
        var result: [STUNAttribute] = []
        for place in places { result.append(try attribute(at: place)) }
        return result
    }

    /// The first attribute of `type`, understood; nil if there is none.
    public func attribute(_ type: STUNAttributeType) throws(STUNError) -> STUNAttribute? {
        guard let place = place(of: type) else { return nil }
        return try attribute(at: place)
    }

    /// `place`: one of this message's own.
    public func attribute(at place: Place) throws(STUNError) -> STUNAttribute {
        let value = Array(bytes[place.value])
        func expect(_ condition: Bool) throws(STUNError) {
            guard condition else { throw STUNError(.badValue(place.type), at: place.value.lowerBound) }
        }
        switch place.type {
        case .mappedAddress: return .mappedAddress(try endpoint(place))
        case .xorMappedAddress: return .xorMappedAddress(transactionID.exclusiveOr(try endpoint(place)))
        case .draftXORMappedAddress: return .draftXORMappedAddress(transactionID.exclusiveOr(try endpoint(place)))
        case .responseAddress: return .responseAddress(try endpoint(place))
        case .sourceAddress: return .sourceAddress(try endpoint(place))
        case .changedAddress: return .changedAddress(try endpoint(place))
        case .reflectedFrom: return .reflectedFrom(try endpoint(place))
        case .responseOrigin: return .responseOrigin(try endpoint(place))
        case .otherAddress: return .otherAddress(try endpoint(place))
        case .alternateServer: return .alternateServer(try endpoint(place))
        case .changeRequest:
            try expect(value.count == 4)
            return .changeRequest(STUNChangeRequest(address: value[3] & 4 != 0, port: value[3] & 2 != 0))
        case .username:
            // RFC 8489 14.3: fewer than 509 bytes.
            try expect(value.count < 509)
            return .username(value)
        case .password: return .password(value)
        case .realm:
            try expect(value.count <= 763)
            return .realm(value)
        case .nonce:
            try expect(value.count <= 763)
            return .nonce(value)
        case .software:
            try expect(value.count <= 763)
            return .software(value)
        case .alternateDomain:
            try expect(value.count <= 255)
            return .alternateDomain(value)
        case .userhash:
            try expect(value.count == 32)
            return .userhash(value)
        case .messageIntegrity:
            try expect(value.count == 20)
            return .messageIntegrity(value)
        case .messageIntegritySHA256:
            try expect(value.count >= 16 && value.count <= 32 && value.count % 4 == 0)
            return .messageIntegritySHA256(value)
        case .fingerprint:
            try expect(value.count == 4)
            return .fingerprint(value.uint32(at: 0))
        case .errorCode:
            try expect(value.count >= 4)
            let hundreds = UInt16(value[2] & 7)
            try expect((3...6).contains(hundreds) && value[3] < 100)
            return .errorCode(STUNErrorCode(hundreds * 100 + UInt16(value[3]), String(decoding: value[4...], as: UTF8.self)))
        case .unknownAttributes:
            try expect(value.count % 2 == 0)
            return .unknownAttributes(
                stride(from: 0, to: value.count, by: 2).map { STUNAttributeType(rawValue: value.uint16(at: $0)) })
        case .passwordAlgorithm:
            let algorithms = passwordAlgorithms(value)
            try expect(algorithms?.count == 1)
            return .passwordAlgorithm(algorithms?[0] ?? .md5)
        case .passwordAlgorithms:
            guard let algorithms = passwordAlgorithms(value) else {
                throw STUNError(.badValue(place.type), at: place.value.lowerBound)
            }
            return .passwordAlgorithms(algorithms)
        case .responsePort:
            // RFC 5780 7.5 gives it 2 octets and padding; early implementations sent 4.
            try expect(value.count == 2 || value.count == 4)
            return .responsePort(value.uint16(at: 0))
        case .padding: return .padding(value)
        case .cacheTimeout:
            try expect(value.count == 4)
            return .cacheTimeout(value.uint32(at: 0))
        default: return .unknown(place.type, value)
        }
    }

    /// The sender as the answering server saw it: XOR-MAPPED-ADDRESS, its draft number, or MAPPED-ADDRESS, in this order of
    /// trust, since some middleboxes rewrite addresses they can read. Nil if none is there or well-formed.
    public var reflexiveEndpoint: Endpoint? {
        for type in [STUNAttributeType.xorMappedAddress, .draftXORMappedAddress] {
            if let place = place(of: type), let endpoint = try? endpoint(place) { return transactionID.exclusiveOr(endpoint) }
        }
        return endpoint(of: .mappedAddress)
    }

    /// The server's second address and port: OTHER-ADDRESS, or CHANGED-ADDRESS of a classic server.
    public var otherEndpoint: Endpoint? { endpoint(of: .otherAddress) ?? endpoint(of: .changedAddress) }

    /// From where the answer was sent as its sender sees it: RESPONSE-ORIGIN, or SOURCE-ADDRESS of a classic server.
    public var originEndpoint: Endpoint? { endpoint(of: .responseOrigin) ?? endpoint(of: .sourceAddress) }

    /// ERROR-CODE; nil if absent or malformed.
    public var errorCode: STUNErrorCode? {
        if case .errorCode(let code)? = try? attribute(.errorCode) { code } else { nil }
    }

    /// Whether FINGERPRINT, as the last attribute, is right (RFC 8489 14.7); nil without one.
    public var fingerprintIsValid: Bool? {
        guard let place = place(of: .fingerprint) else { return nil }
        guard place.value.count == 4, place.value.upperBound == bytes.count else { return false }
        return bytes.uint32(at: place.value.lowerBound) == stunFingerprint(of: bytes[..<place.start])
    }

    /// A plain address attribute; nil if absent or malformed. Not for the XOR-ed ones.
    public func endpoint(of type: STUNAttributeType) -> Endpoint? {
        place(of: type).flatMap { try? endpoint($0) }
    }

    private func endpoint(_ place: Place) throws(STUNError) -> Endpoint {
        let at = place.value.lowerBound
        guard place.value.count >= 8 else { throw STUNError(.badValue(place.type), at: at) }
        let port = bytes.uint16(at: at + 2)
        switch (bytes[at + 1], place.value.count) {
        case (1, 8): return Endpoint(.v4(IPv4Address(bits: bytes.uint32(at: at + 4))), port)
        case (2, 20):
            let high = UInt64(bytes.uint32(at: at + 4)) << 32 | UInt64(bytes.uint32(at: at + 8))
            let low = UInt64(bytes.uint32(at: at + 12)) << 32 | UInt64(bytes.uint32(at: at + 16))
            return Endpoint(.v6(IPv6Address(high: high, low: low)), port)
        default: throw STUNError(.badValue(place.type), at: at)
        }
    }

    private func passwordAlgorithms(_ value: [UInt8]) -> [STUNPasswordAlgorithm]? {
        var result: [STUNPasswordAlgorithm] = []
        var at = 0
        while at < value.count {
            guard value.count - at >= 4 else { return nil }
            let count = Int(value.uint16(at: at + 2))
            guard count <= value.count - at - 4 else { return nil }
            result.append(
                STUNPasswordAlgorithm(number: value.uint16(at: at), parameters: Array(value[(at + 4)..<(at + 4 + count)])))
            at += 4 + (count + 3) & ~3
        }
        return result
    }
}

extension STUNTransactionID {
    /// Applies the XOR of XOR-MAPPED-ADDRESS (RFC 8489 14.2), which is its own inverse.
    public func exclusiveOr(_ endpoint: Endpoint) -> Endpoint {
        let port = endpoint.port ^ UInt16(truncatingIfNeeded: high >> 48)
        return switch endpoint.address {
        case .v4(let v4): Endpoint(.v4(IPv4Address(bits: v4.bits ^ UInt32(truncatingIfNeeded: high >> 32))), port)
        case .v6(let v6): Endpoint(.v6(IPv6Address(high: v6.high ^ high, low: v6.low ^ low)), port)
        }
    }
}
