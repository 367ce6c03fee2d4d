import SIP
import SIPStack

/// A phone's 300, 301 or 302 that is followed (RFC 3261 21.3), and what of it is still to be tried.
struct CallForward: Sendable {
    /// The leg whose phone forwards.
    let by: Int
    let status: Int
    let reason: ForwardReason
    /// By falling q: those of one q ring at once, the next when none of them does any more (RFC 3261 8.1.3.4).
    var waiting: [[NameAddress]]
    /// Targets that were tried: the last digits of their History-Info index.
    var tried = 0
    /// Look-ups of its targets under way.
    var finding = 0
    /// The Warning of its 3xx.
    var warning: SIPText?
    /// Its Contacts that the caller may follow himself.
    var redirections: [SIPText] = []
    /// No target of it is rung any more, found or not.
    private(set) var isStopped = false
    /// Why the last of its targets is not rung.
    var refusal = ForwardRefusal.unreadable

    mutating func stop() {
        waiting = []
        isStopped = true
    }
}

/// Why a phone forwards: `reason` of Diversion (RFC 5806 10), and its `cause` in History-Info (RFC 4458, RFC 7544 7).
struct ForwardReason: Hashable, Sendable {
    let text: SIPText
    let cause: Int

    private static let causes = [
        "unconditional": 302, "user-busy": 486, "no-answer": 408, "unavailable": 503, "deflection": 480,
    ]

    /// By the phone's own Diversion, where it names a reason; otherwise by whether it rang.
    init(_ response: SIPMessage, hasRung: Bool) {
        let said = (try? response.first(.diversion).map { try NameAddress(parsing: $0.value) })?.parameters["reason"]?.lowercased
        let usual: SIPText = hasRung ? "no-answer" : "unconditional"
        let isToken = said.map {
            !$0.isEmpty && $0.count <= 32 && $0.bytes.allSatisfy { $0 == 0x2d || (0x61...0x7a).contains($0) }
        }
        text = isToken == true ? said!.detached : usual
        cause = Self.causes[text.string] ?? 404
    }
}

extension HeaderName {
    /// RFC 5806.
    static let diversion = HeaderName("Diversion")
}

/// Why a forward is not followed.
public enum ForwardRefusal: Error, Hashable, Sendable {
    /// Its Contact names no SIP address, or none at all.
    case unreadable
    /// 305, 380 and whatever else there may be ask for other things than another address.
    case otherKind
    case elsewhere
    case unknown
    case nobodyRegistered
    /// The target was rung for this call before.
    case loop
    case tooOften
    /// Other phones ring for media that go past us, which the target's could not.
    case directMedia
    /// `calls.forwarding: refuse`.
    case switchedOff

    var text: String {
        switch self {
        case .unreadable: "its answer names no SIP address"
        case .otherKind: "that kind of redirection is not followed"
        case .elsewhere: "that is not an address of this server"
        case .unknown: "nobody here has that number"
        case .nobodyRegistered: "nobody is registered there"
        case .loop: "that was rung for this call before"
        case .tooOften: "the call was forwarded too often"
        case .directMedia: "media go from phone to phone, and not to there"
        case .switchedOff: "forwarding is switched off"
        }
    }
}
