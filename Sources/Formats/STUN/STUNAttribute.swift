import Base

/// A STUN attribute with its value understood (RFC 8489 14, RFC 3489 11.2, RFC 5780 7).
///
/// Texts are kept as bytes: they enter hashes, and peers do not always send UTF-8.
public enum STUNAttribute: Hashable, Sendable {
    case mappedAddress(Endpoint)
    /// The plain endpoint: the XOR is done and undone with the message's own transaction ID.
    case xorMappedAddress(Endpoint)
    case draftXORMappedAddress(Endpoint)
    case responseAddress(Endpoint)
    case sourceAddress(Endpoint)
    case changedAddress(Endpoint)
    case reflectedFrom(Endpoint)
    case responseOrigin(Endpoint)
    case otherAddress(Endpoint)
    case alternateServer(Endpoint)
    case changeRequest(STUNChangeRequest)
    case username([UInt8])
    case password([UInt8])
    case realm([UInt8])
    case nonce([UInt8])
    case software([UInt8])
    case alternateDomain([UInt8])
    /// SHA-256 of username, colon, realm: 32 bytes.
    case userhash([UInt8])
    /// HMAC-SHA1: 20 bytes.
    case messageIntegrity([UInt8])
    /// HMAC-SHA256, possibly cut short: 16 to 32 bytes, a multiple of 4.
    case messageIntegritySHA256([UInt8])
    /// CRC-32 of the message before it, XOR 0x5354554e.
    case fingerprint(UInt32)
    case errorCode(STUNErrorCode)
    case unknownAttributes([STUNAttributeType])
    case passwordAlgorithm(STUNPasswordAlgorithm)
    case passwordAlgorithms([STUNPasswordAlgorithm])
    case responsePort(UInt16)
    /// The content is of no interest, its size is.
    case padding([UInt8])
    /// Seconds.
    case cacheTimeout(UInt32)
    case unknown(STUNAttributeType, [UInt8])
}

/// Where the answer shall come from instead of where the request went (RFC 5780 7.2, RFC 3489 11.2.4).
public struct STUNChangeRequest: Hashable, Sendable {
    public var changesAddress: Bool
    public var changesPort: Bool

    @inlinable
    public init(address: Bool, port: Bool) {
        changesAddress = address
        changesPort = port
    }
}

/// ERROR-CODE (RFC 8489 14.8).
public struct STUNErrorCode: Hashable, Sendable, CustomStringConvertible {
    /// 300...699.
    public var code: UInt16
    public var reason: String

    public init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public static let badRequest = STUNErrorCode(400, "Bad Request")
    public static let unauthenticated = STUNErrorCode(401, "Unauthenticated")
    public static let unknownAttribute = STUNErrorCode(420, "Unknown Attribute")
    public static let staleNonce = STUNErrorCode(438, "Stale Nonce")
    public static let serverError = STUNErrorCode(500, "Server Error")

    public var description: String { "\(code) \(reason)" }
}

/// How a long-term credential's key is made from the password (RFC 8489 18.5).
public struct STUNPasswordAlgorithm: Hashable, Sendable {
    /// 1 is MD5, 2 is SHA-256.
    public var number: UInt16
    public var parameters: [UInt8]

    public init(number: UInt16, parameters: [UInt8] = []) {
        self.number = number
        self.parameters = parameters
    }

    public static let md5 = STUNPasswordAlgorithm(number: 1)
    public static let sha256 = STUNPasswordAlgorithm(number: 2)
}
