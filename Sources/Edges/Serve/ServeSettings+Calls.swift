import Base
import ServerNode

/// The part of the settings that is about calls, rooms and media.
extension ServeSettings {
    /// What calls need of this machine.
    public struct Media: Sendable {
        /// Where media ports are taken from, two a stream; each is bound ahead on every address SIP is listened on. nil: the first of
        /// `usualPorts` in which any are free, so that a second server on a machine starts as well.
        public var ports: ClosedRange<UInt16>?
        public static let usualPorts: [ClosedRange<UInt16>] = [16_384...20_479, 20_480...24_575, 24_576...28_671]
        /// Threads that carry media; all of a call's is on one.
        public var loops = 1
        /// Whether SRTP is offered to phones whose SIP is encrypted, and taken from everybody.
        public var isSecurable = true
        /// Whether media are taken from whoever sends first, where nothing better comes.
        public var believesAnyone = false
        /// Where recordings of rooms go; nil: beside the database, in `recordings`.
        public var recordings: String?
    }

    static let callKeys = [
        "calls.anonymous", "calls.ring-for", "calls.echo", "calls.tone", "calls.address", "calls.rooms", "calls.session-expires",
        "calls.forwarding", "calls.keep-records", "media.ports", "media.loops", "media.srtp",
        "media.source", "media.recordings",
    ]

    mutating func readCalls(_ reader: inout ConfigReader) throws(ConfigError) {
        if var section = try reader.section("calls") {
            server.calls.anonymousCalls = try section.bool("anonymous") ?? server.calls.anonymousCalls
            server.calls.ringFor = try Self.atLeast(.seconds(1), "ring-for", &section) ?? server.calls.ringFor
            server.calls.echo = try Self.number("echo", server.calls.echo, &section)
            server.calls.tone = try Self.number("tone", server.calls.tone, &section)
            server.calls.address = try Self.number("address", server.calls.address, &section)
            server.calls.roomNumbers = try Self.numbers("rooms", server.calls.roomNumbers, &section)
            if let interval = try Self.atLeast(.seconds(90), "session-expires", &section) {
                server.calls.session = .init(interval: UInt32(clamping: interval.wholeSeconds))
            }
            server.calls.forwarding =
                try section.value("forwarding", expected: "follow, pass-on or refuse") { CallSettings.Forwarding(rawValue: $0) }
                ?? server.calls.forwarding
            records.age = try Self.atLeast(.seconds(1), "keep-records", &section) ?? records.age
            try section.finish()
        }
        for (index, node) in reader.list("rooms").enumerated() {
            server.calls.rooms.append(try Self.room(node, path: "rooms[\(index)]"))
        }
        for (index, node) in reader.list("pickup-groups").enumerated() {
            server.calls.pickupGroups.append(try Self.group(node, path: "pickup-groups[\(index)]"))
        }
        for (index, node) in reader.list("intercom-groups").enumerated() {
            server.calls.intercomGroups.append(try Self.group(node, path: "intercom-groups[\(index)]"))
        }
        if var section = try reader.section("media") {
            let expected = "a range of at least two ports, such as 16384-32767"
            media.ports = try section.value("ports", expected: expected, Self.portRange)
            media.loops = try section.integer("loops", in: 1...64) ?? media.loops
            media.isSecurable = try section.bool("srtp") ?? media.isSecurable
            let sources = "sip, or any: whoever sends first, though that may be a stranger"
            media.believesAnyone =
                try section.value("source", expected: sources) { ["sip": false, "any": true][$0] } ?? media.believesAnyone
            media.recordings = try section.string("recordings")
            try section.finish()
        }
    }

    private static func portRange(_ text: String) -> ClosedRange<UInt16>? {
        let parts = text.split(separator: "-").compactMap { UInt16($0) }
        guard parts.count == 2, parts[0] > 0, parts[1] > parts[0] else { return nil }
        return parts[0]...parts[1]
    }

    private static func atLeast(
        _ least: Duration, _ key: String, _ reader: inout ConfigReader
    ) throws(ConfigError) -> Duration? {
        guard let duration = try reader.duration(key) else { return nil }
        guard duration >= least else { throw reader.mistake(key, "expected at least \(least.wholeSeconds)s") }
        return duration
    }

    /// The number of a service; nil where it says off.
    private static func number(_ key: String, _ usual: String?, _ reader: inout ConfigReader) throws(ConfigError) -> String? {
        let said = try reader.value(key, expected: "a number to dial, or off") { text in
            isDialled(text) ? text : nil
        }
        guard let said else { return usual }
        return ["off", "no", "none"].contains(said) ? nil : said
    }

    private static func numbers(
        _ key: String, _ usual: ClosedRange<Int>?, _ reader: inout ConfigReader
    ) throws(ConfigError) -> ClosedRange<Int>? {
        let said = try reader.value(key, expected: "a range of numbers such as 8000-8099, or off") { text -> ClosedRange<Int>?? in
            if ["off", "no", "none"].contains(text) { return .some(nil) }
            let parts = text.split(separator: "-").compactMap { Int($0) }
            guard parts.count == 2, parts[0] >= 0, parts[0] <= parts[1] else { return nil }
            return .some(parts[0]...parts[1])
        }
        return said ?? usual
    }

    private static func isDialled(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !":@<>\";?".utf8.contains($0) }
    }

    private static func group(_ node: ConfigNode, path: String) throws(ConfigError) -> Set<String> {
        var reader = try ConfigReader(node, path: path)
        _ = try reader.string("name")
        let users = try reader.values("users", expected: "users, such as [100, 101]") { isDialled($0) ? $0 : nil }
        guard users.count > 1 else { throw reader.mistake("users", "needs at least two users, such as [100, 101]") }
        try reader.finish()
        return Set(users)
    }

    private static func room(_ node: ConfigNode, path: String) throws(ConfigError) -> CallSettings.Room {
        var reader = try ConfigReader(node, path: path)
        let name = try reader.value("name", expected: "a number or name to dial") { isDialled($0) ? $0 : nil }
        guard let name else { throw reader.mistake("name", "is missing: the number or name that is dialled for this room") }
        let digits = Set("0123456789")
        let pin = try reader.value("pin", expected: "4 to 16 digits; quote it, so that a leading 0 stays") { text in
            (4...16).contains(text.count) && text.allSatisfy(digits.contains) ? text : nil
        }
        let room = CallSettings.Room(
            name: name, pin: pin, owner: try reader.string("owner"), records: try reader.bool("record") ?? false)
        try reader.finish()
        return room
    }
}
