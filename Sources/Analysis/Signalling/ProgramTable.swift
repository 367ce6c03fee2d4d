import Capture

/// What programs call themselves in User-Agent and Server, each name once.
struct ProgramTable: Sendable {
    struct Program: Sendable {
        var name: String
        var place: EvidencePlace
        var isServer: Bool
        var isScanner: Bool
    }

    static let most = 2_000

    /// The first stands for unknown.
    private(set) var list = [
        Program(name: "", place: EvidencePlace(.frame, file: 0, number: 0), isServer: false, isScanner: false)
    ]
    private var numbers: [UInt64: UInt16] = [:]

    /// 0 when nothing is written or the table is full.
    mutating func number(_ p: Bytes, _ span: Span, isServer: Bool, _ place: EvidencePlace) -> UInt16 {
        guard !span.isEmpty else { return 0 }
        let hash = p.hash(span)
        if let number = numbers[hash] { return number }
        guard list.count < Self.most else { return 0 }
        let name = String(p.string(span).prefix(100))
        let number = UInt16(list.count)
        list.append(Program(name: name, place: place, isServer: isServer, isScanner: Self.isScanner(name)))
        numbers[hash] = number
        return number
    }

    subscript(_ number: UInt16) -> Program { list[min(Int(number), list.count - 1)] }

    /// Programs made to look for open or weakly guarded servers.
    private static let scanners = [
        "friendly-scanner", "friendly-request", "sipvicious", "sipcli", "vaxsipuseragent", "vaxipuseragent", "pplsip",
        "sundayddr",
        "sip-scan", "sipscan", "iwar", "smap", "siparmyknife", "sippts", "mr.sip", "gulp", "eyebeam release 3006o",
        "voipbuster-scan",
        "nmap", "zgrab", "sipptk", "custom-sip-scanner", "stretchoid", "cisco-sipgateway/ios-12.x-scan", "sipsak-scan",
    ]

    private static func isScanner(_ name: String) -> Bool {
        let lower = name.lowercased()
        return scanners.contains { lower.hasPrefix($0) }
    }

    /// How private exchanges and gateways call themselves, beside the programs of `ServerRole`.
    private static let exchanges = [
        "pbx", "3cx", "starface", "auerswald", "agfeo", "yeastar", "ucm6", "mivoice", "ipoffice", "ip office", "oxo",
        "innovaphone", "sipgateway", "switchvox", "openscape", "swyx",
    ]

    /// `name`: in lower case.
    static func isExchange(_ name: String) -> Bool { exchanges.contains { name.contains($0) } }
}
