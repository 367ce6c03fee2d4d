import Base
import SIP
import SIPStack

/// SUBSCRIBE and NOTIFY (RFC 6665) for busy lamps (`dialog`, RFC 4235), bindings (`reg`, RFC 3680) and mailboxes (`message-summary`,
/// RFC 3842); any other event gets 489. `refer` subscriptions come by REFER alone.
extension ServerNode {
    static let allowEvents = "dialog, reg, message-summary, refer"

    mutating func subscribe(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        if request.hasToTag { return resubscribe(&request, at: now) }
        guard let account = authenticate(&request, at: now) else { return }
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        guard let event = request.message.first(.event)?.value, let package = Self.package(event) else {
            var reply = ReplyWriter.Reply(489)
            reply.add("Allow-Events", Self.allowEvents.utf8)
            return refuse(&request, reply, .event(request.message.first(.event)?.value ?? SIPText()), at: now)
        }
        guard let user = target.unescapedUser, accounts.owns(user: user, domain: domain) else {
            return refuse(&request, 404, .unknownAOR, at: now)
        }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        // Who is busy all may see; where someone is and what waits for him is his alone.
        guard package == "dialog" || account.mayRegister(user: user, domain: domain) else {
            return refuse(&request, 403, .notTheirs(aor, username: account.username), at: now)
        }
        let seconds: UInt32
        switch wishedSeconds(request) {
        case .some(let granted): seconds = granted
        case nil:
            var reply = ReplyWriter.Reply(423)
            reply.add("Min-Expires", number: settings.calls.shortestSubscription)
            return refuse(
                &request, reply,
                .tooBrief(requested: ((try? request.message.expires) ?? nil) ?? 0, shortest: settings.calls.shortestSubscription),
                at: now)
        }
        let limits = settings.limits
        guard calls.subscriptions.count < limits.subscriptions,
            calls.subscriptions.count(account: account.username) < limits.subscriptionsPerAccount
        else {
            tally.callTablesFull &+= 1
            traces.note(.notice(.tableFull("subscriptions")))
            return refuse(&request, 503, .tablesFull, at: now)
        }
        let tag = subscriptionEntropy.next()
        guard
            let dialog = try? Dialog(
                answering: request.message, localTag: Self.tagText(tag), localSequence: subscriptionEntropy.initialSequence(),
                isConfirmed: true)
        else { return refuse(&request, 400, .badContact, at: now) }
        let key = calls.subscriptions.nextKey()
        let entry = SubscriptionTable.Entry(
            key: key, subscription: Subscription(event: event, seconds: seconds, at: now), package: Self.package(package, aor),
            dialog: dialog, tag: tag, ownsTag: true, flow: request.flow, account: account.username,
            watcher: AddressOfRecord(user: account.user.bytes, domain: (account.domain ?? domains.primary).bytes),
            domain: DialledDomain(aor, written: target.hostPort))
        calls.subscriptions.put(entry)
        calls.tags[tag] = .subscription(key)
        traces.note(.call(.subscribed(aor.description, event: package, by: request.flow, seconds: seconds)))
        grant(&request, tag, seconds, at: now)
        if seconds == 0 { endSubscription(key, .timeout, at: now) } else { notify(key, at: now) }
    }

    /// Refreshed or ended inside its dialog (RFC 6665 4.2.1).
    private mutating func resubscribe(_ request: inout ServerRequest, at now: Instant) {
        guard let tag = Self.tagNumber(request.parts.to.tag) else { return refuse(&request, 481, .noDialog, at: now) }
        if case .leg? = calls.tags[tag] { return resubscribeToReferral(&request, at: now) }
        guard case .subscription(let key)? = calls.tags[tag], var entry = calls.subscriptions[key],
            entry.dialog.id.callID == request.callID, entry.dialog.id.remoteTag == request.fromTag
        else { return refuse(&request, 481, .noDialog, at: now) }
        guard belongs(&request, to: entry.party, on: entry.flow, at: now) else { return }
        remember(request, at: now)
        if case .outOfOrder(let had, let got) = entry.dialog.receive(.subscribe, sequence: request.cseq) {
            return refuse(&request, 500, .outOfOrder(had: had, got: got), at: now)
        }
        guard let seconds = wishedSeconds(request) else {
            var reply = ReplyWriter.Reply(423)
            reply.add("Min-Expires", number: settings.calls.shortestSubscription)
            return refuse(
                &request, reply,
                .tooBrief(requested: ((try? request.message.expires) ?? nil) ?? 0, shortest: settings.calls.shortestSubscription),
                at: now)
        }
        entry.dialog.refreshTarget(request.message)
        entry.flow = request.flow
        if seconds > 0 { entry.subscription.refresh(seconds: seconds, at: now) }
        calls.subscriptions.put(entry)
        grant(&request, tag, seconds, at: now)
        if seconds == 0 { endSubscription(key, .timeout, at: now) } else { notify(key, at: now) }
    }

