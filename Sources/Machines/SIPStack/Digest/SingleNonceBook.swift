import Base

/// One nonce a dialog, single use: how Asterisk's chan_sip kept them until it was removed in version 21.
///
/// Each request without credentials gets a new nonce, and an answer is compared with the newest only. So a client that has
/// two requests under way and answers the first challenge is told it is stale, although its password is right.
public struct SingleNonceBook: Sendable {
    /// What a right digest over an older nonce draws.
    public enum Rechallenge: Hashable, Sendable, CaseIterable {
        /// Yet another nonce: version 1.4, of 2007. A client that is one behind stays one behind.
        case newNonce
        /// The newest nonce again: later versions. A client that then answers the newest gets through.
        case currentNonce
    }

    public struct Settings: Hashable, Sendable {
        public var rechallenge: Rechallenge
        /// How long a dialog without traffic is remembered.
        public var lifetime: Duration
        /// Dialogs remembered; past it the one longest untouched is forgotten, and counted.
        public var cap: Int
        /// Former nonces of a dialog kept, to say how far behind an answer is.
        public var formerKept: Int

        public init(
            rechallenge: Rechallenge = .newNonce, lifetime: Duration = .seconds(32), cap: Int = 10_000, formerKept: Int = 8
        ) {
            precondition(cap > 0, "a book holds at least one dialog")
            self.rechallenge = rechallenge
            self.lifetime = lifetime
            self.cap = cap
            self.formerKept = formerKept
        }
    }

    private struct Page: Sendable {
        /// Newest last.
        var nonces: [UInt32]
        var isSpent = false
    }

    public let settings: Settings
    /// Dialogs forgotten for want of room.
    public private(set) var evicted: UInt64 = 0
    private var pages: [[UInt8]: Page] = [:]
    private var deadlines = DeadlineQueue<[UInt8]>()
    private var entropy: Entropy

    public init(settings: Settings = Settings(), entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
    }

    public var count: Int { pages.count }

    /// The nonce for a request without credentials, or with wrong ones: always a new one. Eight hexadecimal digits.
    public mutating func issue(callID: ArraySlice<UInt8>, at now: Instant) -> [UInt8] {
        forget(at: now)
        let key = Array(callID)
        var page = pages[key] ?? Page(nonces: [])
        page.nonces.append(UInt32(truncatingIfNeeded: entropy.next()))
        if page.nonces.count > settings.formerKept + 1 { page.nonces.removeFirst() }
        page.isSpent = false
        if pages[key] == nil, pages.count >= settings.cap, let oldest = deadlines.popDue(at: .distantFuture) {
            pages[oldest] = nil
            evicted &+= 1
        }
        deadlines.set(key, to: now + settings.lifetime)
        let nonce = page.nonces[page.nonces.count - 1]
        pages[key] = page
        return text(nonce)
    }

    /// The nonce to send with `stale=true`.
    public mutating func reissue(callID: ArraySlice<UInt8>, at now: Instant) -> [UInt8] {
        switch settings.rechallenge {
        case .newNonce: return issue(callID: callID, at: now)
        case .currentNonce:
            forget(at: now)
            let key = Array(callID)
            guard let page = pages[key], !page.isSpent, let newest = page.nonces.last else {
                return issue(callID: callID, at: now)
            }
            deadlines.set(key, to: now + settings.lifetime)
            return text(newest)
        }
    }

    /// What `nonce` is to the dialog.
    public mutating func check(_ nonce: ArraySlice<UInt8>, callID: ArraySlice<UInt8>, at now: Instant) -> NonceStatus {
        forget(at: now)
        guard let page = pages[Array(callID)], let value = number(nonce), let place = page.nonces.lastIndex(of: value) else {
            return .foreign
        }
        let newer = page.nonces.count - 1 - place
        guard newer == 0 else { return .superseded(newer: newer) }
        return page.isSpent ? .spent : .valid
    }

    /// Uses the dialog's nonce up, after a success.
    public mutating func spend(callID: ArraySlice<UInt8>) { pages[Array(callID)]?.isSpent = true }

    private mutating func forget(at now: Instant) {
        while let key = deadlines.popDue(at: now) { pages[key] = nil }
    }

    private func text(_ nonce: UInt32) -> [UInt8] {
        var text: [UInt8] = []
        appendHex(UInt64(nonce), digits: 8, to: &text)
        return text
    }

    private func number(_ nonce: ArraySlice<UInt8>) -> UInt32? {
        guard nonce.count == 8 else { return nil }
        var value: UInt32 = 0
        for byte in nonce {
            guard let nibble = nibble(byte) else { return nil }
            value = value << 4 | UInt32(nibble)
        }
        return value
    }
}
