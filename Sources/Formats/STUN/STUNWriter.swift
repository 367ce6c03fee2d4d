import Base

/// A STUN message under construction: the header's length field is right after every step.
public struct STUNWriter: Sendable {
    public private(set) var bytes: [UInt8]
    public let transactionID: STUNTransactionID

    public init(_ type: STUNMessageType, _ transactionID: STUNTransactionID) {
        self.transactionID = transactionID
        bytes = []
        bytes.reserveCapacity(128)
        bytes.append(bigEndian: type.wire)
        bytes.append(bigEndian: UInt16(0))
        bytes.append(bigEndian: transactionID.high)
        bytes.append(bigEndian: transactionID.low)
    }

    public init(_ type: STUNMessageType, _ transactionID: STUNTransactionID, _ attributes: [STUNAttribute]) {
        self.init(type, transactionID)
        for attribute in attributes { add(attribute) }
    }

    /// Appends an attribute by its raw value, padded with zeros. The whole message must stay below 65,536 bytes.
    public mutating func add(_ type: STUNAttributeType, _ value: some Collection<UInt8>) {
        precondition(bytes.count + value.count + 8 <= 65_535, "a STUN message longer than its length field can say")
        bytes.append(bigEndian: type.rawValue)
        bytes.append(bigEndian: UInt16(value.count))
        bytes.append(contentsOf: value)
        while bytes.count % 4 != 0 { bytes.append(0) }
        bytes.replace(at: 2, bigEndian: UInt16(bytes.count - STUNMessage.headerLength))
    }

    /// Appends an attribute. Integrity and fingerprint values are taken as given; `addFingerprint` computes one.
    public mutating func add(_ attribute: STUNAttribute) {
        switch attribute {
        case .mappedAddress(let endpoint): add(.mappedAddress, value(endpoint))
        case .xorMappedAddress(let endpoint): add(.xorMappedAddress, value(transactionID.exclusiveOr(endpoint)))
        case .draftXORMappedAddress(let endpoint): add(.draftXORMappedAddress, value(transactionID.exclusiveOr(endpoint)))
        case .responseAddress(let endpoint): add(.responseAddress, value(endpoint))
        case .sourceAddress(let endpoint): add(.sourceAddress, value(endpoint))
        case .changedAddress(let endpoint): add(.changedAddress, value(endpoint))
        case .reflectedFrom(let endpoint): add(.reflectedFrom, value(endpoint))
        case .responseOrigin(let endpoint): add(.responseOrigin, value(endpoint))
        case .otherAddress(let endpoint): add(.otherAddress, value(endpoint))
        case .alternateServer(let endpoint): add(.alternateServer, value(endpoint))
        case .changeRequest(let change):
            add(.changeRequest, [0, 0, 0, (change.changesAddress ? 4 : 0) | (change.changesPort ? 2 : 0)])
        case .username(let text): add(.username, text)
        case .password(let text): add(.password, text)
        case .realm(let text): add(.realm, text)
        case .nonce(let text): add(.nonce, text)
        case .software(let text): add(.software, text)
        case .alternateDomain(let text): add(.alternateDomain, text)
        case .userhash(let hash): add(.userhash, hash)
        case .messageIntegrity(let code): add(.messageIntegrity, code)
        case .messageIntegritySHA256(let code): add(.messageIntegritySHA256, code)
        case .fingerprint(let value):
            var word: [UInt8] = []
            word.append(bigEndian: value)
            add(.fingerprint, word)
        case .errorCode(let error):
            add(.errorCode, [0, 0, UInt8(error.code / 100 & 7), UInt8(error.code % 100)] + Array(error.reason.utf8))
        case .unknownAttributes(let types):
            var list: [UInt8] = []
            for type in types { list.append(bigEndian: type.rawValue) }
            // RFC 3489 11.2.10: its agents know no padding and want a multiple of four, reached by repeating a type.
            if !transactionID.hasCookie, types.count % 2 == 1, let last = types.last { list.append(bigEndian: last.rawValue) }
            add(.unknownAttributes, list)
        case .passwordAlgorithm(let algorithm): add(.passwordAlgorithm, value([algorithm]))
        case .passwordAlgorithms(let algorithms): add(.passwordAlgorithms, value(algorithms))
        case .responsePort(let port):
            add(.responsePort, [UInt8(port >> 8), UInt8(port & 0xff)])
        case .padding(let filler): add(.padding, filler)
        case .cacheTimeout(let seconds):
            var word: [UInt8] = []
            word.append(bigEndian: seconds)
            add(.cacheTimeout, word)
        case .unknown(let type, let value): add(type, value)
        }
    }

    /// Appends FINGERPRINT over all that is there (RFC 8489 14.7). Must come last.
    public mutating func addFingerprint() {
        let sum = stunFingerprint(of: bytes[...], lengthField: UInt16(bytes.count - STUNMessage.headerLength + 8))
        add(.fingerprint(sum))
    }

    private func value(_ endpoint: Endpoint) -> [UInt8] {
        var value: [UInt8] = [0, endpoint.address.isIPv6 ? 2 : 1]
        value.append(bigEndian: endpoint.port)
        value.append(endpoint.address)
        return value
    }

    private func value(_ algorithms: [STUNPasswordAlgorithm]) -> [UInt8] {
        var value: [UInt8] = []
        for algorithm in algorithms {
            value.append(bigEndian: algorithm.number)
            value.append(bigEndian: UInt16(truncatingIfNeeded: algorithm.parameters.count))
            value.append(contentsOf: algorithm.parameters)
            while value.count % 4 != 0 { value.append(0) }
        }
        return value
    }
}
