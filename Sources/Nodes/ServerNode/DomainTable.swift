import Base
import SIP

/// The domains the server answers for, and what is an alias of the first.
struct DomainTable: Sendable {
    private var domains: [SIPText]
    private let aliases: [SIPHost]
    /// Domain of addresses of record whose URI names none of `domains` but us.
    let primary: SIPText
    private let takesAny: Bool

    init(_ settings: ServerSettings) {
        domains = settings.domains.map { SIPText($0).lowercased }
        takesAny = domains.isEmpty
        primary = domains.first ?? SIPText(settings.realm).lowercased
        aliases = settings.advertised.compactMap { SIPHost(SIPText($0.host)) }
    }

    /// The domain that `host` means to someone who reached us at `local`; nil: not one of ours.
    func domain(_ host: SIPHost, local: Endpoint) -> SIPText? {
        if takesAny { return primary }
        switch host {
        case .name(let name):
            let lower = name.lowercased
            if let known = domains.first(where: { $0 == lower }) { return known }
        case .ipv4, .ipv6:
            if host.address == local.address { return primary }
            if let known = domains.first(where: { SIPHost($0) == host }) { return known }
        }
        return aliases.contains(host) ? primary : nil
    }
}
