import Base
import Registrar
import SIP
import SIPStack

/// MESSAGE outside of calls (RFC 3428): to every instance of the user; the first that takes it answers for all.
extension ServerNode {
    mutating func message(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        guard let party = caller(&request, at: now) else { return }
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        guard let user = target.unescapedUser, accounts.owns(user: user, domain: domain) else {
            return refuse(&request, 404, .unknownAOR, at: now)
        }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        let bindings = registrar.bindings(of: aor).filter { $0.expires > now }
        let instances = byInstance(bindings, isSecret: target.scheme == .sips)
        guard !instances.isEmpty else { return refuse(&request, 480, .nobodyRegistered, at: now) }
        guard calls.deliveries.count < settings.limits.callTransactions,
            calls.clients.count(of: party.account) < settings.limits.transactionsPerAccount
        else {
            return refuse(&request, 503, .tablesFull, at: now)
        }
        note(&request, .request(.message))
        request.isProved = true
        let key = calls.nextDelivery(request)
        for flows in instances.prefix(settings.limits.forks) { deliver(key, flows, party, aor, at: now) }
        concludeDelivery(key, at: now)
    }

    private mutating func deliver(
        _ key: UInt32, _ flows: [Binding], _ party: CallLeg.Party, _ aor: AddressOfRecord, at now: Instant
    ) {
        guard let request = calls.deliveries[key]?.request, let binding = flows.first,
            let flow = way(to: binding, of: aor, at: now)
        else {
            return
        }
        let token = freshToken()
        var builder = SIPMessageBuilder(.message, binding.requestURI)
        builder.add(addresses.via(flow, token))
        builder.add(.maxForwards, max(1, Int((try? request.message.maxForwards) ?? 70) - 1))
        if !binding.path.isEmpty { builder.add(.route, SIPText(binding.path)) }
        let domain = domain(aor, binding, flow)
        builder.add(.from, header(party, in: domain).appending(";tag=").appending(callEntropy.tag()))
        builder.add(.to, header(CallLeg.Party(address: aor), in: domain))
        builder.add(.callID, callEntropy.callID())
        builder.add(CSeq(1, .message))
        for name in Self.relayedHeaders { builder.copy(name, from: request.message) }
        addSoftware(to: &builder)
        builder.body = Array(request.message.body)
        let rest = Array(flows.dropFirst())
        if ask(
            builder.bytes, token, on: flow, .delivery(key, alternates: rest, party: party, aor: aor), .request(.message),
            for: party.account, at: now)
        {
            calls.deliveries[key]?.open += 1
        }
    }

    mutating func deliveryAnswered(
        _ key: UInt32, _ alternates: [Binding], _ party: CallLeg.Party, _ aor: AddressOfRecord, _ outcome: Outcome,
        at now: Instant
    ) {
        guard var delivery = calls.deliveries[key] else { return }
        var status = 408
        if case .response(_, let said) = outcome { status = said }
        guard status >= 200 else { return }
        delivery.open -= 1
        if status < 300, !delivery.isAnswered {
            delivery.isAnswered = true
            answer(&delivery.request, ReplyWriter.Reply(status == 202 ? 202 : 200), .response(status: status), at: now)
        } else if status >= 300 {
            delivery.status = delivery.status == 0 ? status : min(delivery.status, status)
        }
        calls.deliveries[key] = delivery
        if [408, 430, 503].contains(status), !alternates.isEmpty { deliver(key, alternates, party, aor, at: now) }
        concludeDelivery(key, at: now)
    }

    /// All have answered.
    private mutating func concludeDelivery(_ key: UInt32, at now: Instant) {
        guard var delivery = calls.deliveries[key], delivery.open == 0 else { return }
        calls.deliveries[key] = nil
        guard !delivery.isAnswered else { return }
        let status = [0, 401, 407, 408, 430, 503].contains(delivery.status) ? 480 : delivery.status
        refuse(&delivery.request, status, .noAnswer, at: now)
    }
}

/// A MESSAGE on its way to several phones.
struct Delivery: Sendable {
    var request: ServerRequest
    var open = 0
    var isAnswered = false
    /// The lowest refusal; 0: none yet.
    var status = 0
}
