import Base
import HEPEdge
import LogEdge
import STUNStack
import SIPStack
import ServerNode
import Storage
import Streams

/// Everything `pinhole serve` can be told, read from one configuration tree (file, environment and flags laid over each other).
public struct ServeSettings: Sendable {
    /// The STUN service of its own (RFC 8489, RFC 5780), besides the answers on the SIP port.
    public struct STUN: Sendable {
        public var isOn = true
        public var port: UInt16 = 3478
        /// A concrete address of ours; needed with `alternate` where the server listens on every address.
        public var address: IPAddress?
        /// The second address and second port of RFC 5780.
        public var alternate: Endpoint?
    }

    /// SIP over TCP, TLS and WebSocket (RFC 3261 18, RFC 7118).
    public struct StreamPorts: Sendable {
        /// nil: wherever UDP is. Empty: nowhere.
        public var tcp: [Endpoint]?
        /// nil: one port above each SIP port, unless `listen` was chosen and `certificate` was not.
        public var tls: [Endpoint]?
        public var ws: [Endpoint] = []
        public var wss: [Endpoint] = []
        /// PEM files for TLS and WSS; nil: a self-signed certificate, made at the first start and kept beside the database.
        public var certificate: (chain: String, key: String)?
        /// Host names and addresses the self-signed certificate is for; empty: this machine's.
        public var names: [String] = []
        public var limits = StreamSettings()
    }

    /// Where SIP is listened for, UDP. Unspecified addresses mean every address of that family.
    public var listen: [Endpoint] = ServeSettings.everywhere(port: 5060)
    /// True when `listen` was not chosen: then a family the system lacks is passed over.
    public var listensByDefault = true
    public var streams = StreamPorts()
    public var media = Media()
    public var stun = STUN()
    /// How much records of calls may take.
    public var records = CallRecordQuota()
    /// nil: there are no accounts, and nothing is stored.
    public var database: String?
    /// When a binding counts as stored; nil: bindings live in memory only, accounts still come from the database.
    public var durability: PinholeDatabase.Durability? = .process
    public var server = ServerSettings()
    public var log = LogSettings()
    /// How long calls that run may go on after the server was told to stop.
    public var drainFor = Duration.seconds(10)
    public var control = Control.usual
    /// Where metrics are told over HTTP; nil: nowhere.
    public var metrics: Endpoint? = ServeSettings.usualMetrics
    /// Who is told of every SIP message; nil: nobody.
    public var hep: HEPSettings?
    public var showsSIP = false
    /// Digests, keys and people's texts in it as well.
    public var showsSecrets = false

    /// MD5 alone is offered unless told otherwise: many phones give up at a challenge that names any other algorithm.
    public init() { server.algorithms = [.md5] }

    public static func everywhere(port: UInt16) -> [Endpoint] {
        [Endpoint(.v4(.any), port), Endpoint(.v6(.any), port)]
    }

    /// Every key there is, for the environment's names (`stun.port` is `PINHOLE_STUN_PORT`).
    public static let keys =
        [
            "listen", "port", "realm", "domains", "profile", "nat", "database", "durability", "sip-debug", "software",
            "stun.enabled", "stun.port", "stun.address", "stun.alternate", "stun.on-sip-port",
            "registrar.shortest", "registrar.usual", "registrar.longest", "registrar.contacts",
            "keepalive.interval", "keepalive.answer-within", "keepalive.failures",
            "digest.algorithms", "digest.nonce-lifetime", "digest.uri",
            "limits.bindings", "limits.trusted", "limits.messages-per-second",
            "tcp", "ws", "wss", "tls.listen", "tls.certificate", "tls.key", "tls.names", "websocket.origins",
            "limits.connections", "limits.connections-per-address", "limits.calls", "limits.calls-per-account",
            "limits.records", "limits.records-per-account", "limits.record-megabytes",
            "advertise", "rooms", "pickup-groups", "intercom-groups",
        ] + callKeys + processKeys + watchingKeys

    /// `stun.on-sip-port` -> `PINHOLE_STUN_ON_SIP_PORT`.
    public static func environmentName(of key: String) -> String {
        "PINHOLE_"
            + String(key.map { $0 == "." || $0 == "-" ? "_" : $0 }).uppercased()
    }

    /// Lays the environment over `root`. Lists are comma-separated there. Throws for a `PINHOLE_` name that means nothing.
    public static func overlay(environment: [String: String], on root: inout ConfigNode) throws(ConfigError) {
        let names = Dictionary(
            uniqueKeysWithValues: keys.filter { !listsOfMaps.contains($0) }.map { (environmentName(of: $0), $0) })
        for (name, value) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("PINHOLE_") && !otherVariables.contains(name) {
            guard let key = names[name] else {
                throw ConfigError(
                    at: .environment(variable: name), key: "",
                    "no setting has this name. Known: \(names.keys.sorted().joined(separator: ", "))")
            }
            root.override(key, with: node(value, key: key, at: .environment(variable: name)))
        }
    }

