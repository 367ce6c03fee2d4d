import ALG
import Base
import NAT

/// What is translated, and for how long.
extension RouterCommand {
    /// The NAT's mappings and the helper's pinholes, oldest first.
    var connections: String {
        var text = columns("Proto", "Inside", "Outside", "Towards", "Idle left", "Age", "Kept by")
        for row in view.snapshot.mappings {
            let mapping = row.mapping
            text += columns(
                "\(mapping.proto)", mapping.internal.description, mapping.external.description,
                mapping.remote?.description ?? "anyone", "\(row.idleLeft.wholeSeconds) s", "\(row.age.wholeSeconds) s",
                row.keeper.text)
        }
        for pinhole in view.snapshot.pinholes {
            text += columns(
                "hole", pinhole.inside.description, pinhole.external.description, pinhole.from?.description ?? "anyone",
                "\((pinhole.until - view.snapshot.at).wholeSeconds) s", "-", pinhole.isActive ? "ALG" : "ALG, not open yet")
        }
        return text
    }

    private func columns(
        _ proto: String, _ inside: String, _ outside: String, _ remote: String, _ left: String, _ age: String, _ keeper: String
    ) -> String {
        "\(cell(proto, 7))\(cell(inside, 23))\(cell(outside, 23))\(cell(remote, 23))\(cell(left, 11))\(cell(age, 9))\(keeper)\n"
    }

    func describe() throws(RouterCommandError) -> String {
        let rows = view.snapshot.mappings
        let text = try needed("id")
        guard let number = Int(text), rows.indices.contains(number - 1) else {
            throw RouterCommandError(
                rows.isEmpty
                    ? "id=\(text): there is no connection"
                    : "id=\(text): a number from 1 to \(rows.count) is wanted, the connection's place in list")
        }
        let row = rows[number - 1]
        let mapping = row.mapping
        let made =
            switch mapping.origin {
            case .outboundPacket: "a packet of its host"
            case .request: "the SIP helper"
            case .expectation: "a packet from outside, through a pinhole or a static mapping"
            }
        return """
            Connection    \(number)
            protocol      \(mapping.proto)
            inside        \(mapping.internal)
            outside       \(mapping.external)
            towards       \(mapping.remote?.description ?? "anyone")
            made by       \(made), \(row.age.wholeSeconds) s ago
            last out      \(mapping.lastOutbound.map(ago) ?? "never")
            last in       \(mapping.lastInbound.map(ago) ?? "never")
            kept by       \(row.keeper.text), \(row.sinceRefresh.wholeSeconds) s ago
            idle time     \(mapping.idle.wholeSeconds) s, \(row.idleLeft.wholeSeconds) s left
            state         \(mapping.tcp.map { "\($0)" } ?? "-")

            """
    }

    var info: String {
        "\(view.snapshot.name)\nConnections   \(view.snapshot.mappings.count)\nPinholes      \(view.snapshot.pinholes.count)\n"
    }

    var statistics: String {
        let nat = view.snapshot.nat
        let text = """
            Packets       \(nat.outbound) out, \(nat.inbound) in, \(nat.hairpinned) turned back inside
            Connections   \(view.snapshot.mappings.count) now; \(nat.created) made, \(nat.expired) expired, \(nat.evicted) evicted
            Refused       \(nat.refused) for want of room or ports
            Remotes       \(nat.sessionsEvicted) forgotten for want of room
            ICMP          \(nat.icmpSent) sent
            Dropped       \(nat.dropped)

            """
        return text + drops
    }

    private var drops: String {
        view.snapshot.statistics.drops.map { drop in
            "  \(cell(String(drop.count), 10))\(drop.interface == .lan ? "lan" : "wan")   \(drop.reason.text), last \(ago(drop.lastAt))\n"
        }.joined()
    }

    mutating func timers() throws(RouterCommandError) -> String {
        guard var timers = view.configuration.timers else { return "this router does not translate\n" }
        guard let name = value("timer") else {
            guard value("value") == nil else {
                throw RouterCommandError("timer is missing: timerconfig timer=TIMER value=SECONDS")
            }
            return RouterTimer.allCases.map { shown($0, timers) }.joined()
        }
        guard let timer = RouterTimer(rawValue: name) else {
            throw RouterCommandError(unknown: name, "a timer", RouterTimer.allCases.map(\.rawValue))
        }
        guard let value = value("value") else { return shown(timer, timers) }
        timers[timer] = try seconds("value", value)
        var configuration = view.configuration
        configuration.timers = timers
        actions.append(.configure(configuration))
        return ""
    }

    private func shown(_ timer: RouterTimer, _ timers: NATTimers) -> String {
        "\(cell(timer.rawValue, 10))\(timers[timer].wholeSeconds) s\n"
    }

    /// All that `appconfig`, `bind` and `timerconfig` set, as it would be typed.
    var configuration: String {
        let configuration = view.configuration
        let timeout = configuration.sipTimeout.map { " timeout=\($0.wholeSeconds)" } ?? ""
        var text = "appconfig application=SIP SIP_ALG=\(configuration.isALGEnabled ? "enabled" : "disabled")"
        text += " trace=\(configuration.isALGTracing ? "enabled" : "disabled")\(timeout)\n"
        for binding in configuration.sipPorts { text += "bind application=SIP port=\(binding.text)\n" }
        guard let timers = configuration.timers else { return text }
        for timer in RouterTimer.allCases {
            text += "timerconfig timer=\(timer.rawValue) value=\(timers[timer].wholeSeconds)\n"
        }
        return text
    }
}

extension NATTimers {
    fileprivate subscript(timer: RouterTimer) -> Duration {
        get {
            switch timer {
            case .udpidle: udp
            case .udpkill: udpUnanswered ?? udp
            case .tcpidle: tcpEstablished
            case .tcpkill: tcpTransitory
            case .icmpidle: icmpQuery
            }
        }
        set {
            switch timer {
            case .udpidle: udp = newValue
            case .udpkill: udpUnanswered = newValue
            case .tcpidle: tcpEstablished = newValue
            case .tcpkill: tcpTransitory = newValue
            case .icmpidle: icmpQuery = newValue
            }
        }
    }
}