    /// A transferor that keeps its `refer` subscription alive, or ends it.
    private mutating func resubscribeToReferral(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now), let call = calls.peek(key), let transfer = call.transfer,
            transfer.transferor == leg, let subscription = transfer.subscription, var entry = calls.subscriptions[subscription]
        else { return refuse(&request, 481, .noDialog, at: now) }
        let seconds = wishedSeconds(request) ?? settings.calls.shortestSubscription
        grant(&request, call.legs[leg].tag, seconds, at: now)
        if seconds == 0 {
            if var call = calls.take(key) {
                call.transfer?.subscription = nil
                calls.put(call)
            }
            return endReferral(subscription, nil, at: now)
        }
        entry.subscription.refresh(seconds: seconds, at: now)
        calls.subscriptions.put(entry)
        calls.deadlines.set(.subscription(subscription), to: entry.subscription.nextDeadline)
    }

    private mutating func grant(_ request: inout ServerRequest, _ tag: UInt64, _ seconds: UInt32, at now: Instant) {
        note(&request, .request(.subscribe))
        var reply = ReplyWriter.Reply(200)
        for header in request.message.all(.recordRoute) { reply.add("Record-Route", header.value.bytes) }
        reply.add("Contact", addresses.contact(request.flow).bytes)
        reply.add("Expires", number: seconds)
        guard let way = ways.reply(request.via, request.flow) else { return drop(request.flow, .noReplyAddress) }
        let bytes = writer.bytes(reply, to: request.parts.echo, source: request.flow.remote, toTag: tag)
        replies.complete(request.key, on: way, bytes)
        transmit(bytes, on: way, 200, .response(status: 200))
    }

    /// What is granted; nil: too brief.
    private func wishedSeconds(_ request: ServerRequest) -> UInt32? {
        let asked = ((try? request.message.expires) ?? nil) ?? 3_600
        guard asked == 0 || asked >= settings.calls.shortestSubscription else { return nil }
        return min(asked, settings.calls.longestSubscription)
    }

    private static func package(_ event: SIPText) -> String? {
        let name = SIPText(event.bytes.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }).lowercased.string
        return ["dialog", "reg", "message-summary"].contains(name) ? name : nil
    }

    private static func package(_ name: String, _ aor: AddressOfRecord) -> SubscriptionTable.Package {
        switch name {
        case "dialog": .dialog(aor)
        case "reg": .reg(aor)
        default: .messageSummary(aor)
        }
    }

    // MARK: NOTIFY

    /// Something changed for all who watch `package`.
    mutating func notifyWatchers(_ package: SubscriptionTable.Package, at now: Instant) {
        for key in calls.subscriptions.watching(package) { notify(key, at: now) }
    }

    /// The state as it is; where a NOTIFY is still unanswered, after that.
    mutating func notify(_ key: UInt32, at now: Instant) {
        guard var entry = calls.subscriptions[key], entry.package.aor != nil else { return }
        guard !entry.isNotifying || entry.subscription.isOver else {
            entry.isDirty = true
            return calls.subscriptions.put(entry)
        }
        let token = freshToken()
        var builder = entry.dialog.request(.notify, via: addresses.via(entry.flow, token))
        builder.add(.event, entry.subscription.event)
        builder.add(.subscriptionState, entry.subscription.header(at: now))
        builder.add(.contact, addresses.contact(entry.flow))
        addSoftware(to: &builder)
        let (type, body) = document(entry)
        builder.add(.contentType, SIPText(type))
        builder.body = body
        entry.version &+= 1
        entry.isDirty = false
        entry.isNotifying = ask(builder.bytes, token, on: entry.flow, .notify(subscription: key), .request(.notify), at: now)
        calls.subscriptions.put(entry)
        calls.deadlines.set(.subscription(key), to: entry.subscription.nextDeadline)
    }

    mutating func notifyAnswered(_ key: UInt32, _ outcome: Outcome, at now: Instant) {
        guard var entry = calls.subscriptions[key] else { return }
        switch outcome {
        case .response(_, ..<200): return
        case .response(_, 200..<300):
            entry.isNotifying = false
            calls.subscriptions.put(entry)
            if entry.isDirty { notify(key, at: now) }
        // Neither takes notice of it any more (RFC 6665 4.2.2).
        case .response(_, let status): forgetSubscription(key, "the watcher answers \(status)")
        case .timeout: forgetSubscription(key, "the watcher does not answer")
        }
    }

    mutating func advanceSubscription(_ key: UInt32, at now: Instant) {
        guard var entry = calls.subscriptions[key] else { return }
        guard entry.subscription.advance(to: now) else {
            return calls.deadlines.set(.subscription(key), to: entry.subscription.nextDeadline)
        }
        calls.subscriptions.put(entry)
        if case .refer(let call) = entry.package {
            endReferral(key, nil, at: now)
            if var call = calls.take(call) {
                if call.transfer?.subscription == key { call.transfer?.subscription = nil }
                calls.put(call)
            }
            return
        }
        notify(key, at: now)
        forgetSubscription(key, "it expired")
    }

    /// A last NOTIFY says why.
    private mutating func endSubscription(_ key: UInt32, _ reason: Subscription.Reason, at now: Instant) {
        guard var entry = calls.subscriptions[key] else { return }
        entry.subscription.terminate(reason)
        calls.subscriptions.put(entry)
        notify(key, at: now)
        forgetSubscription(key, "ended by the watcher")
    }

    private mutating func forgetSubscription(_ key: UInt32, _ why: String) {
        guard let entry = calls.subscriptions.remove(key) else { return }
        calls.deadlines.set(.subscription(key), to: nil)
        if entry.ownsTag { calls.tags[entry.tag] = nil }
        traces.note(.call(.unsubscribed(entry.package.aor?.description ?? "", event: entry.package.name, reason: why)))
    }

    /// A connection is gone: nobody can be notified over it.
    mutating func forgetSubscriptions(on flow: FlowID) {
        guard !calls.subscriptions.isEmpty else { return }
        for key in calls.subscriptions.onStream(flow) { forgetSubscription(key, "its connection closed") }
    }
}
