import Base

/// One secret that nonces are made with. All servers of a cluster, and a server after its restart, share their keys.
public struct NonceKey: Hashable, Sendable {
    /// Stands in the nonce, so that the right key is found again.
    public var id: UInt8
    /// At least 16 octets.
    public var secret: [UInt8]

    public init(id: UInt8, secret: [UInt8]) {
        precondition(secret.count >= 16, "a nonce key is at least 16 octets")
        self.id = id
        self.secret = secret
    }
}

/// What a nonce turned out to be.
public enum NonceStatus: Hashable, Sendable {
    /// Ours and young enough.
    case valid
    /// Ours, but older than its lifetime.
    case expired(age: Duration)
    /// Not made by us, or by a key that is gone.
    case foreign
    /// Ours, but a newer one was issued in the same dialog; `newer` says how many. Only from a `SingleNonceBook`.
    case superseded(newer: Int)
    /// Ours, but used up by a success. Only from a `SingleNonceBook`.
    case spent
}

/// Nonces without memory: each carries when and by which key it was made, and a code that proves it (RFC 7616 3.3).
///
/// Made from coarse time, Call-ID and CSeq, so that a retransmitted request draws the same challenge without any state.
/// Bound to no address, since a NAT may change the client's at any time; good until it expires, however many were issued
/// after it. It also carries a tag of where its challenge went, which is for counting guesses and never for acceptance.
/// The text is 54 hexadecimal digits: key id (1 octet), time (4), origin (4), salt (6), code (12).
public struct NonceIssuer: Sendable {
    public struct Settings: Hashable, Sendable {
        /// How long a nonce lives at least; it lives at most one `granularity` longer.
        public var lifetime: Duration
        /// What time is rounded down to, whole seconds.
        public var granularity: Duration
        /// How many former keys still prove nonces.
        public var keysKept: Int

        public init(lifetime: Duration = .seconds(300), granularity: Duration = .seconds(16), keysKept: Int = 3) {
            self.lifetime = lifetime
            self.granularity = granularity
            self.keysKept = keysKept
        }
    }

    private struct Keyed: Sendable {
        var id: UInt8
        var state: MessageKey
        /// Starts the salts, so that nobody outside can pick equal ones.
        var saltStart: UInt64

        init(_ key: NonceKey) {
            id = key.id
            state = MessageKey(key.secret)
            saltStart = state.code(capacity: 4) { $0.append("salt") }.words.0
        }
    }

    public let settings: Settings
    private var current: Keyed
    private var former: [Keyed]

    /// - Parameter keys: the one to issue with first, then former ones that may still be in the field.
    public init(keys: [NonceKey], settings: Settings = Settings()) {
        precondition(!keys.isEmpty, "a nonce issuer needs a key")
        self.settings = settings
        current = Keyed(keys[0])
        former = keys.dropFirst().prefix(settings.keysKept).map(Keyed.init)
    }

    /// Issues with `key` from now on; nonces of the former keys stay good until they expire.
    public mutating func rotate(to key: NonceKey) {
        former.removeAll { $0.id == key.id }
        if current.id != key.id { former.insert(current, at: 0) }
        if former.count > settings.keysKept { former.removeLast(former.count - settings.keysKept) }
        current = Keyed(key)
    }

