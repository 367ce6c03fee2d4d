import Base

/// A packet as an analyser prints it: in words, field by field (`tshark -V`, Wireshark's packet details as text), or its octets in
/// hexadecimal (`tshark -x`, a followed stream). The messages in it are put together again.
struct LoggedPacket: Sendable {
    struct Found {
        var bytes: [UInt8]
        var source: LoggedPeer?
        var destination: LoggedPeer?
        var transport: PayloadTransport?
        var time: LoggedTime?
        var line: Int
    }

    private enum Part {
        case none
        case sip, header, body
        /// Indented so far.
        case description(Int)
    }

    /// Words are being read: every line belongs to a packet.
    private(set) var isToldInWords = false
    private var part = Part.none
    private var time: LoggedTime?
    private var hosts: (source: String, destination: String)?
    private var ports: (source: UInt16?, destination: UInt16?) = (nil, nil)
    private var transport: PayloadTransport?
    private var messages: [(bytes: [UInt8], line: Int)] = []
    private var octets: [UInt8] = []
    private var octetsLine = 0
    /// Where the first of `octets` stands in its direction of a stream, how far its rows are indented, and that the last was not full.
    private var base = 0
    private var rowIndent = 0
    private var isShort = false
    private var isFollowing = false

    /// Longest packet believed.
    private static let most = 65_600

    /// Something was begun.
    var isActive: Bool { isToldInWords || !octets.isEmpty }

    /// Whether the line is a packet's; what the packet before it held is appended to `found`.
    mutating func take(_ line: [UInt8], _ number: Int, _ clock: inout LogClock, _ found: inout [Found]) -> Bool {
        if line.starts(with: "Frame "), line.contains(text: " bytes on wire") {
            found += flush()
            isToldInWords = true
            return true
        }
        if let (offset, row) = Self.row(line) {
            let indent = line.prefix { $0 == 0x20 }.count
            if !isToldInWords {
                // A followed stream counts on, each direction for itself: a short row or the other margin ends a packet.
                let isNext = offset == 0 || indent != rowIndent || isShort
                if isNext, !octets.isEmpty { found += flush() }
                if octets.isEmpty, offset == 0 || isFollowing { base = offset }
            }
            guard offset == base + octets.count, octets.count + row.count <= Self.most else {
                return isToldInWords || !octets.isEmpty
            }
            if octets.isEmpty { octetsLine = number }
            octets += row
            (isFollowing, rowIndent, isShort) = (true, indent, row.count < 16)
            return true
        }
        guard isToldInWords else {
            if !octets.isEmpty { found += flush() }
            return false
        }
        words(line, number, &clock)
        return true
    }

    /// What was read of the packet in hand, which ends here.
    mutating func flush() -> [Found] {
        defer {
            let (told, follows) = (isToldInWords, isFollowing)
            self = LoggedPacket()
            (isToldInWords, isFollowing) = (told, follows)
        }
        var (source, destination) = (
            hosts.map { peer($0.source, ports.source) }, hosts.map { peer($0.destination, ports.destination) }
        )
        var transport = transport
        var bodies = messages.map { ($0.bytes + ($0.bytes.contains(text: "\r\n\r\n") ? [] : [13, 10]), $0.line) }
        if !octets.isEmpty {
            let carried = LogDress.carried(octets)
            let payload = carried?.payload ?? octets
            if payload.withUnsafeBytes({ SIPStart.isStart($0) }) {
                bodies = Self.messages(payload).map { ($0, octetsLine) }
                if let carried { (source, destination, transport) = (carried.source, carried.destination, carried.transport) }
            }
        }
        return bodies.map {
            Found(bytes: $0.0, source: source, destination: destination, transport: transport, time: time, line: $0.1)
        }
    }

    /// Packets that fill their last row follow each other without a sign.
    private static func messages(_ payload: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = payload[...]
        while let end = rest.firstIndex(of: "\r\n\r\n") {
            let head = rest[..<(end + 4)]
            var length = 0
            if let name = head.firstIndex(of: "\nContent-Length:") ?? head.firstIndex(of: "\nl:") {
                var at = name + 1
                while at < end, rest[at] != 0x3a { at += 1 }
                at += 1
                while at < end, rest[at] == 0x20 { at += 1 }
                length = head.number(&at) ?? 0
            }
            let next = end + 4 + min(length, rest.endIndex - end - 4)
            let behind = Array(rest[next...].prefix(2_000))
            guard behind.withUnsafeBytes({ SIPStart.isStart($0) }) else { break }
            result.append(Array(rest[..<next]))
            rest = rest[next...]
        }
        return result + [Array(rest)]
    }

    private func peer(_ host: String, _ port: UInt16?) -> LoggedPeer { LoggedPeer(host: host, port: port) }

    // MARK: Words

    private mutating func words(_ line: [UInt8], _ number: Int, _ clock: inout LogClock) {
        let indent = line.prefix { $0 == 0x20 }.count
        let text = line[indent...]
        guard !text.isEmpty else { return }
        if indent == 0 {
            part = .none
            if text.starts(with: "Session Initiation Protocol") {
                part = .sip
            } else if text.starts(with: "Internet Protocol") {
                hosts = Self.ends(text, "Src: ", "Dst: ") ?? hosts
            } else if text.starts(with: "User Datagram") || text.starts(with: "Transmission Control") {
                transport = text.first == 0x55 ? .udp : .tcp
                if let (source, destination) = Self.ends(text, "Src Port: ", "Dst Port: ") {
                    ports = (UInt16(source), UInt16(destination))
                }
            } else if text.starts(with: "Transport Layer Security") {
                transport = .tls
            }
            return
        }
        switch part {
        case .none:
            guard let colon = text.firstIndex(of: "Time: "), time?.basis != .absolute || text.starts(with: "Epoch") else {
                return
            }
            var at = colon + 6
            while at < line.count, line[at] == 0x20 { at += 1 }
            time = clock.time(line, &at) ?? time
        case .sip, .header, .body, .description: inMessage(text, indent, number)
        }
    }

