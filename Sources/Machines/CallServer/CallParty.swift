import Base
import SIP
import SIPStack

/// What is chosen about a user's SRTP (RFC 3711, RFC 4568).
public enum SRTPWish: String, Hashable, Sendable, CaseIterable {
    /// Its media is SRTP on every call, or there is no call.
    case required
    /// It is offered SRTP before anything else, over whatever its SIP comes.
    case offered
    /// It is neither offered SRTP nor may it offer any.
    case off
}

/// Whom a leg of a call leads to.
package struct CallParty: Sendable {
    /// `user@domain` as in the address of record; for a stranger his From URI's.
    package var address: AddressOfRecord
    /// As it stands before the URI in From; nil where there is none.
    package var displayName: SIPText?
    /// RFC 5626 instance-id; empty where there is none.
    package var instance: SIPText
    /// Digest user name; empty for whom nobody vouched.
    package var account: SIPText
    /// Whether the account wishes media past us.
    package var wantsDirectMedia: Bool
    /// What its account says of SRTP; nil: SRTP is offered first where its SIP is encrypted, where the other side of the call offers it, and to
    /// a phone that took nothing else before.
    package var srtp: SRTPWish?
    /// Whether it proved who it is, now or when it registered.
    package var isVouched: Bool
    /// Whether nobody is to be told who it is (RFC 3323, RFC 3325).
    package var isAnonymous: Bool
    /// Other addresses than its flow's that it has shown to be its own: requests may go to a Contact there.
    package var proved: [IPAddress]

    package init(
        address: AddressOfRecord, displayName: SIPText? = nil, instance: SIPText = SIPText(), account: SIPText = SIPText(),
        wantsDirectMedia: Bool = false, srtp: SRTPWish? = nil, isVouched: Bool = true, isAnonymous: Bool = false,
        proved: [IPAddress] = []
    ) {
        self.address = address
        self.displayName = displayName
        self.instance = instance
        self.account = account
        self.wantsDirectMedia = wantsDirectMedia
        self.srtp = srtp
        self.isVouched = isVouched
        self.isAnonymous = isAnonymous
        self.proved = proved
    }

    /// As it stands in From and To towards whoever knows us by that domain, without tag: `"Alice" <sip:alice@example.com>`.
    func header(in domain: DialledDomain) -> SIPText {
        guard !isAnonymous else { return SIPText("\"Anonymous\" <sip:anonymous@anonymous.invalid>") }
        var bytes: [UInt8] = []
        if let name = displayName, !name.isEmpty, name.count <= 128 {
            bytes.append(name)
            bytes.append(0x20)
        }
        bytes.append(static: "<")
        bytes.append(contentsOf: domain.uri(address))
        bytes.append(static: ">")
        return SIPText(bytes)
    }
}

extension SIPMessage {
    /// Whether its sender wants not to be known to whom it is for: Privacy (RFC 3323 4.2, RFC 3325 9.3), or a From that says so
    /// (RFC 3323 4.1.1.3).
    package var hidesSender: Bool {
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
