import Base
import SIP
import SIPStack

/// Reads what a REGISTER asks for, before anything is changed (RFC 3261 10.3 steps 6 and 7).
package struct RegistrationReader: Sendable {
    private let contactsPerRequest: Int
    /// Seconds granted where a request asks for none.
    private let usualExpires: UInt32
    private let takesOutbound: Bool

    /// `usualExpires`: seconds granted where a request asks for none. `takesOutbound`: RFC 5626.
    package init(contactsPerRequest: Int, usualExpires: UInt32, takesOutbound: Bool) {
        self.contactsPerRequest = contactsPerRequest
        self.usualExpires = usualExpires
        self.takesOutbound = takesOutbound
    }

    /// `jumps`: what changed on the way since the request before. `flow`: what reaches the phone.
    package func registration(
        _ request: ServerRequest, _ aor: AddressOfRecord, _ jumps: PathVerdict, on flow: FlowID
    ) throws(Registrar.Refusal) -> Registration {
        let message = request.message
        let contacts: SIPContacts
        let path: [UInt8]
        do throws(SIPParseError) {
            contacts = try message.contacts
            path = try self.path(message)
        } catch {
            throw .malformed(error)
        }
        let wish: Registration.Wish
        var first: SIPURI?
        switch contacts {
        case .all:
            guard let expires = try? message.expires, expires == 0 else { throw .wildcard }
            wish = .removeAll
        case .list(let list):
            guard list.count <= contactsPerRequest else { throw .tooManyContacts(list.count) }
            first = list.first?.uri.sip
            wish = list.isEmpty ? .fetch : .update(try update(list, request, path))
        }
        var verdict = PathVerdict(
            source: request.flow.remote, isStream: request.flow.transport.isReliable, via: request.via,
            viaCount: request.viaCount, contact: first, callID: request.callID)
        verdict.formUnion(jumps)
        if request.isSignedElsewhere { verdict.insert(.signedElsewhere) }
        return Registration(
            aor: aor, domain: request.parts.to.uri.sip?.hostPort ?? SIPText(), callID: request.callID,
            cseq: request.cseq, wish: wish, path: path,
            userAgent: message.userAgent ?? SIPText(), flow: flow, verdict: verdict)
    }

    /// RFC 3327: the Path values, joined, as they will be echoed and routed by.
    private func path(_ message: SIPMessage) throws(SIPParseError) -> [UInt8] {
        guard message.contains(.path) else { return [] }
        _ = try message.paths
        var joined: [UInt8] = []
        for header in message.all(.path) where !header.value.isEmpty {
            if !joined.isEmpty { joined.append(static: ", ") }
            joined.append(header.value)
        }
        return joined
    }

    private func update(
        _ list: [NameAddress], _ request: ServerRequest, _ path: [UInt8]
    ) throws(Registrar.Refusal) -> [Registration.Contact] {
        var result: [Registration.Contact] = []
        result.reserveCapacity(list.count)
        // A malformed Expires counts as absent.
        let header = (try? request.message.expires) ?? nil
        var withRegID = 0
        for address in list {
            let parameters = address.parameters
            var expires = header ?? usualExpires
            if parameters.contains("expires") {
                // RFC 3261 10.2: a malformed value counts as an hour.
                expires = address.expires ?? 3600
            }
            var contact = Registration.Contact(
                uri: address.uri, uriText: address.uriText, parameters: echoed(parameters), expires: expires,
                q: UInt16(clamping: address.q ?? 1000), instance: address.instanceID ?? SIPText(), regID: 0)
            if let regID = address.regID, !contact.instance.isEmpty, try usesOutbound(request, path) {
                contact.regID = regID
                withRegID += expires > 0 ? 1 : 0
            }
            result.append(contact)
        }
        // RFC 5626 6: one flow a request.
        guard withRegID == 0 || (withRegID == 1 && result.count == 1) else { throw .manyFlows }
        return result
    }

    private func echoed(_ parameters: SIPParameters) -> [UInt8] {
        var echoed: [UInt8] = []
        for parameter in parameters {
            if parameter.name.equalsCaseless(literal: "expires") || parameter.name.equalsCaseless(literal: "q") { continue }
            echoed.append(UInt8(ascii: ";"))
            echoed.append(parameter.name)
            if let value = parameter.value {
                echoed.append(UInt8(ascii: "="))
                echoed.append(value)
            }
        }
        return echoed
    }

    /// RFC 5626 6: the phone must say so, and where a proxy stands between, the proxy that holds the flow must be able to.
    private func usesOutbound(_ request: ServerRequest, _ path: [UInt8]) throws(Registrar.Refusal) -> Bool {
        guard takesOutbound else { return false }
        let message = request.message
        let isSupported = ((try? message.supported) ?? []).contains { $0.equalsCaseless(literal: "outbound") }
        let isRequired = ((try? message.require) ?? []).contains { $0.equalsCaseless(literal: "outbound") }
        guard isSupported || isRequired else { return false }
        guard request.viaCount > 1 else { return true }
        let firstHop = (try? message.paths)?.last?.uri.sip
        guard let firstHop, firstHop.isOutbound else { throw .firstHopLacksOutbound }
        return true
    }
}
