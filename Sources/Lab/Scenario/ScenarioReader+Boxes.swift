import ALG
import Base
import NAT
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// The boxes of a scenario.
extension ScenarioReader {
    mutating func readRouter(_ reader: inout ConfigReader) throws(ConfigError) {
        let name = try readName(&reader)
        guard var inner = try reader.section("lan"), let lan = try inner.value("address", expected: Self.v4Prefix, Self.prefixV4)
        else {
            throw reader.mistake(
                "lan", "expected link and address of the inside, such as { link: home, address: 192.168.1.1/24 }")
        }
        let lanLink = try readLink(&inner)
        let lanV6 = try inner.value("ipv6", expected: "an IPv6 address") { IPv6Address($0) }
        try inner.finish()
        guard var outer = try reader.section("wan"),
            let wan = try outer.value("address", expected: "an IPv4 address", { IPv4Address($0) })
        else {
            throw reader.mistake("wan", "expected the address of the outside, such as { link: internet, address: 192.0.2.1 }")
        }
        let wanLink = try readLink(&outer, otherwise: "internet")
        let wanV6 = try outer.value("ipv6", expected: "an IPv6 address") { IPv6Address($0) }
        try outer.finish()
        guard lanLink != wanLink else { throw reader.mistake("wan", "inside and outside are the same link, \"\(lanLink)\"") }

        let profile =
            try reader.choice("profile", ["generic": "generic", "speedtouch-780": "speedtouch-780", "linux": "linux"])
            ?? "generic"
        var settings: RouterSettings
        switch profile {
        case "speedtouch-780": settings = .speedtouch780(name: name, lan: lan.address, wan: wan)
        case "linux": settings = .linux(name: name, lan: lan.address, wan: wan)
        default:
            settings = .generic(
                name: name, lan: lan.address, wan: wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent)
        }
        settings.lanPrefix = IPPrefix(.v4(lan.address), length: lan.length)
        settings.lanIPv6 = lanV6
        settings.wanIPv6 = wanV6
        settings.lanRoutes += try reader.values("lan-routes", expected: "a prefix such as 10.0.0.0/8") { IPPrefix($0) }
        if let lanV6, !settings.lanRoutes.contains(where: { $0.contains(.v6(lanV6)) }) {
            // Hosts there have addresses of its /64 (RFC 4291 2.5.4), and the outside has to find them.
            settings.lanRoutes.append(IPPrefix(.v6(lanV6), length: 64))
        }
        if var nat = try reader.section("nat") {
            try readNAT(&nat, &settings)
            try nat.finish()
        }
        if try reader.bool("translates") == false { settings.nat = nil }
        let names = ALGProfile.known.map(\.name).joined(separator: ", ")
        if let alg = try reader.value("alg", expected: "one of \(names)", { ALGProfile.named($0) }) { settings.alg = alg }
        if let isOn = try reader.bool("alg-enabled") { settings.isALGEnabled = isOn }
        if let time = try reader.duration("reboot-time") { settings.rebootTime = time }
        routers.append(Scenario.Router(settings: settings, lan: lanLink, wan: wanLink))
    }

    private static let v4Prefix = "an IPv4 address with its prefix length, such as 192.168.1.1/24"

    private static func prefixV4(_ text: String) -> (address: IPv4Address, length: Int)? {
        guard let prefix = IPPrefix(text), case .v4(let address) = prefix.address else { return nil }
        return (address, prefix.length == 32 ? 24 : prefix.length)
    }

