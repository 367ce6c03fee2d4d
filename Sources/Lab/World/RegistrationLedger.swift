import Base
import NAT
import PhoneNode
import SIP
import SIPStack
import ServerNode

/// Who registered from where, with which challenge and which outcome: the facts of a run, drawn from its records.
public struct RegistrationLedger: Sendable {
    /// A REGISTER as it reached the server, retransmissions left out.
    public struct Register: Hashable, Sendable {
        public var at: Instant
        public var cseq: UInt32
        /// The packet's source as the server saw it.
        public var source: Endpoint
        /// The nonce its credentials answer; nil without credentials.
        public var nonce: String?
    }

    /// A 401 as the server sent it.
    public struct Challenge: Hashable, Sendable {
        public var at: Instant
        public var cseq: UInt32
        public var to: Endpoint
        public var nonce: String
        public var isStale: Bool
    }

    /// What the server made of credentials.
    public struct Verdict: Hashable, Sendable {
        public var at: Instant
        public var cseq: UInt32
        public var nonce: String
        public var isAccepted: Bool
        /// Right password over a nonce that is no longer good.
        public var isStale: Bool
        /// In the server's own words.
        public var text: String
    }

    /// The phone's panel as it changed.
    public struct Panel: Hashable, Sendable {
        public var at: Instant
        public var status: PhoneStatus
    }

    /// A mapping the NAT made.
    public struct Mapped: Hashable, Sendable {
        public var at: Instant
        public var mapping: NATMapping
    }

    public var registers: [Register] = []
    public var challenges: [Challenge] = []
    public var verdicts: [Verdict] = []
    public var panels: [Panel] = []
    public var mapped: [Mapped] = []
    /// How often the phone registered because a mapping was seen to change.
    public var mappingSurprises = 0

    public init(_ records: [LabRecord]) {
        var seen: Set<UInt32> = []
        for record in records {
            switch record.trace {
            case .server(.received(let flow, let message, _)):
                guard message.method == .register, let cseq = try? message.cseq.number, seen.insert(cseq).inserted else {
                    continue
                }
                let credentials = (try? message.authorizations)?.first
                registers.append(
                    Register(at: record.at, cseq: cseq, source: flow.remote, nonce: credentials.flatMap { Self.nonce(of: $0) }))
            case .server(.challenged(let challenged)):
                challenges.append(
                    Challenge(
                        at: record.at, cseq: challenged.cseq, to: challenged.flow.remote, nonce: challenged.nonce.string,
                        isStale: challenged.isStale))
            case .server(.authentication(let authentication)):
                var isAccepted = false
                var isStale = false
                switch authentication.verdict {
                case .accepted: isAccepted = true
                case .stale: isStale = true
                case .absent, .replayed, .wrongPassword, .mangled: break
                }
                verdicts.append(
                    Verdict(
                        at: record.at, cseq: authentication.cseq, nonce: authentication.nonce.string, isAccepted: isAccepted,
                        isStale: isStale, text: ServerTrace.authentication(authentication).text))
            case .phone(.decided(.registers(_, _, _, .mappingChanged))): mappingSurprises += 1
            case .status(let status): panels.append(Panel(at: record.at, status: status))
            case .router(.nat(.created(let mapping))): mapped.append(Mapped(at: record.at, mapping: mapping))
            case .phone, .server, .router, .host, .network, .text, .probed, .stunAnswered, .nameAnswered, .did, .call, .recorded,
                .media,
                .mediaDropped:
                continue
            }
        }
    }

    private static func nonce(of credentials: SIPCredentials) -> String? {
        credentials.digest?.nonce?.string
    }
}
