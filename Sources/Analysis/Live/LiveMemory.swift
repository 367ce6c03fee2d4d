import Base
import SIP

/// What a running server saw, by Call-ID and far address, in a room that does not grow.
///
/// When the room is full a quarter of it is made free: of what strangers sent first, then of keepalives, then of what is of accounts; of
/// each what is over before what is open, and the oldest first. Each of the three keeps a share that the others cannot take.
struct LiveMemory: Sendable {
    private struct Key: Hashable, Sendable {
        var callID: SIPText
        var address: IPAddress
    }

    /// Octets.
    let room: Int
    private(set) var used = 0
    private(set) var trail: LiveTrail
    private(set) var proved: RecentFlows
    /// Messages so far, forgotten ones too.
    private(set) var count = 0
    private var usedBy: [LiveDialog.Standing: Int] = [:]
    private var dialogs: [Int: LiveDialog] = [:]
    private var numbers: [Key: Int] = [:]
    private var keys: [Int: Key] = [:]
    private var nextNumber = 0
    /// Before it the trail tells nothing: what accounts sent before it, calls that stand excepted, is forgotten next.
    private var horizon: Instant?

    init(room: Int) {
        self.room = room
        trail = LiveTrail(most: max(16, room / 4 / 100))
        proved = RecentFlows(most: max(16, room / 512))
    }

    var isFull: Bool { used > room || trail.isFull }

    var dialogCount: Int { dialogs.count }

    // MARK: Taking in

    mutating func take(_ message: SIPMessage, on flow: FlowID, isReceived: Bool, isProved: Bool, at time: Instant) {
        count += 1
        guard let callID = try? message.callID, let cseq = try? message.cseq else { return }
        if isProved { proved.insert(flow) }
        let number = number(of: Key(callID: callID, address: flow.remote.address)) {
            let isOptions = message.method == .options
            let isOurs = !isReceived && message.isRequest
            return LiveDialog(isOurs ? isOptions ? .keepalive : .account : .stranger, isOfOptions: isOptions)
        }
        let taken = LiveMessage(number: count, time: time, flow: flow, isReceived: isReceived, bytes: message.bytes)
        let isKnown = proved.contains(flow)
        change(number) { dialog in
            dialog.append(taken, cseq.method, status: message.statusCode)
            if dialog.standing == .stranger, isKnown {
                dialog.standing = dialog.isOfOptions ? .keepalive : .account
            }
        }
        guard let dialog = dialogs[number], dialog.messages.count > 1 else { return }
        if dialog.messages.count >= LiveDialog.mostMessages || dialog.size > room / 64 {
            takeOut(of: number, before: dialog.cut(behind: dialog.messages.count / 2))
        }
    }

    /// A packet that is no SIP message and keeps a mapping alive.
    mutating func keepalive(on flow: FlowID, at time: Instant) {
        if proved.contains(flow) { trail.mark(flow, number: count, at: time) }
    }

    private mutating func number(of key: Key, _ make: () -> LiveDialog) -> Int {
        if let number = numbers[key] { return number }
        let key = Key(callID: key.callID.detached, address: key.address)
        let number = add(make())
        numbers[key] = number
        keys[number] = key
        count(key.callID.count + Self.overhead, of: number)
        return number
    }

    /// Of a dialog, beside its messages and its Call-ID.
    private static let overhead = 400

    private mutating func add(_ dialog: LiveDialog) -> Int {
        nextNumber += 1
        dialogs[nextNumber] = dialog
        count(dialog.size, of: nextNumber)
        return nextNumber
    }

    private mutating func count(_ octets: Int, of number: Int) {
        guard let standing = dialogs[number]?.standing else { return }
        used += octets
        usedBy[standing, default: 0] += octets
    }