    /// The file's name, what `pinhole phone` reads, and what the project's scripts do.
    private static let otherVariables: Set<String> = [
        "PINHOLE_CONFIG", "PINHOLE_PASSWORD", "PINHOLE_SHARED", "PINHOLE_PATIENCE",
    ]

    /// What no single word can say.
    private static let listsOfMaps: Set<String> = ["advertise", "rooms", "pickup-groups", "intercom-groups"]

    private static let lists: Set<String> = [
        "listen", "domains", "digest.algorithms", "tcp", "ws", "wss", "tls.listen", "tls.names",
        "websocket.origins",
    ]

    /// A value given as one word; split at commas where `key` holds a list.
    public static func node(_ text: String, key: String, at place: ConfigPlace) -> ConfigNode {
        guard lists.contains(key) else { return ConfigNode(.scalar(text), at: place) }
        let parts = text.split(separator: ",").map { part in
            ConfigNode(.scalar(String(part.drop { $0 == " " })), at: place)
        }
        return ConfigNode(.sequence(parts), at: place)
    }

    /// Reads the tree; the first mistake is thrown with its place, key and what was expected.
    public init(_ root: ConfigNode) throws(ConfigError) {
        self.init()
        var reader = try ConfigReader(root)
        if let port = try reader.port("port") {
            listen = Self.everywhere(port: port)
        }
        let chosen = try reader.values("listen", expected: "an address and port such as 0.0.0.0:5060 or [::]:5060") { text in
            Endpoint(text) ?? IPAddress(text).map { Endpoint($0, 5060) }
        }
        if !chosen.isEmpty {
            listen = chosen
            listensByDefault = false
        }
        try readStreams(&reader)
        try readCalls(&reader)
        try readProcess(&reader)
        try readServer(&reader)
        try readWatching(&reader)
        if let text = try reader.string("database") { database = ["no", "none", "off"].contains(text) ? nil : text }
        let durabilities: KeyValuePairs<String, PinholeDatabase.Durability?> = [
            "process": .process, "power": .power, "none": nil,
        ]
        if let chosen = try reader.choice("durability", durabilities) { durability = chosen }
        if case .scalar("everything")? = reader.node("sip-debug")?.content {
            (showsSIP, showsSecrets) = (true, true)
        } else {
            showsSIP = try reader.bool("sip-debug") ?? showsSIP
        }
        if var section = try reader.section("stun") { try readSTUN(&section) }
        if var section = try reader.section("registrar") { try readRegistrar(&section) }
        if var section = try reader.section("keepalive") { try readKeepalive(&section) }
        if var section = try reader.section("digest") { try readDigest(&section) }
        if var section = try reader.section("limits") { try readLimits(&section) }
        for (index, node) in reader.list("advertise").enumerated() {
            server.advertised.append(try Self.advertised(node, path: "advertise[\(index)]"))
        }
        try reader.finish()
        server.isPersistent = database != nil && durability != nil
    }

    private mutating func readServer(_ reader: inout ConfigReader) throws(ConfigError) {
        if try reader.choice("profile", ["pinhole": ServerSettings.Profile.pinhole, "chan_sip": .chanSIP]) == .chanSIP {
            server = .chanSIP(natHandling: true)
        }
        server.natHandling = try reader.bool("nat") ?? server.natHandling
        server.realm =
            try reader.value("realm", expected: "a realm without quotes or control characters") { text in
                text.isEmpty || text.utf8.contains { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c } ? nil : text
            } ?? server.realm
        server.domains = try reader.values("domains", expected: "a domain name or address") { $0.isEmpty ? nil : $0.lowercased() }
        server.software = try reader.string("software") ?? server.software
    }

    private mutating func readSTUN(_ reader: inout ConfigReader) throws(ConfigError) {
        stun.isOn = try reader.bool("enabled") ?? stun.isOn
        stun.port = try reader.port("port") ?? stun.port
        stun.address = try reader.address("address")
        stun.alternate = try reader.value("alternate", expected: "a second address and port such as 203.0.113.11:3479") {
            Endpoint($0)
        }
        server.answersSTUN = try reader.bool("on-sip-port") ?? server.answersSTUN
        if let alternate = stun.alternate {
            let primary =
                stun.address ?? listen.map(\.address).first { !$0.isUnspecified && $0.isIPv6 == alternate.address.isIPv6 }
            guard let primary else {
                throw reader.mistake(
                    "alternate", "needs stun.address as well: the address of this machine that is the first of the two")
            }
            stun.address = primary
            guard STUNAlternate(primary: Endpoint(primary, stun.port), alternate: alternate) != nil else {
                throw reader.mistake(
                    "alternate",
                    "expected another address and another port than \(Endpoint(primary, stun.port)), of the same family")
            }
        }
        try reader.finish()
    }

