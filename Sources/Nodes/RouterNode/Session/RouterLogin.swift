public import Base

/// Who may use the command line over telnet.
public struct RouterLogin: Hashable, Sendable {
    public var user: String
    public var password: String

    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Takes as long for a wrong password as for one that is wrong at its end.
    func admits(_ user: String, _ password: String) -> Bool {
        let isUser = Self.isEqual(Array(self.user.utf8), Array(user.utf8))
        let isPassword = Self.isEqual(Array(self.password.utf8), Array(password.utf8))
        return isUser && isPassword
    }

    private static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        var difference = a.count ^ b.count
        for index in b.indices { difference |= Int(b[index] ^ (a.isEmpty ? 0xff : a[index % a.count])) }
        return difference == 0
    }
}

/// Wrong passwords over all sessions: each one makes the next guess wait twice as long, whoever connects, until a right one comes or a
/// quarter of an hour went by without one.
public struct LoginThrottle: Hashable, Sendable {
    public private(set) var wrongInRow = 0
    /// Since the start.
    public private(set) var wrongInAll: UInt64 = 0
    private var last: Instant?

    public init() {}

    public mutating func note(_ trace: RouterSession.Trace, at now: Instant) {
        switch trace {
        case .loggedIn: wrongInRow = 0
        case .wrongPassword:
            wrongInRow = wrong(at: now) + 1
            wrongInAll &+= 1
            last = now
        case .closed: break
        }
    }

    /// How many a new session has to answer for.
    public func wrong(at now: Instant) -> Int {
        guard let last, now - last < .seconds(900) else { return 0 }
        return wrongInRow
    }

    /// How long a guess waits after `wrong` others: 1 s, 2 s, 4 s ... a minute.
    static func delay(after wrong: Int) -> Duration { wrong == 0 ? .zero : .seconds(min(60, 1 << min(wrong - 1, 6))) }
}
