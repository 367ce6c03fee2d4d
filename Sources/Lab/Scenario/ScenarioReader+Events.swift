import Base
import ServerNode
import VirtualNetwork

/// What happens in a scenario, and what is expected of it.
extension ScenarioReader {
    func known(_ reader: inout ConfigReader, _ key: String, _ names: [String]) throws(ConfigError) -> String? {
        guard let name = try reader.string(key) else { return nil }
        guard names.contains(name) else { throw reader.mistake(key, "there is no \(key) \"\(name)\"; there are \(list(names))") }
        return name
    }

    func readEvent(_ reader: inout ConfigReader) throws(ConfigError) -> Scenario.Event {
        guard let at = try reader.duration("at") else {
            throw reader.mistake("at", "expected a time from the start, such as 10m")
        }
        if let router = try known(&reader, "router", routers.map(\.settings.name)) {
            if let line = try reader.string("command") { return Scenario.Event(at: at, action: .command(router: router, line)) }
            if try reader.bool("reboot") == true { return Scenario.Event(at: at, action: .reboot(router: router)) }
            throw reader.mistake("router", "expected a command, or reboot: yes")
        }
        if let phone = try known(&reader, "phone", phones.map(\.name)) {
            let starts = try reader.choice("action", ["start": true, "stop": false])
            guard let starts else { throw reader.mistake("action", "expected start or stop") }
            return Scenario.Event(at: at, action: starts ? .start(phone: phone) : .stop(phone: phone))
        }
        if let name = try known(&reader, "link", links.map(\.name)), let link = links.first(where: { $0.name == name }) {
            if let isUp = try reader.choice("state", ["up": true, "down": false]) {
                return Scenario.Event(at: at, action: .link(name, isUp: isUp))
            }
            let properties = try Self.readProperties(&reader, link.properties)
            guard Self.propertyKeys.contains(where: { reader.node($0) != nil }) else {
                throw reader.mistake("link", "expected state: up or down, or a property that changes, such as loss: 10%")
            }
            return Scenario.Event(at: at, action: .properties(link: name, properties))
        }
        throw reader.mistake("at", "expected a router, a phone or a link to which something happens")
    }

    func readExpectation(_ reader: inout ConfigReader) throws(ConfigError) -> Scenario.Expectation {
        let place = reader.place
        if let router = try known(&reader, "router", routers.map(\.settings.name)) {
            guard let text = try reader.string("says") else { throw reader.mistake("says", "expected the text the router says") }
            return Scenario.Expectation(at: try time(&reader), claim: .says(router: router, text), place: place)
        }
        guard let phone = try known(&reader, "phone", phones.map(\.name)) else {
            throw reader.mistake(
                "phone", "expected a phone or a router; there are \(list(phones.map(\.name) + routers.map(\.settings.name)))")
        }
        if let by = try reader.duration("registered-by") {
            return Scenario.Expectation(at: by, claim: .registeredBy(phone: phone), place: place)
        }
        if let isRegistered = try reader.bool("registered") {
            return Scenario.Expectation(at: try time(&reader), claim: .registered(phone: phone, isRegistered), place: place)
        }
        if let text = try reader.string("status") {
            return Scenario.Expectation(at: try time(&reader), claim: .status(phone: phone, text), place: place)
        }
        if let isReachable = try reader.bool("reachable") {
            let server = try known(&reader, "server", servers.map(\.name)) ?? (servers.count == 1 ? servers[0].name : nil)
            guard let server else {
                throw reader.mistake("server", "expected which server asks; there are \(list(servers.map(\.name)))")
            }
            return Scenario.Expectation(
                at: try time(&reader), claim: .reachable(phone: phone, server: server, isReachable), place: place)
        }
        if let isStable = try reader.bool("port-stable") {
            let since = try reader.duration("since") ?? .zero
            return Scenario.Expectation(
                at: try time(&reader), claim: .portStable(phone: phone, isStable, since: since), place: place)
        }
        if let most = try reader.integer("registers-at-most", in: 0...1_000_000) {
            return Scenario.Expectation(at: try time(&reader), claim: .registersAtMost(phone: phone, most), place: place)
        }
        if let expectation = try readHearing(&reader, phone, place) { return expectation }
        throw reader.mistake(
            "phone",
            "expected one of registered-by, registered, status, reachable, port-stable, registers-at-most, hears, hears-not, audio"
        )
    }

    func time(_ reader: inout ConfigReader) throws(ConfigError) -> Duration {
        guard let at = try reader.duration("at") else {
            throw reader.mistake("at", "expected a time from the start, such as 10m")
        }
        return at
    }
}

/// Name servers.
extension ScenarioReader {
    mutating func readNames(_ reader: inout ConfigReader) throws(ConfigError) {
        let name = try readName(&reader)
        let site = try readSite(&reader)
        var records: [(name: String, text: String)] = []
        var section = try reader.section("records")
        for entry in section?.allEntries() ?? [] {
            let nodes: [ConfigNode] = if case .sequence(let nodes) = entry.value.content { nodes } else { [entry.value] }
            for node in nodes {
                let key = reader.fullPath("records.\(entry.key)")
                let expected =
                    "an address, cname TARGET, srv PRIORITY WEIGHT PORT TARGET or naptr ORDER PREFERENCE FLAGS SERVICE NAME"
                guard case .scalar(let text) = node.content else {
                    throw ConfigError(at: node.place, key: key, "expected \(expected)")
                }
                do {
                    _ = try NameServer([(entry.key, text)])
                } catch {
                    throw ConfigError(at: node.place, key: key, "expected \(expected), found \"\(text)\"")
                }
                records.append((entry.key, text))
            }
        }
        guard let server = try? NameServer(records) else { return }
        nameServers.append(Scenario.Names(name: name, site: site, server: server))
    }
}
