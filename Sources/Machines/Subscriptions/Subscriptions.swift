import Base
import SIP
import SIPStack

/// The subscriptions we are the notifier of (RFC 6665): busy lamps (`dialog`, RFC 4235), bindings (`reg`, RFC 3680) and mailboxes
/// (`message-summary`, RFC 3842).
///
/// It knows neither calls nor bindings: what a NOTIFY says is asked for when it is to be said (`describe`, `tell`).
public struct Subscriptions: Sendable {
    /// What is watched.
    package enum Watched: Hashable, Sendable {
        /// Whether a user is in a call.
        case dialog(AddressOfRecord)
        case reg(AddressOfRecord)
        /// There are no mailboxes, which is what is told.
        case messageSummary(AddressOfRecord)

        /// nil: no event that we know (RFC 6665 8.2.1).
        package init?(event: SIPText, of aor: AddressOfRecord) {
            switch SIPText(event.bytes.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }).lowercased.string {
            case "dialog": self = .dialog(aor)
            case "reg": self = .reg(aor)
            case "message-summary": self = .messageSummary(aor)
            default: return nil
            }
        }

        package var event: String {
            switch self {
            case .dialog: "dialog"
            case .reg: "reg"
            case .messageSummary: "message-summary"
            }
        }

        package var aor: AddressOfRecord {
            switch self {
            case .dialog(let aor), .reg(let aor), .messageSummary(let aor): aor
            }
        }
    }

    /// Who watches.
    package struct Watcher: Sendable {
        package let address: AddressOfRecord
        /// Digest user name.
        package let account: SIPText
        /// The domain he knows us by.
        package let domain: DialledDomain

        package init(address: AddressOfRecord, account: SIPText, domain: DialledDomain) {
            self.address = address
            self.account = account
            self.domain = domain
        }
    }

    /// What there is to be told.
    package enum Content: Sendable {
        case dialogs([DialogInfo])
        /// Contact URIs.
        case bindings([SIPText])
        case mailbox
    }

    package enum Output: Sendable {
        /// Send a NOTIFY; what comes of it is told by `came`.
        case ask(Request)
        /// A 200 with our tag.
        case grant(ServerRequest, ReplyWriter.Reply, tag: UInt64)
        case refuse(ServerRequest, ReplyWriter.Reply, Refusal)
        /// What is there to be told of it? `tell` is the answer.
        case describe(UInt32, Watched, to: AddressOfRecord)
        case subscribed(Watched, by: FlowID, seconds: UInt32)
        case unsubscribed(Watched, reason: String)
        case full
    }

    package typealias Request = ClientRequest<ClientToken, UInt32>

    package enum Refusal: Sendable {
        case noDialog
        case outOfOrder(had: UInt32, got: UInt32)
        case tooBrief(requested: UInt32, shortest: UInt32)
        case tablesFull
        case badContact
    }

    package struct Settings: Sendable {
        package var shortest: UInt32 = 60
        package var longest: UInt32 = 7_200
        package var cap = 20_000
        package var perAccount = 200
        package var software = ""
        package var addresses = OwnAddresses([])

        package init() {}
    }

    /// Values of Allow-Events; `refer` subscriptions come by REFER alone.
    package static let allowEvents = "dialog, reg, message-summary, refer"

    let settings: Settings
    var table = SubscriptionTable()
    var deadlines = DeadlineQueue<UInt32>()
    var entropy: Entropy
    var tokens: ClientTokens
    package internal(set) var outbox = Outbox<Output>()

    package init(settings: Settings, entropy: Entropy, tokens: ClientTokens) {
        self.settings = settings
        self.entropy = entropy
        self.tokens = tokens
    }

    package mutating func nextOutput() -> Output? { outbox.next() }

    // MARK: Queries

    package var count: Int { table.count }
    package var isEmpty: Bool { table.isEmpty }
    /// Entries in all the indexes: none are left where there is no subscription.
    package var indexed: Int { table.indexed }
    package var pendingDeadlines: Int { deadlines.count }

    /// Whose dialog a SUBSCRIBE names, and over which flow he was heard last; nil: nobody's.
    package func watcher(of request: ServerRequest) -> (watcher: Watcher, flow: FlowID)? {
        entry(of: request).map { ($0.watcher, $0.flow) }
    }

    func entry(of request: ServerRequest) -> SubscriptionTable.Entry? {
        guard let entry = request.parts.to.tag?.tagNumber.flatMap(table.entry(ofTag:)), entry.dialog.id.callID == request.callID,
            entry.dialog.id.remoteTag == request.fromTag
        else { return nil }
        return entry
    }
}