    /// Changes a dialog, and what is counted of its size and standing.
    private mutating func change(_ number: Int, _ body: (inout LiveDialog) -> Void) {
        guard let before = dialogs[number].map({ (size: weight(of: number, $0), standing: $0.standing) }) else { return }
        body(&dialogs[number]!)
        guard let after = dialogs[number] else { return }
        let size = weight(of: number, after)
        used += size - before.size
        usedBy[before.standing, default: 0] -= before.size
        usedBy[after.standing, default: 0] += size
    }

    private func weight(of number: Int, _ dialog: LiveDialog) -> Int {
        dialog.size + (keys[number].map { $0.callID.count + Self.overhead } ?? 0)
    }

    private mutating func takeOut(of number: Int, before index: Int) {
        guard let dialog = dialogs[number], index > 0, index < dialog.messages.count else { return }
        var former: LiveDialog?
        change(number) { former = $0.takeOut(before: index) }
        if let former { _ = add(former) }
    }

    // MARK: Forgetting

    /// Makes room. What was forgotten is handed over, to be judged a last time.
    mutating func forget(at now: Instant) -> ForgottenMessages {
        var forgotten = ForgottenMessages()
        if trail.isFull { horizon = trail.halve() ?? horizon }
        cutAtHorizon(into: &forgotten)
        let order = dialogs.map { number, dialog in
            (standing: dialog.standing, isOpen: !dialog.isOver(at: now), last: dialog.last, number: number)
        }.sorted { ($0.standing.rawValue, $0.isOpen ? 1 : 0, $0.last) < ($1.standing.rawValue, $1.isOpen ? 1 : 0, $1.last) }
        for entry in order {
            guard used > room / 4 * 3 else { break }
            guard usedBy[entry.standing, default: 0] > share(of: entry.standing) else { continue }
            remove(entry.number, into: &forgotten)
        }
        if !forgotten.ofAccounts.isEmpty { forgotten.context = messages { $0 != .stranger } }
        forgotten.trail = trail.marks
        return forgotten
    }

    /// What is left of each where another needs the room: three quarters of it in all.
    private func share(of standing: LiveDialog.Standing) -> Int {
        switch standing {
        case .stranger, .keepalive: room / 8
        case .account: room / 2
        }
    }

    /// What accounts said before the horizon, but in calls that stand.
    private mutating func cutAtHorizon(into forgotten: inout ForgottenMessages) {
        guard let horizon else { return }
        let crossing = dialogs.filter { _, dialog in
            guard dialog.standing != .stranger, let first = dialog.messages.first else { return false }
            if case .callStands = dialog.progress { return false }
            return first.time < horizon
        }
        for (number, dialog) in crossing.sorted(by: { $0.key < $1.key }) {
            let old = dialog.messages.firstIndex { $0.time >= horizon } ?? dialog.messages.count
            let index = dialog.cut(behind: old)
            if index < dialog.messages.count {
                var former: LiveDialog?
                change(number) { former = $0.takeOut(before: index) }
                if let former { leave(former, into: &forgotten) }
            } else {
                remove(number, into: &forgotten)
            }
        }
        self.horizon = nil
    }

    private mutating func remove(_ number: Int, into forgotten: inout ForgottenMessages) {
        guard let dialog = dialogs[number] else { return }
        count(-weight(of: number, dialog), of: number)
        dialogs[number] = nil
        if let key = keys.removeValue(forKey: number) { numbers[key] = nil }
        leave(dialog, into: &forgotten)
    }

    private mutating func leave(_ dialog: LiveDialog, into forgotten: inout ForgottenMessages) {
        forgotten.add(dialog)
        guard dialog.standing != .stranger else { return }
        for message in dialog.messages where message.isReceived {
            trail.mark(message.flow, number: message.number, at: message.time)
        }
    }

    /// All messages held of dialogs of that standing, in order.
    func messages(of isMeant: (LiveDialog.Standing) -> Bool = { _ in true }) -> [LiveMessage] {
        dialogs.values.filter { isMeant($0.standing) }.flatMap(\.messages).sorted { $0.number < $1.number }
    }
}