    private mutating func readRegistrar(_ reader: inout ConfigReader) throws(ConfigError) {
        func seconds(_ key: String, _ usual: UInt32) throws(ConfigError) -> UInt32 {
            guard let duration = try reader.duration(key) else { return usual }
            guard (1...31_536_000).contains(duration.wholeSeconds) else {
                throw reader.mistake(key, "expected a duration from 1s to 365d")
            }
            return UInt32(duration.wholeSeconds)
        }
        server.expiry.shortest = try seconds("shortest", server.expiry.shortest)
        server.expiry.usual = try seconds("usual", server.expiry.usual)
        server.expiry.longest = try seconds("longest", server.expiry.longest)
        guard server.expiry.shortest <= server.expiry.usual, server.expiry.usual <= server.expiry.longest else {
            throw reader.mistake("usual", "expected shortest <= usual <= longest")
        }
        if let contacts = try reader.integer("contacts", in: 1...1000) { server.limits.contactsPerAOR = contacts }
        try reader.finish()
    }

    private mutating func readKeepalive(_ reader: inout ConfigReader) throws(ConfigError) {
        if let text = try reader.string("interval") {
            if ["off", "no", "never"].contains(text) {
                server.keepalive.interval = nil
            } else {
                let interval = try reader.duration("interval")
                guard let interval, interval >= .seconds(1) else {
                    throw reader.mistake("interval", "expected at least 1s, or off")
                }
                server.keepalive.interval = interval
            }
        }
        server.keepalive.answerWithin = try reader.duration("answer-within") ?? server.keepalive.answerWithin
        server.keepalive.failures = try reader.integer("failures", in: 1...100) ?? server.keepalive.failures
        try reader.finish()
    }

    private mutating func readDigest(_ reader: inout ConfigReader) throws(ConfigError) {
        let algorithms = try reader.values("algorithms", expected: "MD5, SHA-256 or SHA-512-256") {
            DigestAlgorithm(token: Array($0.utf8)[...])
        }
        if !algorithms.isEmpty { server.algorithms = algorithms }
        server.nonceLifetime = try reader.duration("nonce-lifetime") ?? server.nonceLifetime
        server.digestURI = try reader.choice("uri", ["lenient": .lenient, "strict": .strict]) ?? server.digestURI
        try reader.finish()
    }

    private mutating func readLimits(_ reader: inout ConfigReader) throws(ConfigError) {
        if try reader.bool("trusted") == true { server.limits.trustEverybody() }
        server.limits.calls = try reader.integer("calls", in: 1...1_000_000) ?? server.limits.calls
        server.limits.callsPerAccount =
            try reader.integer("calls-per-account", in: 1...1_000_000) ?? server.limits.callsPerAccount
        records.records = try reader.integer("records", in: 1...100_000_000) ?? records.records
        records.recordsPerAccount =
            try reader.integer("records-per-account", in: 1...100_000_000) ?? min(records.recordsPerAccount, records.records)
        if let size = try reader.integer("record-megabytes", in: 1...1_000_000) { records.bytes = Int64(size) << 20 }
        if let bindings = try reader.integer("bindings", in: 1...100_000_000) { server.limits.bindings = bindings }
        if let rate = try reader.integer("messages-per-second", in: 1...10_000_000) {
            server.limits.messagesPerSource = .init(perSecond: UInt32(rate), burst: UInt32(rate) * 4)
        }
        let limit = 1...1_000_000
        streams.limits.connections = try reader.integer("connections", in: limit) ?? streams.limits.connections
        streams.limits.connectionsPerAddress =
            try reader.integer("connections-per-address", in: limit) ?? streams.limits.connectionsPerAddress
        try reader.finish()
    }

    private static func advertised(_ node: ConfigNode, path: String) throws(ConfigError) -> ServerSettings.AdvertisedAddress {
        var reader = try ConfigReader(node, path: path)
        let network = try reader.value("network", expected: "a network such as 10.0.0.0/8") { IPPrefix($0) }
        let host = try reader.string("host")
        let port = try reader.port("port")
        guard let network else { throw reader.mistake("network", "is missing: the network whose phones see this address") }
        guard let host else {
            throw reader.mistake("host", "is missing: the host name or address phones of \(network) reach us by")
        }
        try reader.finish()
        return .init(peers: network, host: host, port: port)
    }
}
