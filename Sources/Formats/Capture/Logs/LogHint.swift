import Base

/// What the lines before a message tell of it, whichever program wrote them: when, which way, between which addresses, over what.
///
/// No program's form is known here: words for sending and receiving, for from and to, for transports, and what looks like an address
/// or a time, wherever it stands on the line.
struct LogHint {
    var time: LoggedTime?
    var direction: LoggedMessage.Direction?
    var transport: PayloadTransport?
    var source: LoggedPeer?
    var destination: LoggedPeer?
    var local: LoggedPeer?
    var remote: LoggedPeer?

    /// Longest line that is taken for one of a program's.
    static let longest = 600

    /// `lines`: those before a start line, the nearest last.
    init(_ lines: [[UInt8]], _ clock: inout LogClock) {
        var isEnough = false
        var ports: [HintedLine.Role: UInt16] = [:]
        for line in lines.reversed() where !line.isEmpty && line.count <= Self.longest {
            var found = HintedLine(line)
            found.read(&clock)
            if let seen = found.time, time == nil || time!.basis.rank < seen.basis.rank { time = seen }
            transport = transport ?? found.transport
            direction = direction ?? found.direction
            take(found)
            ports.merge(found.ports) { first, _ in first }
            // An end a line: the other one stands before.
            if isEnough { break }
            isEnough = ends.remote != nil && direction != nil && time != nil
            if isEnough, (source == nil) == (destination == nil) { break }
        }
        take(ports)
        if direction == nil, hasPeer {
            if source != nil, destination == nil { direction = .received }
            if destination != nil, source == nil { direction = .sent }
        }
    }

    /// Ports that stand on other lines than their addresses.
    private mutating func take(_ ports: [HintedLine.Role: UInt16]) {
        if let port = ports[.source], source?.port == nil { source?.port = port }
        if let port = ports[.destination], destination?.port == nil { destination?.port = port }
    }

    private var hasPeer: Bool { source ?? destination ?? local ?? remote != nil }

    private mutating func take(_ line: HintedLine) {
        source = source ?? line.peers[.source]
        destination = destination ?? line.peers[.destination]
        local = local ?? line.peers[.local]
        remote = remote ?? line.peers[.remote]
        // Who is not told apart by a word is the far end, as no program names itself alone.
        // A version looks like an address, too: one with a port or beside other words of a program's is none.
        if !hasPeer, let peer = line.peers[.unsaid], peer.port != nil || line.direction != nil || line.transport != nil {
            remote = peer
        }
    }

    /// The far end and the near one; without a direction where the message went to and where it came from.
    var ends: (remote: LoggedPeer?, local: LoggedPeer?) {
        switch direction {
        case .received: (remote ?? source, local ?? destination)
        case .sent, .retransmitted: (remote ?? destination, local ?? source)
        // Of one end alone nobody knows which it is.
        case .passing, nil: source != nil && destination != nil ? (destination, source) : (nil, nil)
        }
    }
}

/// A line read for hints.
struct HintedLine {
    enum Role {
        case source, destination, local, remote, unsaid
    }

    let b: [UInt8]
    var time: LoggedTime?
    var direction: LoggedMessage.Direction?
    var transport: PayloadTransport?
    var peers: [Role: LoggedPeer] = [:]
    /// Of ends that another line or a later member names.
    var ports: [Role: UInt16] = [:]
    private var at = 0
    /// What the last word said of the address to come, and where that word ended.
    private var role: (Role, end: Int)?
    /// Where the last address ended, and its role: a port or an arrow may follow.
    private var latest: (role: Role, end: Int)?
    /// Where the time ends that opens the line.
    private var opening: Int?
    private var words = 0
    private var isTold = false
    /// The line quotes a start line: the host in its URI is nobody's end.
    private let quotesStart: Bool

    init(_ line: [UInt8]) {
        b = line
        quotesStart = line.firstIndex(of: " SIP/2.0") != nil
    }

    mutating func read(_ clock: inout LogClock) {
        while at < b.count {
            let octet = b[at]
            let isFresh = at == 0 || !Self.isWordOctet(b[at - 1])
            if isFresh, octet == 0x5b || LogDress.isDigit(octet) || octet == 0x3a || Self.isHex(octet), address() { continue }
            if isFresh, LogDress.isDigit(octet) || (0x41...0x57).contains(octet) || at == 0, timed(&clock) { continue }
            if isFresh, Self.isWordStart(octet) {
                word()
            } else {
                arrow()
                at += 1
            }
        }
        // A sentence that says "sent" and nothing else is somebody's, not a program's.
        if words > 8, !isTold { direction = nil }
    }

    // MARK: Times