    private func readNAT(_ reader: inout ConfigReader, _ settings: inout RouterSettings) throws(ConfigError) {
        guard var nat = settings.nat else { return }
        let kinds: KeyValuePairs<String, Dependence> = [
            "endpoint-independent": .endpointIndependent, "address-dependent": .addressDependent,
            "address-and-port-dependent": .addressAndPortDependent,
        ]
        nat.mapping = try reader.choice("mapping", kinds) ?? nat.mapping
        nat.filtering = try reader.choice("filtering", kinds) ?? nat.filtering
        nat.timers.udp = try reader.duration("udp-timer") ?? nat.timers.udp
        nat.timers.udpUnanswered = try reader.duration("udp-timer-unanswered") ?? nat.timers.udpUnanswered
        nat.timers.inboundRefreshes = try reader.bool("inbound-refreshes") ?? nat.timers.inboundRefreshes
        nat.ports.preservesPort = try reader.bool("preserve-ports") ?? nat.ports.preservesPort
        nat.ports.preservesParity = try reader.bool("preserve-parity") ?? nat.ports.preservesParity
        if let port = try reader.port("ports-down-from") { nat.ports.order = .descending(from: port) }
        if let port = try reader.port("ports-up-from") { nat.ports.order = .ascending(from: port) }
        nat.hairpinning =
            try reader.choice(
                "hairpinning", ["off": .off, "external-source": .externalSource, "internal-source": .internalSource])
            ?? nat.hairpinning
        let more = try reader.values("addresses", expected: "an IPv4 address") { IPv4Address($0) }
        if !more.isEmpty { nat.externalAddresses = more }
        nat.pooling = try reader.choice("pooling", ["paired": .paired, "arbitrary": .arbitrary]) ?? nat.pooling
        nat.limits.mappings = try reader.integer("most-mappings", in: 1...65_536) ?? nat.limits.mappings
        settings.nat = nat
    }

    mutating func readServer(_ reader: inout ConfigReader) throws(ConfigError) {
        let name = try readName(&reader)
        let site = try readSite(&reader)
        let profile = try reader.choice("profile", ["pinhole": ServerSettings.Profile.pinhole, "chan_sip": .chanSIP]) ?? .pinhole
        let handling = try reader.bool("nat") ?? true
        var settings = ServerSettings()
        switch profile {
        case .pinhole: settings.natHandling = handling
        case .chanSIP: settings = .chanSIP(natHandling: handling)
        }
        settings.realm = try reader.string("realm") ?? settings.realm
        settings.domains = try reader.values("domains", expected: "a domain name") { $0 }
        if let text = try reader.string("keepalive") {
            if text == "off" || text == "no" {
                settings.keepalive.interval = nil
            } else {
                guard let interval = Duration(text: text), interval > .zero else {
                    throw reader.mistake("keepalive", "expected a duration such as 25s, or off; found \"\(text)\"")
                }
                settings.keepalive.interval = interval
            }
        }
        settings.nonceLifetime = try reader.duration("nonce-lifetime") ?? settings.nonceLifetime
        if let most = try reader.duration("expires-most") { settings.expiry.longest = UInt32(clamping: most.wholeSeconds) }
        if let least = try reader.duration("expires-least") { settings.expiry.shortest = UInt32(clamping: least.wholeSeconds) }
        let hasSTUN = try reader.bool("stun") ?? true
        var accounts: [Account] = []
        for (index, node) in reader.list("accounts").enumerated() {
            var account = try ConfigReader(node, path: reader.fullPath("accounts[\(index)]"))
            guard let user = try account.string("user"), let password = try account.string("password") else {
                throw account.mistake("user", "expected user and password")
            }
            let isDirect = try account.bool("direct-media") ?? false
            accounts.append(
                Account(username: user, realm: settings.realm, password: password, wantsDirectMedia: isDirect))
            try account.finish()
        }
        servers.append(Scenario.Server(name: name, site: site, settings: settings, accounts: accounts, hasSTUN: hasSTUN))
    }

