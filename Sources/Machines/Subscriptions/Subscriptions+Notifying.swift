import Base
import SIP
import SIPStack

/// NOTIFY: the state as it is, whenever it is another, and at the end why (RFC 6665 4.2.2).
extension Subscriptions {
    /// Something changed for all who watch that.
    package mutating func changed(_ watched: Watched) {
        for key in table.watching(watched) { notify(key) }
    }

    /// The state as it is; where a NOTIFY is still unanswered, after that.
    mutating func notify(_ key: UInt32) {
        guard var entry = table[key] else { return }
        guard !entry.isNotifying || entry.subscription.isOver else {
            entry.isDirty = true
            return table.put(entry)
        }
        outbox.append(.describe(key, entry.watched, to: entry.watcher.address))
    }

    /// A last NOTIFY says why.
    mutating func end(_ key: UInt32, _ reason: Subscription.Reason, _ why: String) {
        guard var entry = table[key] else { return }
        entry.subscription.terminate(reason)
        entry.end = why
        table.put(entry)
        notify(key)
    }

    /// The answer to `describe`.
    package mutating func tell(_ key: UInt32, _ content: Content, at now: Instant) {
        guard var entry = table[key] else { return }
        // Something changed twice before the first was told.
        guard !entry.isNotifying || entry.subscription.isOver else {
            entry.isDirty = true
            return table.put(entry)
        }
        let token = tokens.next()
        var builder = entry.dialog.request(.notify, via: settings.addresses.via(entry.flow, token))
        builder.add(.event, entry.subscription.event)
        builder.add(.subscriptionState, entry.subscription.header(at: now))
        builder.add(.contact, settings.addresses.contact(entry.flow))
        if !settings.software.isEmpty { builder.add(.userAgent, SIPText(settings.software)) }
        let (type, body) = entry.document(content)
        builder.add(.contentType, SIPText(type))
        builder.body = body
        entry.version &+= 1
        entry.isDirty = false
        entry.isNotifying = true
        table.put(entry)
        deadlines.set(key, to: entry.subscription.nextDeadline)
        outbox.append(.ask(ClientRequest(.notify, builder.bytes, token, on: entry.flow, key)))
        if entry.subscription.isOver { forget(key, entry.end) }
    }

    /// What became of a NOTIFY.
    package mutating func came(_ outcome: ClientOutcome, of sent: Request) {
        guard var entry = table[sent.user] else { return }
        switch outcome {
        case .response(_, ..<200), .unwanted: return
        case .response(_, 200..<300), .unsent:
            entry.isNotifying = false
            table.put(entry)
            if case .response = outcome, entry.isDirty { notify(entry.key) }
        // Neither takes notice of it any more (RFC 6665 4.2.2).
        case .response(_, let status): forget(entry.key, "the watcher answers \(status)")
        case .timeout, .failed: forget(entry.key, "the watcher does not answer")
        }
    }

    /// A connection is gone: nobody can be notified over it.
    package mutating func closed(_ flow: FlowID) {
        for key in table.onStream(flow) { forget(key, "its connection closed") }
    }

    private mutating func forget(_ key: UInt32, _ why: String) {
        guard let entry = table.remove(key) else { return }
        deadlines.set(key, to: nil)
        outbox.append(.unsubscribed(entry.watched, reason: why))
    }

    // MARK: Time

    package var nextDeadline: Instant? { deadlines.nextDeadline }

    /// What is due first. False: nothing is.
    package mutating func advanceOnce(to now: Instant) -> Bool {
        guard let key = deadlines.popDue(at: now) else { return false }
        guard var entry = table[key] else { return true }
        guard entry.subscription.advance(to: now) else {
            deadlines.set(key, to: entry.subscription.nextDeadline)
            return true
        }
        entry.end = "it expired"
        table.put(entry)
        notify(key)
        return true
    }
}
