import Base
import SIP
import SIPStack

/// Who watches what (RFC 6665): the subscriptions we are the notifier of.
struct SubscriptionTable: Sendable {
    /// What is watched.
    enum Package: Hashable, Sendable {
        /// How a transfer fares (RFC 3515).
        case refer(call: UInt32)
        /// Whether a user is in a call (RFC 4235).
        case dialog(AddressOfRecord)
        /// A user's bindings (RFC 3680).
        case reg(AddressOfRecord)
        /// A user's mailbox (RFC 3842); there are none, which is what is told.
        case messageSummary(AddressOfRecord)

        var name: String {
            switch self {
            case .refer: "refer"
            case .dialog: "dialog"
            case .reg: "reg"
            case .messageSummary: "message-summary"
            }
        }

        var aor: AddressOfRecord? {
            switch self {
            case .refer: nil
            case .dialog(let aor), .reg(let aor), .messageSummary(let aor): aor
            }
        }
    }

    struct Entry: Sendable {
        let key: UInt32
        var subscription: Subscription
        let package: Package
        var dialog: Dialog
        /// Our tag. `ownsTag`: false where the dialog is that of a call's leg, which it then ends with.
        let tag: UInt64
        let ownsTag: Bool
        var flow: FlowID
        var account: SIPText
        /// Whose the account is.
        let watcher: AddressOfRecord
        /// The domain the watcher knows us by.
        let domain: DialledDomain
        /// Counts up with each document.
        var version: UInt32 = 0
        /// Whether a NOTIFY waits for its answer; what changes meanwhile is told after it.
        var isNotifying = false
        var isDirty = false
        /// `refer`: the last body told.
        var status: String = ""

        /// Who watches, as a party to his dialog with us.
        var party: CallLeg.Party { CallLeg.Party(address: watcher, account: account) }
    }

    private var entries: [UInt32: Entry] = [:]
    private var watchers: [Package: Set<UInt32>] = [:]
    private var perAccount: [SIPText: Int] = [:]
    /// Those that end with a connection.
    private var streams: [FlowID: Set<UInt32>] = [:]
    private var lastKey: UInt32 = 0

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    mutating func nextKey() -> UInt32 {
        repeat { lastKey &+= 1 } while entries[lastKey] != nil
        return lastKey
    }

    subscript(key: UInt32) -> Entry? { entries[key] }

    mutating func put(_ entry: Entry) {
        let former = entries.updateValue(entry, forKey: entry.key)
        if former == nil { perAccount[entry.account, default: 0] += 1 }
        if former?.flow != entry.flow {
            if let former { leave(former) }
            if entry.flow.transport.isReliable, entry.ownsTag { streams[entry.flow, default: []].insert(entry.key) }
        }
        watchers[entry.package, default: []].insert(entry.key)
    }

    @discardableResult
    mutating func remove(_ key: UInt32) -> Entry? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        let left = perAccount[entry.account, default: 0] - 1
        perAccount[entry.account] = left > 0 ? left : nil
        leave(entry)
        watchers[entry.package]?.remove(key)
        if watchers[entry.package]?.isEmpty == true { watchers[entry.package] = nil }
        return entry
    }

    /// In the order in which they came.
    func watching(_ package: Package) -> [UInt32] { watchers[package].map { $0.sorted() } ?? [] }

    func count(account: SIPText) -> Int { perAccount[account, default: 0] }

    /// Those whose NOTIFYs went over a connection that is gone.
    func onStream(_ flow: FlowID) -> [UInt32] { streams[flow].map { $0.sorted() } ?? [] }

    /// Entries in all the indexes: none are left where there is no subscription.
    var indexed: Int { watchers.count + perAccount.count + streams.count }

    private mutating func leave(_ entry: Entry) {
        guard let place = streams.index(forKey: entry.flow) else { return }
        streams.values[place].remove(entry.key)
        if streams.values[place].isEmpty { streams.remove(at: place) }
    }
}