    private mutating func timed(_ clock: inout LogClock) -> Bool {
        guard at == 0 || b[at - 1] != 0x2e && b[at - 1] != 0x2d && b[at - 1] != 0x3d || isTimeKey() else { return false }
        var place = at
        var trial = clock
        guard let found = trial.time(b, &place), place == b.count || !Self.isWordOctet(b[place]) else { return false }
        // A bare number is a time where it opens the line or has decimals; elsewhere a word must say so.
        let isNumber = b[at..<place].allSatisfy { LogDress.isDigit($0) || $0 == 0x2e }
        // Nanoseconds are like nothing else.
        guard
            !isNumber || at == 0 || place - at == 19 || isTimeKey()
                || b[at..<place].contains(0x2e) && found.resolution <= 1_000_000
        else {
            return false
        }
        clock = trial
        if time == nil || time!.basis.rank < found.basis.rank { time = found }
        isTold = true
        if b[..<at].allSatisfy({ $0 == 0x20 || $0 == 0x5b }) { opening = place }
        at = place
        return true
    }

    /// `time="`, `ts=`, `"timestamp":` right before.
    private func isTimeKey() -> Bool {
        var end = at
        while end > 0, [0x22, 0x27, 0x3d, 0x3a, 0x20].contains(b[end - 1]) { end -= 1 }
        guard end > 1, end < at else { return false }
        if b[..<end].suffix(11).elementsEqual("timeSeconds".utf8) || b[..<end].suffix(5).elementsEqual("_date".utf8) {
            return true
        }
        return (b[end - 1] | 0x20 == 0x65 && b[end - 2] | 0x20 == 0x6d)
            || (b[end - 1] | 0x20 == 0x70 && b[end - 2] | 0x20 == 0x6d)
            || (b[end - 1] | 0x20 == 0x73 && b[end - 2] | 0x20 == 0x74)
    }

    // MARK: Addresses

    private mutating func address() -> Bool {
        guard let (host, end) = host() else { return false }
        var place = end
        let port = port(&place)
        // `[1.0.11.3]`: a version.
        if port == nil, role == nil, b[at] == 0x5b {
            at = end
            return true
        }
        note(LoggedPeer(host: host, port: port), to: place)
        at = place
        return true
    }

    /// An IPv4 or IPv6 address as text, and where it ends: behind its brackets, its zone.
    private func host() -> (String, Int)? {
        if b[at] == 0x5b {
            guard let close = b[at..<min(b.count, at + 64)].firstIndex(of: 0x5d) else { return nil }
            let inside = b[(at + 1)..<close].prefix { $0 != 0x25 }
            guard IPAddress(utf8: Array(inside)) != nil else { return nil }
            return (String(decoding: inside, as: UTF8.self), close + 1)
        }
        var end = at
        var colons = 0
        var dots = 0
        while end < b.count, end - at < 46, Self.isHex(b[end]) || b[end] == 0x3a || b[end] == 0x2e {
            if b[end] == 0x3a { colons += 1 }
            if b[end] == 0x2e { dots += 1 }
            end += 1
        }
        guard dots >= 3 || colons >= 2, b[at..<end].contains(where: Self.isHex) else { return nil }
        // The port may hang on the address by a colon or, as tcpdump writes it, a dot; a sentence by its full stop.
        while end > at {
            if b[end - 1] == 0x3a && !(end - at > 1 && b[end - 2] == 0x3a) || b[end - 1] == 0x2e {
                end -= 1
                continue
            }
            if let plain = Self.plain(b[at..<end]) {
                let next = end < b.count ? b[end] : 0x20
                guard next == 0x25 || next == 0x3a || next == 0x2e || !Self.isWordOctet(next) else { return nil }
                guard next == 0x25 else { return (plain, end) }
                // `%8`, `%wlan0`: the interface.
                var zone = end + 1
                while zone < b.count, Self.isWordOctet(b[zone]) { zone += 1 }
                return (plain, zone)
            }
            guard let last = b[at..<end].lastIndex(where: { $0 == 0x3a || $0 == 0x2e }), last > at else { return nil }
            end = last
        }
        return nil
    }

