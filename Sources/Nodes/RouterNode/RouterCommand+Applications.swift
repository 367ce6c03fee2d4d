import ALG
import Base

/// The application helpers: of those here, SIP's.
extension RouterCommand {
    mutating func configureApplication() throws(RouterCommandError) -> String {
        guard try isSIP() else { throw RouterCommandError("application: only SIP can be configured here") }
        var configuration = view.configuration
        var changes = 0
        for (name, value) in arguments where name != "application" {
            switch name {
            case "sip_alg": configuration.isALGEnabled = try onOff(name, value)
            case "trace": configuration.isALGTracing = try onOff(name, value)
            case "timeout": configuration.sipTimeout = try seconds(name, value)
            // `childqos`: accepted as saved configurations hold it; there is no queueing here for it to choose.
            default: break
            }
            changes += 1
        }
        guard changes > 0 else {
            throw RouterCommandError("nothing to set: give SIP_ALG=enabled|disabled, trace=enabled|disabled or timeout=SECONDS")
        }
        actions.append(.configure(configuration))
        return ""
    }

    /// The state of the helper and what it did, which the family's own `appinfo` was not seen to show. This layout is ours.
    func applicationInfo() throws(RouterCommandError) -> String {
        guard try isSIP() else { return "\(try needed("application").uppercased()): known by name, not built\n" }
        let configuration = view.configuration
        let snapshot = view.snapshot
        let ports = configuration.sipPorts.map(\.text).joined(separator: ", ")
        let timeout = configuration.sipTimeout.map { "\($0.wholeSeconds) s" } ?? "as the profile says"
        let text = """
            Application   SIP
            SIP_ALG       \(configuration.isALGEnabled ? "enabled" : "disabled")
            profile       \(snapshot.profile)
            ports         \(ports.isEmpty ? "none bound" : ports)
            trace         \(configuration.isALGTracing ? "enabled" : "disabled")
            timeout       \(timeout)
            pinholes      \(snapshot.pinholes.count)

            """
        return text + counts + rewrites + drops
    }

    /// What it did so far; what it never did takes no line.
    private var counts: String {
        let done = view.snapshot.alg
        let moved = done.portsMoved > 0 ? ", \(times(done.portsMoved, "port")) moved" : ""
        let now = view.snapshot.heldPackets > 0 ? ", \(view.snapshot.heldPackets) now" : ""
        let lines: [(UInt64, String, String)] = [
            (
                done.outboundMessages + done.inboundMessages, "messages",
                "\(done.outboundMessages) out, \(done.inboundMessages) in"
            ),
            (done.rewriteCount, "rewritten", times(done.rewriteCount, "value")),
            (done.dropCount, "dropped", times(done.dropCount, "message")),
            (done.held, "held back", times(done.held, "message") + now),
            (done.redirected, "redirected", times(done.redirected, "response")),
            (done.splitMessages, "split", "\(times(done.splitMessages, "segment")) passed unread"),
            (done.mappingsTaken, "mappings", "\(done.mappingsTaken) taken for SIP alone, \(times(done.mappingsReused, "reuse"))"),
            (done.pinholesOpened, "opened", "\(times(done.pinholesOpened, "pinhole")), \(done.pinholesUsed) used\(moved)"),
            (done.evicted, "evicted", "\(done.evicted) for want of room"),
        ]
        return lines.map { $0.0 > 0 ? "\(cell($0.1, 14))\($0.2)\n" : "" }.joined()
    }

    private var rewrites: String {
        var text = ""
        for (field, direction, count) in view.snapshot.alg.rewrites {
            let last = count.last
            let way = direction == .outbound ? "out" : "in"
            text += "\(cell("rewrote", 14))\(field.title) \(way) \(times(count.count, "time")), last \(ago(last.at))\n"
            text += "\(cell("", 14))- \(visible(last.rewrite.before))\n\(cell("", 14))+ \(visible(last.rewrite.after))\n"
            text += "\(cell("", 14))\(last.flow)\n"
        }
        return text
    }

    private var drops: String {
        var text = ""
        for drop in view.snapshot.alg.drops {
            text += "\(cell("dropped", 14))\(times(drop.count, "time")), last \(ago(drop.at)): \(drop.last.text)\n"
            text += "\(cell("", 14))\(drop.flow)\n"
        }
        return text
    }

    var applicationList: String {
        var text = "Application   Protocol  Ports\n"
        for name in Self.applications {
            switch name {
            case "sip": text += row("SIP", "udp/tcp", view.configuration.sipPorts.map(\.text).joined(separator: ","))
            case "cone(udp)": text += row("CONE(UDP)", "udp", "3478-3479")
            default: text += row(name.uppercased(), "-", "not built")
            }
        }
        return text
    }

    var bindings: String {
        var text = "Application   Protocol  Ports\n"
        for binding in view.configuration.sipPorts { text += row("SIP", "udp/tcp", binding.text) }
        return text + row("CONE(UDP)", "udp", "3478-3479")
    }

    mutating func bind(_ adds: Bool) throws(RouterCommandError) -> String {
        guard try isSIP() else { throw RouterCommandError("application: only SIP can be bound here") }
        let text = try needed("port")
        let binding = try ports(text)
        var configuration = view.configuration
        if adds {
            guard !configuration.sipPorts.contains(binding) else { throw RouterCommandError("port=\(text): bound already") }
            guard configuration.sipPorts.count < view.settings.limits.sipPorts else {
                throw RouterCommandError("port=\(text): \(view.settings.limits.sipPorts) bindings are the most")
            }
            configuration.sipPorts.append(binding)
        } else {
            guard let index = configuration.sipPorts.firstIndex(of: binding) else {
                let bound = configuration.sipPorts.map(\.text).joined(separator: ", ")
                throw RouterCommandError("port=\(text): not bound; bound are: \(bound.isEmpty ? "none" : bound)")
            }
            configuration.sipPorts.remove(at: index)
        }
        actions.append(.configure(configuration))
        return ""
    }

    func row(_ name: String, _ proto: String, _ ports: String) -> String { "\(cell(name, 14))\(cell(proto, 10))\(ports)\n" }

    func times(_ count: UInt64, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }

    func ago(_ at: Instant) -> String { "\((view.snapshot.at - at).wholeSeconds) s ago" }

    /// Text of a peer's, safe for a terminal.
    func visible(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? $0 : "?" }))
    }
}
