import Base
import CallServer
import Registrar
import SIP
import SIPStack
import Subscriptions

/// What the rooms say is carried out here, each thing before what was said after it.
extension ServerNode {
    /// Until nobody has anything more to say. What lies further below comes first: so everything leaves in the order in which it was decided.
    mutating func drain(at now: Instant) {
        while true {
            // Looked at before it is fetched: what a room says is large, and mostly it says nothing.
            if !clients.isSilent, let output = clients.nextOutput() {
                carryOut(output, at: now)
            } else if !invites.isSilent, let output = invites.nextOutput() {
                carryOut(output, at: now)
            } else if !subscriptions.outbox.isEmpty, let output = subscriptions.nextOutput() {
                carryOut(output, at: now)
            } else if !registrar.outbox.isEmpty, let output = registrar.nextOutput() {
                carryOut(output, at: now)
            } else if !calls.outbox.isEmpty, let output = calls.nextOutput() {
                carryOut(output, at: now)
            } else if !changedDialogs.isEmpty {
                subscriptions.changed(.dialog(changedDialogs.removeFirst()))
            } else {
                unopened = []
                return
            }
        }
    }

    private mutating func carryOut(_ output: ClientTransactions<ClientToken, Asker>.Output, at now: Instant) {
        switch output {
        case .send(let request, let bytes, let meaning):
            if case .probe = request.user { return send(bytes, on: request.flow, .probe) }
            send(bytes, on: request.flow, ServerTrace.Meaning(meaning))
        case .came(let outcome, let sent):
            switch sent.user {
            case .call(let purpose): calls.came(outcome, of: sent.of(purpose), at: now)
            case .subscription(let key): subscriptions.came(outcome, of: sent.of(key))
            case .probe(let probe): registrar.came(outcome, of: sent.of(probe), at: now)
            }
        }
    }

    private mutating func carryOut(_ output: ServerTransactions<UInt64, Invite>.Output, at now: Instant) {
        switch output {
        case .again(_, let flow, let bytes): send(bytes, on: flow, .retransmission)
        case .trying(let invite):
            let request = invite.request
            let bytes = writer.bytes(ReplyWriter.Reply(100), to: request.parts.echo, source: request.flow.remote, toTag: 0)
            respond(request.key, 100, bytes, at: now)
        case .unacknowledged, .undeliverable, .over: break
        }
    }

    private mutating func respond(_ key: UInt64, _ status: Int, _ bytes: [UInt8], at now: Instant) {
        guard let way = invites.respond(key, status, bytes, at: now) else { return }
        transmit(bytes, on: way, status, .response(status: status))
    }

    // MARK: The registrar

    private mutating func carryOut(_ output: Registrar.Output, at now: Instant) {
        switch output {
        case .send(let flow, let bytes): send(bytes, on: flow, .keepalive)
        case .ask(let request): clients.ask(request.of(.probe(request.user)), at: now)
        case .connect(let flow): outbox.append(.connect(flow))
        case .registered(let registered):
            var request = registered.request
            tally.registrationTimes.add(now - request.arrival)
            answer(&request, success(registered, at: now), .registered(bindings: registered.locations.count), at: now)
        case .persist(let sequence, let change): outbox.append(.persist(sequence: sequence, change))
        case .moved(let aor, let former, let flow): if !calls.isEmpty { calls.moved(aor, from: former, to: flow) }
        case .changed(let aor): if !subscriptions.isEmpty { subscriptions.changed(.reg(aor)) }
        case .probed(let aor, let outcomes): outbox.append(.probed(aor: aor, outcomes))
        case .trace(let trace): traces.note(ServerTrace(trace))
        }
    }

    private mutating func success(
        _ registered: Registrar.Registered, at now: Instant
    ) -> ReplyWriter.Reply {
        var reply = ReplyWriter.Reply(200)
        for location in registered.locations {
            let binding = location.binding
            reply.lines.append(static: "Contact: <")
            reply.lines.append(contentsOf: binding.contact)
            reply.lines.append(static: ">")
            reply.lines.append(contentsOf: binding.parameters)
            if binding.q < 1000 {
                reply.lines.append(static: ";q=0.")
                reply.lines.append(contentsOf: [
                    0x30 + UInt8(binding.q / 100), 0x30 + UInt8(binding.q / 10 % 10), 0x30 + UInt8(binding.q % 10),
                ])
            }
            reply.lines.append(static: ";expires=")
            // Rounded up: a fresh binding shows what was granted.
            let left = max(0, (binding.expires - now).wholeNanoseconds)
            reply.lines.append(decimal: UInt64(left / 1_000_000_000 + (left % 1_000_000_000 == 0 ? 0 : 1)))
            reply.lines.append(static: "\r\n")
        }
        writer.addDate(now, to: &reply)
        guard settings.profile == .pinhole else { return reply }
        if !registered.path.isEmpty { reply.add("Path", registered.path) }
        writer.addServiceRoutes(to: &reply)
        reply.add("Supported", ReplyWriter.supported.utf8)
        if registered.usesOutbound {
            reply.add("Require", "outbound".utf8)
            reply.add("Flow-Timer", number: settings.flowTimer)
        }
        return reply
    }

