import Base
import Registrar
import SIP
import SIPStack

/// By what phones are told of others and of us: what they are shown, they can dial.
extension ServerNode {
    /// As whoever registered that binding knows us. Bindings of an earlier version do not say; then it is by our address as it sees it, unless
    /// domains are configured.
    func domain(_ aor: AddressOfRecord, _ binding: Binding, _ flow: FlowID) -> DialledDomain {
        if !binding.domain.isEmpty { return DialledDomain(aor, written: SIPText(Array(binding.domain))) }
        guard settings.domains.isEmpty else { return DialledDomain(aor, written: SIPText(aor.domain)) }
        let (host, port) = addresses.sentBy(flow)
        return DialledDomain(aor, written: SIPURI.hostPort(host, port))
    }

    /// `"Alice" <sip:alice@example.com>`, as it stands in From and To, without tag.
    func header(_ party: CallLeg.Party, in domain: DialledDomain) -> SIPText {
        guard !party.isAnonymous else { return SIPText("\"Anonymous\" <sip:anonymous@anonymous.invalid>") }
        var bytes: [UInt8] = []
        if let name = party.displayName, !name.isEmpty, name.count <= 128 {
            bytes.append(name)
            bytes.append(0x20)
        }
        bytes.append(static: "<")
        bytes.append(contentsOf: domain.uri(party.address))
        bytes.append(static: ">")
        return SIPText(bytes)
    }

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

}

/// A domain of ours as one phone writes it.
struct DialledDomain: Hashable, Sendable {
    /// As it stands in addresses of record.
    private var canonical = ""
    /// Host and port; empty: as `canonical`.
    private var written = SIPText()

    init() {}

    /// The domain of the phone's address of record.
    init(_ aor: AddressOfRecord, written: SIPText) {
        canonical = aor.domain
        self.written = written
    }

    /// `sip:user@domain`, escaped where it must be (RFC 3261 25.1). Whose domain is another is shown by that.
    func uri(_ aor: AddressOfRecord) -> [UInt8] {
        let domain = aor.domain
        var bytes = Array("sip:".utf8)
        for byte in aor.bytes.dropLast(domain.utf8.count + 1) {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: bytes.append(byte)
            // mark and user-unreserved.
            case _ where "-_.!~*'()&=+$,;?/".utf8.contains(byte): bytes.append(byte)
            default:
                bytes.append(0x25)
                bytes.append(contentsOf: [byte >> 4, byte & 15].map { $0 < 10 ? 0x30 + $0 : 0x37 + $0 })
            }
        }
        bytes.append(0x40)
        if domain == canonical, !written.isEmpty { bytes.append(written) } else { bytes.append(contentsOf: domain.utf8) }
        return bytes
    }

    func uriText(_ aor: AddressOfRecord) -> String { String(decoding: uri(aor), as: UTF8.self) }
}

extension Binding {
    /// Headers of a URI have no place in a Request-URI (RFC 3261 19.1.1).
    var requestURI: SIPText { SIPText(Array(contact.prefix { $0 != UInt8(ascii: "?") })) }
}

extension CallLeg {
    /// Its INVITE goes to this binding.
    mutating func aim(at binding: Binding, domain: DialledDomain) {
        contact = binding.requestURI
        path = SIPText(binding.path)
        self.binding = SIPText(Array(binding.contact))
        speaksICE = binding.speaksICE
        self.domain = domain
    }
}

extension SIPMessage {
    /// Whether its sender wants not to be known to whom it is for: Privacy (RFC 3323 4.2, RFC 3325 9.3), or a From that says so
    /// (RFC 3323 4.1.1.3).
    var hidesSender: Bool {
        let hiding: [StaticString] = ["id", "user", "header"]
        if all(.privacy).contains(where: { header in
            header.value.bytes.split(whereSeparator: { ";, \t".utf8.contains($0) }).contains { value in
                hiding.contains { SIPText(Array(value)).equalsCaseless(literal: $0) }
            }
        }) {
            return true
        }
        guard case .name(let host)? = (try? from)?.uri.sip?.host else { return false }
        return host.equalsCaseless(literal: "anonymous.invalid")
    }
}
