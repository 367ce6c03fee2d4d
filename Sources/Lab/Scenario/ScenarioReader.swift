import ALG
import Base
import NAT
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

/// Reads a scenario out of a configuration tree; every mistake is reported with its place, its key and what was expected.
struct ScenarioReader {
    var links: [Scenario.Link] = []
    var routers: [Scenario.Router] = []
    var servers: [Scenario.Server] = []
    var phones: [Scenario.Phone] = []
    var stunServers: [Scenario.STUN] = []
    var nameServers: [Scenario.Names] = []
    var calls: [Scenario.Call] = []
    /// Phones make and take calls only where there are some: a phone that never does behaves as it always did.
    var hasCalls = false
    /// Every name given to a box, so that none is given twice.
    var taken: Set<String> = []

    mutating func read(_ node: ConfigNode) throws(ConfigError) -> Scenario {
        var root = try ConfigReader(node)
        let name = try root.string("name") ?? "scenario"
        let seed = try root.value("seed", expected: "a whole number from 0 up") { UInt64($0) } ?? 2007
        let length = try root.duration("length")
        try readLinks(&root)
        hasCalls = !root.list("calls").isEmpty
        // Routers first: hosts find their gateways among them.
        try each("routers", &root) { (reader, entry) throws(ConfigError) in try reader.readRouter(&entry) }
        try each("servers", &root) { (reader, entry) throws(ConfigError) in try reader.readServer(&entry) }
        try each("stun-servers", &root) { (reader, entry) throws(ConfigError) in try reader.readSTUN(&entry) }
        try each("name-servers", &root) { (reader, entry) throws(ConfigError) in try reader.readNames(&entry) }
        try each("phones", &root) { (reader, entry) throws(ConfigError) in try reader.readPhone(&entry) }
        try each("calls", &root) { (reader, entry) throws(ConfigError) in reader.calls.append(try reader.readCall(&entry)) }
        var events: [Scenario.Event] = []
        try each("events", &root) { (reader, entry) throws(ConfigError) in events.append(try reader.readEvent(&entry)) }
        var expectations: [Scenario.Expectation] = []
        try each("expect", &root) { (reader, entry) throws(ConfigError) in
            expectations.append(try reader.readExpectation(&entry))
        }
        try root.finish()
        let callEnds = calls.map { $0.at + ($0.length ?? .zero) }
        let last = (events.map(\.at) + expectations.map(\.at) + callEnds).max() ?? .zero
        return Scenario(
            name: name, seed: seed, start: Instant(seconds: 1_184_148_108),
            length: length ?? max(last + .seconds(60), .seconds(120)),
            links: links, routers: routers, servers: servers, phones: phones, stunServers: stunServers, nameServers: nameServers,
            calls: calls, events: events, expectations: expectations)
    }

    private mutating func each(
        _ key: String, _ root: inout ConfigReader, _ read: (inout ScenarioReader, inout ConfigReader) throws(ConfigError) -> Void
    ) throws(ConfigError) {
        for (index, node) in root.list(key).enumerated() {
            var entry = try ConfigReader(node, path: "\(key)[\(index)]")
            try read(&self, &entry)
            try entry.finish()
        }
    }

    // MARK: Links

    private mutating func readLinks(_ root: inout ConfigReader) throws(ConfigError) {
        if var section = try root.section("links") {
            for entry in section.allEntries() {
                var link = try ConfigReader(entry.value, path: "links.\(entry.key)")
                links.append(Scenario.Link(name: entry.key, properties: try Self.readProperties(&link, LinkProperties())))
                try link.finish()
            }
        }
        if !links.contains(where: { $0.name == "internet" }) {
            links.insert(Scenario.Link(name: "internet", properties: LinkProperties(latency: .milliseconds(20))), at: 0)
        }
    }

    static let propertyKeys = ["latency", "jitter", "loss", "duplication", "reordering", "reordering-delay", "mtu"]

    static func readProperties(_ reader: inout ConfigReader, _ base: LinkProperties) throws(ConfigError) -> LinkProperties {
        var properties = base
        properties.latency = try reader.duration("latency") ?? base.latency
        properties.jitter = try reader.duration("jitter") ?? base.jitter
        properties.loss = try reader.fraction("loss") ?? base.loss
        properties.duplication = try reader.fraction("duplication") ?? base.duplication
        properties.reordering = try reader.fraction("reordering") ?? base.reordering
        properties.reorderingDelay = try reader.duration("reordering-delay") ?? base.reorderingDelay
        properties.mtu = try reader.integer("mtu", in: 68...65_535) ?? base.mtu
        return properties
    }

    func readLink(_ reader: inout ConfigReader, _ key: String = "link", otherwise: String? = nil) throws(ConfigError) -> String {
        guard let name = try reader.string(key) ?? otherwise else {
            throw reader.mistake(key, "expected the name of a link; there are \(list(links.map(\.name)))")
        }
        guard links.contains(where: { $0.name == name }) else {
            throw reader.mistake(key, "there is no link \"\(name)\"; there are \(list(links.map(\.name)))")
        }
        return name
    }

    func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }

    mutating func readName(_ reader: inout ConfigReader) throws(ConfigError) -> String {
        guard let name = try reader.string("name"), !name.isEmpty else { throw reader.mistake("name", "expected a name") }
        guard taken.insert(name).inserted else { throw reader.mistake("name", "another box is already called \"\(name)\"") }
        return name
    }

    // MARK: Hosts

    mutating func readSite(_ reader: inout ConfigReader) throws(ConfigError) -> Scenario.Site {
        let link = try readLink(&reader, otherwise: "internet")
        let gateway = try reader.address("gateway")
        let prefixes = try reader.values("address", expected: "an address such as 192.0.2.1 or 192.168.1.5/24") { IPPrefix($0) }
        guard !prefixes.isEmpty else {
            throw reader.mistake("address", "expected an address such as 192.0.2.1 or 192.168.1.5/24")
        }
        let router = routers.first { $0.lan == link }
        let addresses = prefixes.map { prefix in
            let isV6 = prefix.address.isIPv6
            let own: IPAddress? = isV6 ? router?.settings.lanIPv6.map { .v6($0) } : router.map { .v4($0.settings.lanAddress) }
            let isBare = prefix.length == (isV6 ? 128 : 32)
            // Without a router a link is flat: everybody on it is a neighbour.
            let length = isBare ? (own == nil ? 0 : isV6 ? 64 : 24) : prefix.length
            let given = gateway.flatMap { $0.isIPv6 == isV6 ? $0 : nil }
            return HostStack.HostAddress(prefix.address, prefixLength: length, gateway: given ?? own)
        }
        return Scenario.Site(link: link, addresses: addresses)
    }
}

extension Scenario {
    /// Reads a scenario file's tree. Throws the first mistake.
    public init(_ node: ConfigNode) throws(ConfigError) {
        var reader = ScenarioReader()
        self = try reader.read(node)
    }
}
