import Base
import SIP
import SIPStack

/// Requests of ours inside dialogs, and ACKs.
extension CallServer {
    /// Sends a request whose branch is `token`.
    mutating func ask(
        _ method: SIPMethod, _ bytes: [UInt8], _ token: ClientToken, on flow: FlowID, for account: SIPText? = nil,
        _ purpose: Purpose
    ) {
        if flow.transport == .udp, bytes.count > 1_300 { note(.call(.largeRequest(flow, bytes: bytes.count))) }
        outbox.append(.ask(Request(method, bytes, token, on: flow, for: account, purpose)))
    }

    mutating func cancel(_ client: ClientToken?, reason: SIPText? = nil) {
        if let client { outbox.append(.cancel(client, reason: reason)) }
    }

    func addSoftware(to builder: inout SIPMessageBuilder) {
        if !settings.software.isEmpty { builder.add(.userAgent, SIPText(settings.software)) }
    }

    /// Where requests inside a leg's dialog go. NAT handling and streams: over its flow. Otherwise where its Contact or first route says,
    /// as far as that is an address: its own one, or one that it proved when it registered.
    func requestWay(_ leg: CallLeg) -> FlowID {
        guard !settings.natHandling, !leg.flow.transport.isReliable, let dialog = leg.dialog,
            let endpoint = (try? SIPURIReference(parsing: dialog.nextHop))?.sip?.endpoint, endpoint.port != 0,
            !endpoint.address.isUnspecified, endpoint.address.isIPv6 == leg.flow.local.address.isIPv6,
            endpoint.address == leg.flow.remote.address || leg.party.proved.contains(endpoint.address)
        else { return leg.flow }
        var way = leg.flow
        way.remote = endpoint
        return way
    }

    mutating func sendBYE(_ leg: Int, _ call: inout Call, reason: String? = nil) {
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        guard var builder = call.legs[leg].dialog?.request(.bye, via: settings.addresses.via(flow, token)) else { return }
        if let reason { builder.add(.reason, SIPText(reason)) }
        addSoftware(to: &builder)
        ask(.bye, builder.bytes, token, on: flow, .courtesy)
    }

    /// The ACK of the leg's latest 2xx; kept, as it goes out again whenever that 2xx does.
    mutating func sendACK(_ body: [UInt8], _ leg: Int, _ call: inout Call) {
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        guard let dialog = call.legs[leg].dialog else { return }
        var builder = dialog.acknowledgement(sequence: call.legs[leg].inviteSequence, via: settings.addresses.via(flow, token))
        addSoftware(to: &builder)
        builder.setSession(body)
        let bytes = builder.bytes
        call.legs[leg].keepACK(bytes, of: call.legs[leg].inviteSequence)
        send(bytes, on: flow, .request(.ack))
    }

    /// A 2xx came again: its ACK was lost, or waits for the other side's.
    mutating func sendACKAgain(_ response: SIPMessage, _ leg: CallLeg) {
        guard let sequence = try? response.cseq.number, let ack = leg.ack(sequence) else { return }
        send(ack, on: requestWay(leg), .request(.ack))
    }

    mutating func acknowledgeProvisional(_ number: UInt32, _ leg: Int, _ call: inout Call) {
        let flow = call.legs[leg].flow
        let token = tokens.next()
        guard var builder = call.legs[leg].dialog?.request(.prack, via: settings.addresses.via(flow, token)) else { return }
        builder.add(
            .rack,
            ProvisionalAcknowledgement(responseNumber: number, sequence: call.legs[leg].inviteSequence, method: .invite).text)
        addSoftware(to: &builder)
        ask(.prack, builder.bytes, token, on: flow, .courtesy)
    }

    /// A 2xx that nobody waits for any more: acknowledged and hung up at once (RFC 3261 13.2.2.4).
    mutating func endStray(_ response: SIPMessage, _ sent: Request) {
        guard let request = try? SIPMessage(parsing: sent.bytes), var dialog = try? Dialog(request: request, response: response)
        else { return }
        let ack = dialog.acknowledgement(sequence: dialog.localSequence, via: settings.addresses.via(sent.flow, tokens.next()))
        send(ack.bytes, on: sent.flow, .request(.ack))
        let token = tokens.next()
        let bye = dialog.request(.bye, via: settings.addresses.via(sent.flow, token))
        ask(.bye, bye.bytes, token, on: sent.flow, .courtesy)
    }
}

extension SIPMessageBuilder {
    /// `application/sdp`, unless it is empty.
    mutating func setSession(_ body: [UInt8]) {
        guard !body.isEmpty else { return }
        add(.contentType, "application/sdp")
        self.body = body
    }
}
