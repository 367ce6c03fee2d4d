import Base

/// The type of a record or a question (RFC 1035 3.2.2 and successors); any value can occur.
public struct DNSRecordType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(_ rawValue: UInt16) { self.rawValue = rawValue }

    public static let a = Self(1)
    public static let ns = Self(2)
    public static let cname = Self(5)
    public static let soa = Self(6)
    public static let ptr = Self(12)
    public static let txt = Self(16)
    public static let aaaa = Self(28)
    /// RFC 2782.
    public static let srv = Self(33)
    /// RFC 3403.
    public static let naptr = Self(35)
    /// RFC 6891.
    public static let opt = Self(41)
    /// In questions only: every type.
    public static let any = Self(255)

    public var description: String {
        switch self {
        case .a: "A"
        case .ns: "NS"
        case .cname: "CNAME"
        case .soa: "SOA"
        case .ptr: "PTR"
        case .txt: "TXT"
        case .aaaa: "AAAA"
        case .srv: "SRV"
        case .naptr: "NAPTR"
        case .opt: "OPT"
        case .any: "ANY"
        default: "TYPE\(rawValue)"
        }
    }
}

/// RFC 2782: a service's host and port.
public struct DNSServiceRecord: Hashable, Sendable {
    /// Lower is tried first.
    public var priority: UInt16
    /// Share among equals of a priority.
    public var weight: UInt16
    public var port: UInt16
    /// The root says that the service decidedly is not offered.
    public var target: DNSName

    public init(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }
}

/// RFC 3403 4.1: a rule that rewrites a name into another.
public struct DNSNamingRecord: Hashable, Sendable {
    /// Lower is looked at first, and decides.
    public var order: UInt16
    /// Lower is preferred among equals of an order.
    public var preference: UInt16
    public var flags: [UInt8]
    public var service: [UInt8]
    public var regexp: [UInt8]
    public var replacement: DNSName

    public init(order: UInt16, preference: UInt16, flags: String, service: String, regexp: String = "", replacement: DNSName) {
        self.init(
            order: order, preference: preference, flags: Array(flags.utf8), service: Array(service.utf8),
            regexp: Array(regexp.utf8), replacement: replacement)
    }

    /// Texts of at most 255 bytes; longer ones are cut when printed.
    public init(
        order: UInt16, preference: UInt16, flags: [UInt8], service: [UInt8], regexp: [UInt8], replacement: DNSName
    ) {
        self.order = order
        self.preference = preference
        self.flags = flags
        self.service = service
        self.regexp = regexp
        self.replacement = replacement
    }
}

/// RFC 1035 3.3.13: the start of a zone of authority.
public struct DNSAuthorityRecord: Hashable, Sendable {
    public var primary: DNSName
    public var mailbox: DNSName
    public var serial: UInt32
    /// Seconds, like the three after it.
    public var refresh: UInt32
    public var retry: UInt32
    public var expire: UInt32
    /// How long the absence of a name may be remembered (RFC 2308 4).
    public var minimum: UInt32

    public init(
        primary: DNSName, mailbox: DNSName, serial: UInt32 = 1, refresh: UInt32 = 3600, retry: UInt32 = 600,
        expire: UInt32 = 86_400, minimum: UInt32 = 60
    ) {
        self.primary = primary
        self.mailbox = mailbox
        self.serial = serial
        self.refresh = refresh
        self.retry = retry
        self.expire = expire
        self.minimum = minimum
    }
}

/// What a record says.
public enum DNSRecordData: Hashable, Sendable {
    case a(IPv4Address)
    case aaaa(IPv6Address)
    case ns(DNSName)
    case cname(DNSName)
    case ptr(DNSName)
    case soa(DNSAuthorityRecord)
    case srv(DNSServiceRecord)
    case naptr(DNSNamingRecord)
    /// Strings of at most 255 bytes; longer ones are cut when printed.
    case txt([[UInt8]])
    /// The options, raw; size and flags stand in the record's class and TTL (RFC 6891 6.1).
    case opt([UInt8])
    case unknown(DNSRecordType, [UInt8])

    public var type: DNSRecordType {
        switch self {
        case .a: .a
        case .aaaa: .aaaa
        case .ns: .ns
        case .cname: .cname
        case .ptr: .ptr
        case .soa: .soa
        case .srv: .srv
        case .naptr: .naptr
        case .txt: .txt
        case .opt: .opt
        case .unknown(let type, _): type
        }
    }
}

/// A resource record (RFC 1035 4.1.3).
public struct DNSRecord: Hashable, Sendable {
    public var name: DNSName
    /// 1 is the Internet; in an OPT record the UDP size its sender takes.
    public var recordClass: UInt16
    /// Seconds, as received: values above 2^31 - 1 count as 0 (RFC 2181 8).
    public var ttl: UInt32
    public var data: DNSRecordData

    public init(_ name: DNSName, ttl: UInt32 = 3600, _ data: DNSRecordData, class recordClass: UInt16 = 1) {
        self.name = name
        self.recordClass = recordClass
        self.ttl = ttl
        self.data = data
    }

    public var type: DNSRecordType { data.type }

    /// The OPT record by which a sender says that it takes UDP messages of `size` bytes.
    public static func extensions(udpSize size: UInt16) -> DNSRecord {
        DNSRecord(.root, ttl: 0, .opt([]), class: size)
    }
}
