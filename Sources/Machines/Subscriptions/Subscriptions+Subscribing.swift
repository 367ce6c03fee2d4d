import Base
import SIP
import SIPStack

/// SUBSCRIBE: begun, refreshed, ended (RFC 6665 4.2.1).
extension Subscriptions {
    /// A SUBSCRIBE that makes a dialog, of a watcher who proved himself and may watch that.
    package mutating func subscribe(_ request: ServerRequest, to watched: Watched, _ watcher: Watcher, at now: Instant) {
        guard let seconds = granted(request) else { return }
        guard table.count < settings.cap, table.count(account: watcher.account) < settings.perAccount else {
            outbox.append(.full)
            return refuse(request, 503, .tablesFull)
        }
        let tag = entropy.next()
        guard
            let dialog = try? Dialog(
                answering: request.message, localTag: SIPText(tag: tag), localSequence: entropy.initialSequence(),
                isConfirmed: true)
        else { return refuse(request, 400, .badContact) }
        let key = table.nextKey()
        let event = request.message.first(.event)?.value ?? SIPText()
        let entry = SubscriptionTable.Entry(
            key: key, subscription: Subscription(event: event, seconds: seconds, at: now), watched: watched, dialog: dialog,
            tag: tag,
            flow: request.flow, watcher: watcher)
        table.put(entry)
        outbox.append(.subscribed(watched, by: request.flow, seconds: seconds))
        grant(request, tag, seconds)
        go(on: key, seconds)
    }

    /// A SUBSCRIBE inside its dialog, of its watcher.
    package mutating func resubscribe(_ request: ServerRequest, at now: Instant) {
        guard var entry = entry(of: request) else { return refuse(request, 481, .noDialog) }
        let order = entry.dialog.receive(.subscribe, sequence: request.cseq)
        table.put(entry)
        if case .outOfOrder(let had, let got) = order { return refuse(request, 500, .outOfOrder(had: had, got: got)) }
        guard let seconds = granted(request) else { return }
        entry.dialog.refreshTarget(request.message)
        entry.flow = request.flow
        if seconds > 0 { entry.subscription.refresh(seconds: seconds, at: now) }
        table.put(entry)
        grant(request, entry.tag, seconds)
        go(on: entry.key, seconds)
    }

    private mutating func go(on key: UInt32, _ seconds: UInt32) {
        if seconds == 0 { end(key, .timeout, "ended by the watcher") } else { notify(key) }
    }

    /// Seconds; nil: too brief, and refused already.
    private mutating func granted(_ request: ServerRequest) -> UInt32? {
        let asked = ((try? request.message.expires) ?? nil) ?? 3_600
        if asked == 0 || asked >= settings.shortest { return min(asked, settings.longest) }
        var reply = ReplyWriter.Reply(423)
        reply.add("Min-Expires", number: settings.shortest)
        outbox.append(.refuse(request, reply, .tooBrief(requested: asked, shortest: settings.shortest)))
        return nil
    }

    private mutating func refuse(_ request: ServerRequest, _ status: Int, _ refusal: Refusal) {
        var reply = ReplyWriter.Reply(status)
        if status == 503 { reply.add("Retry-After", number: 5) }
        outbox.append(.refuse(request, reply, refusal))
    }

    private mutating func grant(_ request: ServerRequest, _ tag: UInt64, _ seconds: UInt32) {
        var reply = ReplyWriter.Reply(200)
        for header in request.message.all(.recordRoute) { reply.add("Record-Route", header.value.bytes) }
        reply.add("Contact", settings.addresses.contact(request.flow).bytes)
        reply.add("Expires", number: seconds)
        outbox.append(.grant(request, reply, tag: tag))
    }
}
