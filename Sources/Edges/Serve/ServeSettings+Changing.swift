import Base

/// What of the configuration can change while a server runs.
extension ServeSettings {
    /// Keys whose new values count as soon as the configuration is read again; all others are for the next start.
    static let changeable: Set<String> = Set(
        keys.filter { key in
            ["registrar.", "keepalive.", "calls.", "log."].contains(where: key.hasPrefix)
                || ["tls.certificate", "tls.key", "websocket.origins", "digest.uri", "drain-for"].contains(key)
                || ["rooms", "pickup-groups", "intercom-groups"].contains(key)
                || ["limits.calls", "limits.calls-per-account", "limits.bindings", "limits.messages-per-second"].contains(key)
        }
    ).subtracting(["calls.keep-records"])

    /// What a configuration that was read again changes.
    public struct Change: Sendable {
        /// What counts from now on: the running one with all of the new one that can change.
        public var root: ConfigNode
        /// Keys that change.
        public var changed: [String] = []
        /// Keys that say something else and cannot change while the server runs, with the reason.
        public var refused: [(key: String, why: String)] = []
    }

    /// `running`: what counts now.
    public static func change(from running: ConfigNode, to new: ConfigNode) throws(ConfigError) -> Change {
        var change = Change(root: running)
        let before = try ServeSettings(running)
        // `tls: off`, and the end of it: there is no listener to change anything of.
        let isSwitched = isScalar(running.node(at: "tls")) != isScalar(new.node(at: "tls"))
        if isSwitched { change.refused.append(("tls", "is switched on or off at the start only; restart the server for it")) }
        for key in keys where !(isSwitched && key.hasPrefix("tls.")) {
            let (old, next) = (running.node(at: key), new.node(at: key))
            if let old, let next, old.says(theSameAs: next) { continue }
            guard old != nil || next != nil else { continue }
            guard changeable.contains(key) else {
                change.refused.append((key, "is read at the start only; restart the server for it"))
                continue
            }
            var changed = change.root
            changed.override(key, with: next ?? ConfigNode(.empty, at: .builtIn))
            if key == "rooms", try ServeSettings(changed).recordsRooms, !before.recordsRooms {
                change.refused.append((key, "a room is to be recorded, and none was at the start; restart the server for it"))
                continue
            }
            change.root = changed
            change.changed.append(key)
        }
        return change
    }

    private static func isScalar(_ node: ConfigNode?) -> Bool {
        if case .scalar? = node?.content { true } else { false }
    }

    private var recordsRooms: Bool { server.calls.rooms.contains(where: \.records) }
}