    /// The nonce for a request: the same for each retransmission of it within one `granularity`.
    ///
    /// `origin`: a keyed tag of where the request comes from.
    public func issue(callID: ArraySlice<UInt8>, sequence: UInt32, origin: UInt32 = 0, at now: Instant) -> [UInt8] {
        let step = max(1, settings.granularity.wholeSeconds)
        let time = UInt32(truncatingIfNeeded: now.unixSeconds &- modulo(now.unixSeconds, step))
        var salt = current.saltStart ^ UInt64(sequence)
        for byte in callID { salt = (salt ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        salt = (salt ^ salt >> 32) &* 0x9e37_79b9_7f4a_7c15
        let head = NonceHead(key: current.id, time: time, origin: origin, salt: salt >> 16)
        let code = head.code(current.state)
        var text: [UInt8] = []
        text.reserveCapacity(NonceHead.textLength)
        head.append(to: &text)
        appendHex(code.words.0, digits: 16, to: &text)
        appendHex(code.words.1 >> 32, digits: 8, to: &text)
        return text
    }

    /// Whether `nonce` is ours and how old.
    public func check(_ nonce: ArraySlice<UInt8>, at now: Instant) -> NonceStatus {
        guard let (head, high, low) = NonceHead.read(nonce), let keyed = key(head.key) else { return .foreign }
        let code = head.code(keyed.state)
        guard (code.words.0 ^ high) | (code.words.1 >> 32 ^ low) == 0 else { return .foreign }
        // A nonce from the future is a cluster member's whose clock is ahead: as good as one from now.
        let age = Int32(bitPattern: UInt32(truncatingIfNeeded: now.unixSeconds) &- head.time)
        let limit = settings.lifetime + settings.granularity
        return Duration.seconds(Int64(age)) <= limit ? .valid : .expired(age: .seconds(Int64(age)))
    }

    /// Of a nonce that `check` found to be ours: a short key for the table of counts, and when it was issued, at the latest.
    func use(of nonce: ArraySlice<UInt8>, at now: Instant) -> (key: UInt64, issued: Instant)? {
        guard let (head, high, _) = NonceHead.read(nonce) else { return nil }
        let age = Int32(bitPattern: UInt32(truncatingIfNeeded: now.unixSeconds) &- head.time)
        return (high, min(now, now - .seconds(Int64(age)) + settings.granularity + .seconds(1)))
    }

    /// What `issue` was told of whom it was issued to; of a nonce that `check` found to be ours.
    static func origin(_ nonce: ArraySlice<UInt8>) -> UInt32? {
        guard nonce.count == NonceHead.textLength else { return nil }
        var value: UInt32 = 0
        for digit in nonce.dropFirst(NonceHead.originAt).prefix(8) {
            guard let nibble = nibble(digit) else { return nil }
            value = value << 4 | UInt32(nibble)
        }
        return value
    }

    private func key(_ id: UInt8) -> Keyed? {
        if id == current.id { return current }
        return former.first { $0.id == id }
    }
}

/// The part of a nonce that its code covers.
private struct NonceHead {
    static let textLength = 54
    /// Where the origin stands in the text.
    static let originAt = 10

    var key: UInt8
    /// Seconds since the epoch, cut to 32 bits.
    var time: UInt32
    var origin: UInt32
    /// 48 bits.
    var salt: UInt64

    func code(_ keyed: MessageKey) -> HashValue {
        keyed.code(capacity: 24) { input in
            input.append(bigEndian: UInt64(key) << 32 | UInt64(time))
            input.append(bigEndian: salt)
            input.append(bigEndian: UInt64(origin))
        }
    }

    func append(to text: inout [UInt8]) {
        appendHex(UInt64(key), digits: 2, to: &text)
        appendHex(UInt64(time), digits: 8, to: &text)
        appendHex(UInt64(origin), digits: 8, to: &text)
        appendHex(salt, digits: 12, to: &text)
    }

    /// Takes upper case as well: boxes that "normalise" parameters exist, and the code is a number all the same.
    static func read(_ text: ArraySlice<UInt8>) -> (head: NonceHead, high: UInt64, low: UInt64)? {
        guard text.count == textLength else { return nil }
        var place = text.startIndex
        func number(_ digits: Int) -> UInt64? {
            var value: UInt64 = 0
            for _ in 0..<digits {
                guard let nibble = nibble(text[place]) else { return nil }
                value = value << 4 | UInt64(nibble)
                place += 1
            }
            return value
        }
        guard let key = number(2), let time = number(8), let origin = number(8), let salt = number(12), let high = number(16),
            let low = number(8)
        else { return nil }
        let head = NonceHead(
            key: UInt8(truncatingIfNeeded: key), time: UInt32(truncatingIfNeeded: time),
            origin: UInt32(truncatingIfNeeded: origin), salt: salt)
        return (head, high, low)
    }
}

/// The lower `digits` hexadecimal digits of `value`, at most 16.
func appendHex(_ value: UInt64, digits: Int, to text: inout [UInt8]) {
    // Eight nibbles at a time as in `HashInput`, high half first.
    let high = hexDigits(UInt32(truncatingIfNeeded: value >> 32))
    let low = hexDigits(UInt32(truncatingIfNeeded: value))
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { text.append(contentsOf: $0.suffix(digits)) }
}

private func modulo(_ a: Int64, _ b: Int64) -> Int64 {
    let rest = a % b
    return rest < 0 ? rest + b : rest
}
