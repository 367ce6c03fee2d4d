/// Secrets of TLS sessions, as programs write them for the one who debugs them (SSLKEYLOGFILE, draft-ietf-tls-keylogfile), by the client's random.
///
/// Text comes in any pieces; lines that are no secret are counted and passed over. Memory is bounded by `Limits`.
public struct TLSKeyLog: Sendable {
    public struct Limits: Sendable {
        /// Octets of text taken in; what comes after is left out and counted.
        public var octets: Int
        /// Sessions held.
        public var sessions: Int

        public init(octets: Int = 64 << 20, sessions: Int = 1 << 20) {
            self.octets = octets
            self.sessions = sessions
        }
    }

    /// Of one session; nil where the log does not say.
    public struct Secrets: Hashable, Sendable {
        /// TLS up to 1.2: the master secret, 48 octets.
        public var master: [UInt8]?
        /// TLS 1.3 (RFC 8446 7.1), as long as a digest of the suite's hash.
        public var clientEarly: [UInt8]?
        public var clientHandshake: [UInt8]?
        public var serverHandshake: [UInt8]?
        public var clientTraffic: [UInt8]?
        public var serverTraffic: [UInt8]?
    }

    public private(set) var sessions: [TLSRandom: Secrets] = [:]
    /// Lines that held a secret that is used here.
    public private(set) var secretLines = 0
    /// Lines of a known form that are not used here: exporter secrets, later traffic secrets, secrets of RSA exchanges.
    public private(set) var otherLines = 0
    /// Lines that are neither a secret nor a comment nor empty.
    public private(set) var strangeLines = 0
    /// Octets, and lines, left out because a limit was reached.
    public private(set) var omittedOctets = 0
    public private(set) var omittedLines = 0

    private let limits: Limits
    private var taken = 0
    /// A line that has not ended; nil: one that is too long, skipped up to its end.
    private var line: [UInt8]? = []

    /// Longest line: a label, a random and the longest secret, with room to spare.
    private static let mostLine = 512

    public init(limits: Limits = Limits()) { self.limits = limits }

    public var isEmpty: Bool { sessions.isEmpty }

    public subscript(random: TLSRandom) -> Secrets? { sessions[random] }

    /// Takes the next octets of the log.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) {
        let used = min(bytes.count, limits.octets - taken)
        omittedOctets += bytes.count - used
        taken += used
        var at = 0
        while at < used {
            var end = at
            while end < used, bytes[end] != 0x0a, bytes[end] != 0x0d { end += 1 }
            if let held = line?.count {
                if held + end - at > Self.mostLine { line = nil } else { line?.append(contentsOf: bytes[at..<end]) }
            }
            if end < used { endLine() }
            at = end + 1
        }
    }

    public mutating func read(_ bytes: [UInt8]) { bytes.withUnsafeBytes { read($0) } }

    /// The log, or one block of it, has ended: a last line needs no end of its own.
    public mutating func endLine() {
        guard let text = line else {
            strangeLines += 1
            line = []
            return
        }
        if !text.isEmpty {
            line = []
            take(text)
        }
    }

    private mutating func take(_ text: [UInt8]) {
        let words = text.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
        guard let first = words.first, first.first != 0x23 else { return }
        let label = String(decoding: first, as: UTF8.self)
        guard words.count == 3, let name = Self.hexadecimal(words[1]), let secret = Self.hexadecimal(words[2]) else {
            strangeLines += 1
            return
        }
        let slot: WritableKeyPath<Secrets, [UInt8]?>
        switch label {
        case "CLIENT_RANDOM": slot = \.master
        case "CLIENT_EARLY_TRAFFIC_SECRET": slot = \.clientEarly
        case "CLIENT_HANDSHAKE_TRAFFIC_SECRET": slot = \.clientHandshake
        case "SERVER_HANDSHAKE_TRAFFIC_SECRET": slot = \.serverHandshake
        case "CLIENT_TRAFFIC_SECRET_0": slot = \.clientTraffic
        case "SERVER_TRAFFIC_SECRET_0": slot = \.serverTraffic
        default:
            // Later traffic secrets follow from the first (RFC 8446 7.2).
            let isKnown =
                ["CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_"].contains { label.hasPrefix($0) }
                || ["EXPORTER_SECRET", "EARLY_EXPORTER_SECRET", "RSA", "ECH_SECRET", "ECH_CONFIG"].contains(label)
            if isKnown { otherLines += 1 } else { strangeLines += 1 }
            return
        }
        let sizes = slot == \Secrets.master ? [48] : [32, 48]
        guard let random = TLSRandom(name), sizes.contains(secret.count) else {
            strangeLines += 1
            return
        }
        guard sessions[random] != nil || sessions.count < limits.sessions else {
            omittedLines += 1
            return
        }
        secretLines += 1
        sessions[random, default: Secrets()][keyPath: slot] = secret
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2), !digits.isEmpty else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x41...0x46: value = digit - 0x37
            case 0x61...0x66: value = digit - 0x57
            default: return nil
            }
            if let known = high {
                result.append(known << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return result
    }
}