    private mutating func inMessage(_ text: ArraySlice<UInt8>, _ indent: Int, _ number: Int) {
        if indent == 4 {
            if text.starts(with: "Request-Line: ") || text.starts(with: "Status-Line: ") {
                messages.append((Array(text[(text.startIndex + (text.first == 0x52 ? 14 : 13))...]) + [13, 10], number))
            } else if text.starts(with: "Message Header") {
                part = .header
            } else if text.starts(with: "Message Body") {
                part = .body
                if !messages.isEmpty { messages[messages.count - 1].bytes += [13, 10] }
            }
            return
        }
        guard !messages.isEmpty, text.first != 0x5b || text.starts(with: "[truncated]"),
            messages[messages.count - 1].bytes.count + text.count < Self.most
        else { return }
        switch part {
        case .none, .sip: break
        case .header:
            let field = text.starts(with: "[truncated]") ? text.dropFirst(11) : text
            if indent == 8, LogDress.isField(field) { messages[messages.count - 1].bytes += Array(field) + [13, 10] }
        case .body:
            guard text.contains(text: " (v): ") else { return }
            part = .description(indent)
            described(text)
        case .description(let margin): if indent == margin { described(text) }
        }
    }

    /// `Connection Information (c): IN IP4 192.0.2.1`.
    private mutating func described(_ text: ArraySlice<UInt8>) {
        guard let mark = text.firstIndex(of: "): "), mark >= text.startIndex + 2, text[mark - 2] == 0x28 else { return }
        var line: [UInt8] = [text[mark - 1], 0x3d]
        line += text[(mark + 3)...]
        line += [13, 10]
        messages[messages.count - 1].bytes += line
    }

    /// `..., Src: pbx (192.0.2.1), Dst: 192.0.2.2`: what stands in brackets, or all of it.
    private static func ends(_ text: ArraySlice<UInt8>, _ source: StaticString, _ destination: StaticString) -> (String, String)?
    {
        func value(_ name: StaticString) -> String? {
            guard let at = text.firstIndex(of: name) else { return nil }
            var part = text[(at + name.utf8CodeUnitCount)...].prefix { $0 != 0x2c }
            if let open = part.firstIndex(of: 0x28), let close = part[open...].firstIndex(of: 0x29) {
                part = part[(open + 1)..<close]
            }
            return String(decoding: Array(part).trimmed, as: UTF8.self)
        }
        guard let a = value(source), let b = value(destination) else { return nil }
        return (a, b)
    }

    // MARK: Octets

    /// `0010  45 00 01 f4 ...  ..E.`, `    00000010  52 45 ...`: where they stand and which.
    private static func row(_ line: [UInt8]) -> (offset: Int, octets: [UInt8])? {
        var at = line.prefix { $0 == 0x20 }.count
        guard at <= 8, line.count >= at + 8 else { return nil }
        let start = at
        var offset = 0
        while at < line.count, at - start < 8, let digit = LogDress.hex(line[at]) {
            offset = offset << 4 | Int(digit)
            at += 1
        }
        guard at - start == 4 || at - start == 8, at + 3 < line.count, line[at] == 0x20, line[at + 1] == 0x20 else { return nil }
        var octets: [UInt8] = []
        at += 2
        while at + 1 < line.count, octets.count < 16, let high = LogDress.hex(line[at]), let low = LogDress.hex(line[at + 1]) {
            guard at + 2 == line.count || line[at + 2] == 0x20 else { break }
            octets.append(high << 4 | low)
            at += 3
            // Half of a row may stand apart.
            if octets.count == 8, at < line.count, line[at] == 0x20 { at += 1 }
        }
        return octets.isEmpty ? nil : (offset, octets)
    }
}

extension LogReader {
    /// Whether the line belongs to a packet in words or octets.
    mutating func takesPacket(_ line: [UInt8]) -> Bool {
        if !packet.isActive {
            var found: [LoggedPacket.Found] = []
            let isTaken = followed.take(line, lines, &clock, &found)
            for message in found { give(message) }
            if isTaken { return true }
        }
        guard packet.isActive || line.first == 0x46 || line.first == 0x30 || line.starts(with: "    0000") else { return false }
        var found: [LoggedPacket.Found] = []
        let isTaken = packet.take(line, lines, &clock, &found)
        for message in found { give(message) }
        return isTaken
    }

    mutating func flushPacket() {
        var found = packet.flush()
        followed.finish(&found)
        for message in found { give(message) }
    }

    private mutating func give(_ found: LoggedPacket.Found) {
        let hint = found.time == nil ? LogHint(recent.map(\.text), &clock) : nil
        recent.removeAll(keepingCapacity: true)
        let message = LoggedMessage(
            bytes: found.bytes, direction: .passing, remote: found.destination, local: found.source, transport: found.transport,
            natConfigured: nil, defects: [])
        give(.message(message), found.line, lines, found.time ?? hint?.time, nil)
    }
}
