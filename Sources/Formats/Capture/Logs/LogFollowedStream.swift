import Base

/// A stream that Wireshark followed and saved as C arrays or YAML, and packets as lines of hexadecimal digits ("copy as a hex stream").
struct LogFollowedStream: Sendable {
    private enum Form { case none, array, yaml }

    private var form = Form.none
    private var octets: [UInt8] = []
    private var line = 0
    /// YAML: where each end stands, of which one the lines in hand tell; base64 follows.
    private var hosts: [Int: (host: String, port: UInt16?)] = [:]
    private var peer = 0
    private var time: LoggedTime?
    private var isData = false

    /// Longest packet believed, in octets or in letters that stand for them.
    private static let most = 131_072
    private static let mostHosts = 64

    /// Whether the line is such a stream's; what it completes is appended to `found`.
    mutating func take(_ line: [UInt8], _ number: Int, _ clock: inout LogClock, _ found: inout [LoggedPacket.Found]) -> Bool {
        switch form {
        case .none: return opens(line, number, &found)
        case .array:
            add(hexadecimal: line)
            if line.contains(0x7d) {
                flush(&found)
                form = .none
            }
            return true
        case .yaml: return yaml(line, number, &clock, &found)
        }
    }

    /// The log has ended.
    mutating func finish(_ found: inout [LoggedPacket.Found]) { if !octets.isEmpty { flush(&found) } }

    private mutating func opens(_ line: [UInt8], _ number: Int, _ found: inout [LoggedPacket.Found]) -> Bool {
        switch line.first {
        case 0x63 where line.starts(with: "char peer") && line.contains(0x7b):
            (form, self.line) = (.array, number)
            octets = []
            return true
        case 0x70 where line.trimmed.elementsEqual("peers:".utf8):
            self = LogFollowedStream()
            form = .yaml
            return true
        case let first? where line.count > 100 && line.count % 2 == 0 && LogDress.hex(first) != nil:
            guard line.count <= Self.most, line.allSatisfy({ LogDress.hex($0) != nil }) else { return false }
            self.line = number
            octets = stride(from: 0, to: line.count, by: 2).map { LogDress.hex(line[$0])! << 4 | LogDress.hex(line[$0 + 1])! }
            flush(&found)
            return true
        default: return false
        }
    }

    /// `0x49, 0x4e, ...`.
    private mutating func add(hexadecimal line: [UInt8]) {
        var at = 0
        while let mark = line.firstIndex(of: "0x", from: at), mark + 3 < line.count, octets.count < Self.most {
            guard let high = LogDress.hex(line[mark + 2]), let low = LogDress.hex(line[mark + 3]) else { return }
            octets.append(high << 4 | low)
            at = mark + 4
        }
    }

    private mutating func yaml(
        _ line: [UInt8], _ number: Int, _ clock: inout LogClock, _ found: inout [LoggedPacket.Found]
    ) -> Bool {
        var text = line.trimmed
        if text.starts(with: "- ") { text = text.dropFirst(2).drop { $0 == 0x20 } }
        guard let colon = text.firstIndex(of: 0x3a) else {
            guard isData, text.allSatisfy({ Self.value(of: $0) != nil || $0 == 0x3d }) else {
                flush(&found)
                form = .none
                return text.isEmpty
            }
            if octets.count < Self.most { octets += text }
            return true
        }
        if isData { flush(&found) }
        let value = text[(colon + 1)...].drop { $0 == 0x20 }
        switch String(decoding: text[..<colon], as: UTF8.self) {
        case "peer":
            var at = value.startIndex
            peer = value.number(&at) ?? 0
        case "host":
            if hosts.count < Self.mostHosts {
                hosts[peer] = (String(decoding: value.prefix(64), as: UTF8.self), hosts[peer]?.port)
            }
        case "port":
            var at = value.startIndex
            hosts[peer]?.port = value.number(&at).flatMap { UInt16(exactly: $0) }
        case "timestamp":
            var at = value.startIndex
            time = clock.time(line, &at)
        case "data":
            isData = true
            self.line = number
        case "peers", "packets", "packet", "index": break
        default:
            form = .none
            return false
        }
        return true
    }

    /// What is in hand is a packet.
    private mutating func flush(_ found: inout [LoggedPacket.Found]) {
        defer {
            octets = []
            isData = false
        }
        var payload = isData ? Self.decoded(octets) : octets
        var (source, destination, transport): (LoggedPeer?, LoggedPeer?, PayloadTransport?) = (nil, nil, nil)
        if form == .yaml {
            source = hosts[peer].map { LoggedPeer(host: $0.host, port: $0.port) }
            destination = hosts.first { $0.key != peer }.map { LoggedPeer(host: $0.value.host, port: $0.value.port) }
        } else if !payload.withUnsafeBytes({ SIPStart.isStart($0) }), let carried = LogDress.carried(payload) {
            (payload, source, destination) = (carried.payload, carried.source, carried.destination)
            transport = carried.transport
        }
        guard payload.withUnsafeBytes({ SIPStart.isStart($0) }) else { return }
        found.append(
            LoggedPacket.Found(
                bytes: payload, source: source, destination: destination, transport: transport, time: form == .yaml ? time : nil,
                line: line))
    }

    // MARK: base64

    private static func decoded(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for letter in text {
            guard let six = value(of: letter) else { break }
            bits = bits << 6 | UInt32(six)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return out
    }

    private static func value(of letter: UInt8) -> UInt8? {
        switch letter {
        case 0x41...0x5a: letter - 0x41
        case 0x61...0x7a: letter - 0x61 + 26
        case 0x30...0x39: letter - 0x30 + 52
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }
}
