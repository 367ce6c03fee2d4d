/// The 16-bit type of a STUN attribute (IANA "STUN Attributes"); any value can occur.
public struct STUNAttributeType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable
    init(_ rawValue: UInt16) { self.rawValue = rawValue }

    /// Below 0x8000: an agent that does not know it must not process the message (RFC 8489 14).
    @inlinable
    public var isComprehensionRequired: Bool { rawValue < 0x8000 }

    public static let mappedAddress = Self(0x0001)
    /// RFC 3489 only.
    public static let responseAddress = Self(0x0002)
    /// RFC 3489, RFC 5780.
    public static let changeRequest = Self(0x0003)
    /// RFC 3489 only; RESPONSE-ORIGIN succeeds it.
    public static let sourceAddress = Self(0x0004)
    /// RFC 3489 only; OTHER-ADDRESS succeeds it.
    public static let changedAddress = Self(0x0005)
    public static let username = Self(0x0006)
    /// RFC 3489 only.
    public static let password = Self(0x0007)
    public static let messageIntegrity = Self(0x0008)
    public static let errorCode = Self(0x0009)
    public static let unknownAttributes = Self(0x000a)
    /// RFC 3489 only.
    public static let reflectedFrom = Self(0x000b)
    public static let realm = Self(0x0014)
    public static let nonce = Self(0x0015)
    public static let messageIntegritySHA256 = Self(0x001c)
    public static let passwordAlgorithm = Self(0x001d)
    public static let userhash = Self(0x001e)
    public static let xorMappedAddress = Self(0x0020)
    /// ICE (RFC 8445).
    public static let priority = Self(0x0024)
    /// ICE (RFC 8445).
    public static let useCandidate = Self(0x0025)
    /// RFC 5780.
    public static let padding = Self(0x0026)
    /// RFC 5780.
    public static let responsePort = Self(0x0027)
    public static let passwordAlgorithms = Self(0x8002)
    public static let alternateDomain = Self(0x8003)
    /// What servers sent for XOR-MAPPED-ADDRESS while RFC 5389 was a draft.
    public static let draftXORMappedAddress = Self(0x8020)
    public static let software = Self(0x8022)
    public static let alternateServer = Self(0x8023)
    /// RFC 5780.
    public static let cacheTimeout = Self(0x8027)
    public static let fingerprint = Self(0x8028)
    /// ICE (RFC 8445).
    public static let iceControlled = Self(0x8029)
    /// ICE (RFC 8445).
    public static let iceControlling = Self(0x802a)
    /// RFC 5780.
    public static let responseOrigin = Self(0x802b)
    /// RFC 5780.
    public static let otherAddress = Self(0x802c)

    /// The RFCs' name, or the number.
    public var description: String {
        switch self {
        case .mappedAddress: "MAPPED-ADDRESS"
        case .responseAddress: "RESPONSE-ADDRESS"
        case .changeRequest: "CHANGE-REQUEST"
        case .sourceAddress: "SOURCE-ADDRESS"
        case .changedAddress: "CHANGED-ADDRESS"
        case .username: "USERNAME"
        case .password: "PASSWORD"
        case .messageIntegrity: "MESSAGE-INTEGRITY"
        case .errorCode: "ERROR-CODE"
        case .unknownAttributes: "UNKNOWN-ATTRIBUTES"
        case .reflectedFrom: "REFLECTED-FROM"
        case .realm: "REALM"
        case .nonce: "NONCE"
        case .messageIntegritySHA256: "MESSAGE-INTEGRITY-SHA256"
        case .passwordAlgorithm: "PASSWORD-ALGORITHM"
        case .userhash: "USERHASH"
        case .xorMappedAddress: "XOR-MAPPED-ADDRESS"
        case .priority: "PRIORITY"
        case .useCandidate: "USE-CANDIDATE"
        case .padding: "PADDING"
        case .responsePort: "RESPONSE-PORT"
        case .passwordAlgorithms: "PASSWORD-ALGORITHMS"
        case .alternateDomain: "ALTERNATE-DOMAIN"
        case .draftXORMappedAddress: "XOR-MAPPED-ADDRESS (draft)"
        case .software: "SOFTWARE"
        case .alternateServer: "ALTERNATE-SERVER"
        case .cacheTimeout: "CACHE-TIMEOUT"
        case .fingerprint: "FINGERPRINT"
        case .iceControlled: "ICE-CONTROLLED"
        case .iceControlling: "ICE-CONTROLLING"
        case .responseOrigin: "RESPONSE-ORIGIN"
        case .otherAddress: "OTHER-ADDRESS"
        default: "attribute 0x\(String(rawValue, radix: 16))"
        }
    }
}
