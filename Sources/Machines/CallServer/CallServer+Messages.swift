import Base
import SIP
import SIPStack

/// MESSAGE outside of calls (RFC 3428): to every instance of the user; the first that takes it answers for all.
extension CallServer {
    package mutating func message(
        _ request: ServerRequest, to aor: AddressOfRecord, isSecret: Bool, _ party: CallParty, at now: Instant
    ) {
        guard deliveries.count < settings.limits.deliveries else { return refuse(request, 503, .tablesFull) }
        let key = deliveries.begin(Delivery(request: request, party: party, aor: aor, isSecret: isSecret))
        guard !lookUp(.user(aor), .delivery(key), at: now) else { return }
        deliveries[key] = nil
        refuse(request, 503, .tablesFull)
    }

    /// Where the user's phones are is known.
    mutating func deliver(_ key: UInt32, _ found: Found) {
        guard let delivery = deliveries[key] else { return }
        let instances = CallTarget.byInstance(found.targets, isSecret: delivery.isSecret)
        guard !instances.isEmpty else {
            deliveries[key] = nil
            return refuse(delivery.request, 480, .nobodyRegistered)
        }
        // What phones answer is answered to whoever asked, stranger or not.
        deliveries[key]?.request.isProved = true
        for flows in instances.prefix(settings.limits.forks) { deliver(key, flows) }
        concludeDelivery(key)
    }

    private mutating func deliver(_ key: UInt32, _ flows: [CallTarget]) {
        guard let delivery = deliveries[key], let target = flows.first else { return }
        if !target.isOpen { outbox.append(.connect(delivery.aor, target)) }
        let message = delivery.request.message
        let token = tokens.next()
        var builder = SIPMessageBuilder(.message, target.requestURI)
        builder.add(settings.addresses.via(target.flow, token))
        builder.add(.maxForwards, max(1, Int((try? message.maxForwards) ?? 70) - 1))
        if !target.route.isEmpty { builder.add(.route, target.route) }
        builder.add(.from, delivery.party.header(in: target.domain).appending(";tag=").appending(entropy.tag()))
        builder.add(.to, CallParty(address: delivery.aor).header(in: target.domain))
        builder.add(.callID, entropy.callID())
        builder.add(CSeq(1, .message))
        for name in Self.relayedHeaders { builder.copy(name, from: message) }
        addSoftware(to: &builder)
        builder.body = Array(message.body)
        let rest = Array(flows.dropFirst())
        ask(.message, builder.bytes, token, on: target.flow, for: delivery.party.account, .delivery(key, alternates: rest))
        deliveries[key]?.open += 1
    }

    mutating func deliveryAnswered(_ key: UInt32, _ alternates: [CallTarget], _ outcome: ClientOutcome) {
        let status: Int
        switch outcome {
        case .response(_, ..<200), .unwanted: return
        case .response(_, let said): status = said
        case .timeout, .failed: status = 408
        case .unsent: status = 503
        }
        guard var delivery = deliveries[key] else { return }
        delivery.open -= 1
        if status < 300, !delivery.isAnswered {
            delivery.isAnswered = true
            answer(delivery.request, ReplyWriter.Reply(status == 202 ? 202 : 200))
        } else if status >= 300 {
            delivery.status = delivery.status == 0 ? status : min(delivery.status, status)
        }
        deliveries[key] = delivery
        if [408, 430, 503].contains(status), !alternates.isEmpty { deliver(key, alternates) }
        concludeDelivery(key)
    }

    /// All have answered.
    private mutating func concludeDelivery(_ key: UInt32) {
        guard let delivery = deliveries[key], delivery.open == 0 else { return }
        deliveries[key] = nil
        guard !delivery.isAnswered else { return }
        let status = [0, 401, 407, 408, 430, 503].contains(delivery.status) ? 480 : delivery.status
        refuse(delivery.request, status, .noAnswer)
    }
}