    // MARK: Calls

    private mutating func carryOut(_ output: CallServer.Output, at now: Instant) {
        switch output {
        case .ask(let request):
            if unopened.contains(request.flow) { return calls.came(.failed, of: request, at: now) }
            clients.ask(request.of(.call(request.user)), at: now)
        case .cancel(let token, let reason): clients.cancel(token, reason: reason, at: now)
        case .forget(let token): clients.forget(token)
        case .send(let flow, let bytes, let meaning): send(bytes, on: flow, ServerTrace.Meaning(meaning))
        case .open(let request, let caller):
            let way = ways.reply(request.via, request.flow) ?? request.flow
            invites.open(request.key, Invite(request: request, caller: caller), isInvite: true, on: way, at: now)
        case .respond(let key, let status, let bytes): respond(key, status, bytes, at: now)
        case .abandon(let key): invites.forget(key)
        case .answer(var request, let reply): answer(&request, reply, .response(status: reply.status), at: now)
        case .refuse(var request, let reply, let refusal): refuse(&request, reply, ServerTrace.Refusal(refusal), at: now)
        case .media(let loop, let command): outbox.append(.media(loop: loop, command))
        case .record(let record): outbox.append(.record(record))
        case .lookUp(let lookUp): calls.found(lookUp.id, find(lookUp, at: now), at: now)
        case .connect(let aor, let target):
            if !registrar.connect(aor, contact: target.contact, over: target.flow) { unopened.insert(target.flow) }
        case .habit(let aor, let contact, let insists):
            registrar.keep(insists.map { $0 ? .insists : .refuses }, of: aor, contact: contact)
        case .unanswered(let call, let aor, let flow, let bytes):
            guard registrar.answersKeepalives(aor, over: flow) else { return }
            traces.note(.call(.fragmentsLost(call: call, party: aor.description, flow, bytes: bytes)))
        case .called(let flow): outbox.append(.proved(on: flow, by: .call))
        case .dialogsChanged(let aor):
            if !subscriptions.isEmpty, !changedDialogs.contains(aor) { changedDialogs.append(aor) }
        case .trace(let trace):
            if case .refused(_, _, let refusal) = trace { tally.refused(ServerTrace.Refusal(refusal).reason) }
            traces.note(ServerTrace(trace))
        }
    }

    // MARK: Subscriptions

    private mutating func carryOut(_ output: Subscriptions.Output, at now: Instant) {
        switch output {
        case .ask(let request): clients.ask(request.of(.subscription(request.user)), at: now)
        case .grant(let request, let reply, let tag):
            guard let way = ways.reply(request.via, request.flow) else { return drop(request.flow, .noReplyAddress) }
            let bytes = writer.bytes(reply, to: request.parts.echo, source: request.flow.remote, toTag: tag)
            replies.complete(request.key, on: way, bytes)
            transmit(bytes, on: way, 200, .response(status: 200))
        case .refuse(var request, let reply, let refusal): refuse(&request, reply, ServerTrace.Refusal(refusal), at: now)
        case .describe(let key, let watched, let watcher): subscriptions.tell(key, content(watched, for: watcher), at: now)
        case .subscribed(let watched, let flow, let seconds):
            traces.note(.call(.subscribed(watched.aor.description, event: watched.event, by: flow, seconds: seconds)))
        case .unsubscribed(let watched, let reason):
            traces.note(.call(.unsubscribed(watched.aor.description, event: watched.event, reason: reason)))
        case .full:
            tally.callTablesFull &+= 1
            traces.note(.notice(.tableFull("subscriptions")))
        }
    }

    private func content(_ watched: Subscriptions.Watched, for watcher: AddressOfRecord) -> Subscriptions.Content {
        switch watched {
        case .dialog(let aor): .dialogs(calls.dialogs(of: aor, for: watcher))
        case .reg(let aor): .bindings(registrar.bindings(of: aor).map { SIPText(Array($0.contact)) })
        case .messageSummary: .mailbox
        }
    }
}
