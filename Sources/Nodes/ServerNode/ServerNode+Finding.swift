import Base
import CallServer
import Registrar
import SIP
import SIPStack

/// Who is meant by what phones write, and where he can be reached: answers to the look-ups of calls.
extension ServerNode {
    /// Whom a URI means, a number as a user of ours (RFC 3966 5.1.4: without its visual separators); nil for other schemes. A global number is
    /// also a user's whose name lacks the plus; the context of a local one counts where it is a domain.
    func dialled(_ uri: SIPURIReference) -> SIPURI? {
        switch uri {
        case .sip(let uri): return uri
        case .other: return nil
        case .tel(let tel):
            var host = SIPHost(domains.primary) ?? .name(domains.primary)
            if !tel.isGlobal, let context = tel.phoneContext, context.bytes.first != UInt8(ascii: "+"),
                let named = SIPHost(context)
            {
                host = named
            }
            var number = tel.digits
            if tel.isGlobal, !accounts.owns(user: number, domain: domains.primary) {
                number = SIPText(Array(number.bytes.dropFirst()))
            }
            return SIPURI(user: number.escapedUser, host: host)
        }
    }

    /// The answer to a look-up.
    func find(_ lookUp: LookUp, at now: Instant) -> Found {
        switch lookUp.subject {
        case .user(let aor): return find(aor, lookUp, at: now)
        case .uri(let reference, let flow):
            guard let uri = dialled(reference) else { return Found(owner: .otherScheme) }
            guard let domain = domains.domain(uri.host, local: flow.local) else {
                return Found(owner: .foreign(SIPText(uri.host.description)))
            }
            if let user = uri.unescapedUser, accounts.owns(user: user, domain: domain) {
                return find(AddressOfRecord(user: user.bytes, domain: domain.bytes), lookUp, at: now)
            }
            let isOurs = uri.host.address == flow.local.address || SIPText(uri.host.description).lowercased == domain
            return Found(owner: .nobody(uri.unescapedUser, domain: domain, isOurs: isOurs))
        }
    }

    private func find(_ aor: AddressOfRecord, _ lookUp: LookUp, at now: Instant) -> Found {
        let owner = Found.Owner.user(aor, wantsDirectMedia: accounts.wantDirectMedia(aor), srtp: accounts.srtp(of: aor))
        let caller = lookUp.caller.flatMap { caller in
            registrar.locations(of: caller).first { $0.binding.flow == lookUp.callerFlow }?.binding.verdict
        }
        let targets = registrar.reachable(aor, at: now).map { target($0, of: aor) }
        return Found(owner: owner, targets: targets, isCallerRewritten: caller?.isRewritten ?? false)
    }

    private func target(_ reachable: Registrar.Reachable, of aor: AddressOfRecord) -> CallTarget {
        let binding = reachable.location.binding
        return CallTarget(
            contact: SIPText(Array(binding.contact)), route: SIPText(Array(binding.path)), flow: reachable.flow,
            isOpen: reachable.isOpen, source: binding.flow.remote.address, instance: SIPText(Array(binding.instance)),
            q: binding.q,
            updated: binding.updated, regID: binding.regID, speaksICE: binding.speaksICE,
            domain: domain(aor, binding, reachable.flow), insistsOnSRTP: reachable.location.srtp.map { $0 == .insists },
            isTranslated: binding.verdict.contains(.translated), isRewritten: binding.verdict.isRewritten)
    }

    /// As whoever registered that binding knows us. Bindings of an earlier version do not say; then it is by our address as it sees it, unless
    /// domains are configured.
    private func domain(_ aor: AddressOfRecord, _ binding: Binding, _ flow: FlowID) -> DialledDomain {
        if !binding.domain.isEmpty { return DialledDomain(aor, written: SIPText(Array(binding.domain))) }
        guard settings.domains.isEmpty else { return DialledDomain(aor, written: SIPText(aor.domain)) }
        let (host, port) = addresses.sentBy(flow)
        return DialledDomain(aor, written: SIPURI.hostPort(host, port))
    }
}

extension PathVerdict {
    /// Something on the way changes what the phone says of itself.
    fileprivate var isRewritten: Bool { !isDisjoint(with: [.rewrittenSuspected, .viaContactDisagree]) }
}