    private static func plain(_ text: ArraySlice<UInt8>) -> String? {
        let bytes = Array(text)
        guard IPAddress(utf8: bytes) != nil else { return nil }
        // IPv4 in IPv6 is IPv4.
        if bytes.starts(with: "::ffff:"), bytes.contains(0x2e) { return String(decoding: bytes.dropFirst(7), as: UTF8.self) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `:5060`, `.5060`, ` port 5060`, ` on port 5060`, ` port=5060`, `", "src_port": 5060` is not told here.
    private func port(_ place: inout Int) -> UInt16? {
        var at = place
        if at < b.count, b[at] == 0x3a || b[at] == 0x2e {
            at += 1
        } else {
            while at < b.count, b[at] == 0x20 || b[at] == 0x2c { at += 1 }
            if b.starts(with: "on port", at: at) { at += 3 }
            guard b.starts(with: "port", at: at) || b.starts(with: "Port", at: at) else { return nil }
            at += 4
            while at < b.count, b[at] == 0x20 || b[at] == 0x3d || b[at] == 0x3a { at += 1 }
        }
        guard let number = b.number(&at), let port = UInt16(exactly: number), at == b.count || !Self.isWordOctet(b[at]) else {
            return nil
        }
        place = at
        return port
    }

    private mutating func note(_ peer: LoggedPeer, to end: Int) {
        var role = self.role?.0 ?? .unsaid
        // A word that came long before told of something else.
        if let said = self.role, at - said.end > 48 { role = .unsaid }
        self.role = nil
        // syslog: behind the time that opens the line stands the host that logs.
        if role == .unsaid, peer.port == nil, let opening, at == opening + 1, end < b.count, b[end] == 0x20 { return }
        if peers[role] != nil { role = .unsaid }
        if peers[role] == nil {
            peers[role] = peer
            if peer.port == nil, let port = ports[role] { peers[role]?.port = port }
        }
        latest = (role, end)
        isTold = true
    }

    /// `A -> B`, `A => B`, `A > B`, `A <- B` between two addresses.
    private mutating func arrow() {
        guard b[at] == 0x3e || b[at] == 0x3c, let from = latest, at - from.end <= 6, at >= from.end else { return }
        let isForth = b[at] == 0x3e
        guard b[from.end..<at].allSatisfy({ [0x20, 0x2d, 0x3d].contains($0) }) else { return }
        var end = at + 1
        while end < b.count, [0x2d, 0x3d, 0x3e].contains(b[end]) { end += 1 }
        while end < b.count, b[end] == 0x20 { end += 1 }
        // `<<<<<` points at nothing. `A->udp:B` names the transport first.
        guard end < b.count, b[end] == 0x5b || Self.isHex(b[end]) || b[end] == 0x3a || isTransport(end) else { return }
        // What precedes the arrow changes its role.
        if let peer = peers.removeValue(forKey: from.role) { peers[isForth ? .source : .destination] = peer }
        role = (isForth ? .destination : .source, end)
        latest = nil
        at = end - 1
    }

    private func isTransport(_ start: Int) -> Bool {
        let end = b[start..<min(b.count, start + 4)].firstIndex { !Self.isWordStart($0) } ?? start
        return end > start && end < b.count && [0x3a, 0x2f].contains(b[end]) && LogFraming.transport(b[start..<end]) != nil
    }

    // MARK: Words

    private mutating func word() {
        let start = at
        while at < b.count, Self.isWordStart(b[at]) || LogDress.isDigit(b[at]) { at += 1 }
        words += 1
        if quotesStart, at < b.count, b[at] == 0x3a,
            b[start..<at].elementsEqual("sip".utf8) || b[start..<at].elementsEqual("sips".utf8)
        {
            while at < b.count, b[at] > 0x20, b[at] != 0x22, b[at] != 0x3e { at += 1 }
            return
        }
        guard let meaning = HintWord.meaning(of: b[start..<at], isFirst: start == 0) else { return }
        switch meaning {
        case .direction(let told):
            if direction == nil { direction = told }
        case .role(let told):
            if b.starts(with: "_port", at: at) {
                at += 5
                portFollows(told)
            } else {
                role = (told, at)
            }
        case .port(let told): portFollows(told)
        case .sender:
            // `isSender="true"`.
            guard let value = b[at..<min(b.count, at + 8)].first(where: { $0 == 0x74 || $0 == 0x66 }) else { return }
            direction = value == 0x74 ? .sent : .received
        case .transport(let told):
            transport = transport ?? told
            isTold = true
            named()
        }
    }

    /// `"src_port": 5060`, behind the word.
    private mutating func portFollows(_ role: Role) {
        var place = at
        while place < b.count, place - at < 4, !LogDress.isDigit(b[place]) { place += 1 }
        guard let number = b.number(&place), let port = UInt16(exactly: number), peers[role]?.port == nil else { return }
        peers[role]?.port = port
        if peers[role] == nil { ports[role] = port }
        at = place
    }

    /// `udp:pbx.example:5060`, `TLS://pbx.example:5061`, `udp/[192.0.2.1]:5060`: a name; addresses are seen as such.
    private mutating func named() {
        var start = at
        if b.starts(with: "://", at: start) {
            start += 3
        } else if start < b.count, b[start] == 0x3a {
            start += 1
        } else {
            return
        }
        var end = start
        var dots = 0
        while end < b.count, Self.isWordOctet(b[end]) || b[end] == 0x2e || b[end] == 0x2d {
            if b[end] == 0x2e { dots += 1 }
            end += 1
        }
        guard end > start, dots > 0 || end < b.count && b[end] == 0x3a, !LogDress.isDigit(b[start]),
            IPAddress(utf8: Array(b[start..<end])) == nil, !b[start..<end].contains(text: "::")
        else { return }
        var place = end
        guard let port = port(&place) else { return }
        note(LoggedPeer(host: String(decoding: b[start..<end], as: UTF8.self), port: port), to: place)
        at = place
    }

    private static func isHex(_ octet: UInt8) -> Bool {
        LogDress.isDigit(octet) || (0x41...0x46).contains(octet & 0xdf)
    }

    private static func isWordStart(_ octet: UInt8) -> Bool { (0x41...0x5a).contains(octet & 0xdf) || octet >= 0x80 }

    private static func isWordOctet(_ octet: UInt8) -> Bool { isWordStart(octet) || LogDress.isDigit(octet) || octet == 0x5f }
}

extension LoggedTime.Basis {
    /// How much it tells.
    var rank: Int {
        switch self {
        case .timeOfDay: 0
        case .noYear: 1
        case .absolute: 2
        }
    }
}
