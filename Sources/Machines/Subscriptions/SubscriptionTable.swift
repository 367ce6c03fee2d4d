import Base
import SIP
import SIPStack

/// Who watches what (RFC 6665): the subscriptions we are the notifier of.
struct SubscriptionTable: Sendable {
    struct Entry: Sendable {
        let key: UInt32
        var subscription: Subscription
        let watched: Subscriptions.Watched
        var dialog: Dialog
        /// Our tag.
        let tag: UInt64
        var flow: FlowID
        let watcher: Subscriptions.Watcher
        /// Counts up with each document.
        var version: UInt32 = 0
        /// Whether a NOTIFY waits for its answer; what changes meanwhile is told after it.
        var isNotifying = false
        var isDirty = false
        /// Why it is over, once its last NOTIFY is out.
        var end = ""
    }

    private var entries: [UInt32: Entry] = [:]
    private var watchers: [Subscriptions.Watched: Set<UInt32>] = [:]
    private var tags: [UInt64: UInt32] = [:]
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

    /// Whose dialog a tag of ours names.
    func entry(ofTag tag: UInt64) -> Entry? { tags[tag].flatMap { entries[$0] } }

    mutating func put(_ entry: Entry) {
        let former = entries.updateValue(entry, forKey: entry.key)
        if former == nil { perAccount[entry.watcher.account, default: 0] += 1 }
        if former?.flow != entry.flow {
            if let former { leave(former) }
            if entry.flow.transport.isReliable { streams[entry.flow, default: []].insert(entry.key) }
        }
        watchers[entry.watched, default: []].insert(entry.key)
        tags[entry.tag] = entry.key
    }

    @discardableResult
    mutating func remove(_ key: UInt32) -> Entry? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        let left = perAccount[entry.watcher.account, default: 0] - 1
        perAccount[entry.watcher.account] = left > 0 ? left : nil
        leave(entry)
        tags[entry.tag] = nil
        watchers[entry.watched]?.remove(key)
        if watchers[entry.watched]?.isEmpty == true { watchers[entry.watched] = nil }
        return entry
    }

    /// In the order in which they came.
    func watching(_ watched: Subscriptions.Watched) -> [UInt32] { watchers[watched].map { $0.sorted() } ?? [] }

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