    mutating func readSTUN(_ reader: inout ConfigReader) throws(ConfigError) {
        let name = try readName(&reader)
        let site = try readSite(&reader)
        var settings = STUNServerSettings()
        if let second = try reader.value("alternate", expected: "a second endpoint such as 192.0.2.2:3479", { Endpoint($0) }) {
            guard let first = site.addresses.first?.address,
                let alternate = STUNAlternate(primary: Endpoint(first, 3478), alternate: second)
            else { throw reader.mistake("alternate", "expected another address and another port than 3478, of the same family") }
            guard site.addresses.contains(where: { $0.address == second.address }) else {
                throw reader.mistake("alternate", "\(second.address) is not among this server's addresses")
            }
            if first.isIPv6 { settings.alternateIPv6 = alternate } else { settings.alternateIPv4 = alternate }
        }
        stunServers.append(Scenario.STUN(name: name, site: site, settings: settings))
    }

    mutating func readPhone(_ reader: inout ConfigReader) throws(ConfigError) {
        let name = try readName(&reader)
        let site = try readSite(&reader)
        guard let user = try reader.string("user") else { throw reader.mistake("user", "expected the phone's user name") }
        guard let password = try reader.string("password") else {
            throw reader.mistake("password", "expected the phone's password")
        }
        guard let registrar = try reader.string("registrar") else {
            throw reader.mistake("registrar", "expected the server's name or address")
        }
        let identity = PhoneSettings.Identity(
            user: user, displayName: try reader.string("display-name"), authUser: try reader.string("auth-user"),
            password: password,
            registrar: registrar, outboundProxy: try reader.string("outbound-proxy"))
        let behaviour =
            try reader.choice("behaviour", ["modern": PhoneSettings.Behaviour.modern, "seed": .seed]) ?? .modern
        let port = try reader.port("port") ?? 5060
        guard port > 0 else { throw reader.mistake("port", "expected a port from 1 to 65535, found 0") }
        let locals = site.addresses.map { Endpoint($0.address, port) }
        var settings = PhoneSettings(identity: identity, behaviour: behaviour, locals: locals)
        if behaviour == .seed, let local = locals.first {
            settings = .seed(identity: identity, local: local, stunServer: PhoneSettings.STUNServer(host: "0.0.0.0"))
            settings.locals = locals
        }
        if let transport = try reader.choice("transport", ["udp": SIPTransport.udp, "tcp": .tcp, "tls": .tls]) {
            guard behaviour == .modern || transport == .udp else {
                throw reader.mistake("transport", "the seed's phone speaks UDP only")
            }
            settings.transport = transport
        }
        settings.stunServer = try reader.value(
            "stun", expected: "a STUN server such as 192.0.2.3 or stun.example.net:3478", { PhoneSettings.STUNServer($0) })
        settings.stunInterval = try reader.duration("stun-interval") ?? settings.stunInterval
        settings.keepalive =
            try reader.choice(
                "keepalive", ["none": PhoneSettings.Keepalive.none, "crlf": .crlf, "stun": .stun, "options": .options])
            ?? settings.keepalive
        settings.keepaliveInterval = try reader.duration("keepalive-interval") ?? settings.keepaliveInterval
        if let expires = try reader.duration("expires") { settings.expires = UInt32(clamping: expires.wholeSeconds) }
        settings.rport = try reader.bool("rport") ?? settings.rport
        settings.instanceID = try reader.string("instance-id") ?? settings.instanceID
        settings.userAgent = try reader.string("user-agent") ?? settings.userAgent
        settings.dnsServers = try reader.values("dns", expected: "the address of a name server") { text in
            IPAddress(text).map { Endpoint($0, 53) } ?? Endpoint(text)
        }
        if hasCalls { try readCallSettings(&reader, &settings) }
        var startsAt: Duration? = .zero
        if let text = try reader.string("start") {
            startsAt = nil
            if text != "never" {
                guard let time = Duration(text: text) else {
                    throw reader.mistake("start", "expected a duration such as 10s, or never; found \"\(text)\"")
                }
                startsAt = time
            }
        }
        phones.append(Scenario.Phone(name: name, site: site, settings: settings, startsAt: startsAt))
    }
}
