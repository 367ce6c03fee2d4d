import Base
import SIP
import SIPStack

/// The accounts in memory, by digest user name and by address of record.
struct AccountTable: Sendable {
    struct Entry: Sendable {
        /// Digest user name.
        var username: SIPText
        var user: SIPText
        /// Lower case; nil: every domain of ours.
        var domain: SIPText?
        var secret: DigestSecret
        var wantsDirectMedia: Bool
        var srtp: Account.SRTP?
    }

    private var byUsername: [SIPText: Entry] = [:]
    private var users: [SIPText: [SIPText?]] = [:]
    /// Users with an account that does not wish direct media.
    private var relayed: Set<SIPText> = []
    /// By user, where anything is chosen; of several accounts of one user the strictest counts.
    private var srtp: [SIPText: Account.SRTP] = [:]

    init() {}

    /// Accounts of other realms are left out: they could never prove themselves.
    init(_ accounts: [Account], realm: String) {
        byUsername.reserveCapacity(accounts.count)
        users.reserveCapacity(accounts.count)
        for account in accounts where account.realm == realm {
            let domain = account.domain.map { SIPText($0).lowercased }
            let user = SIPText(account.user)
            let username = SIPText(account.username)
            byUsername[username] = Entry(
                username: username, user: user, domain: domain, secret: account.secret,
                wantsDirectMedia: account.wantsDirectMedia,
                srtp: account.srtp)
            if let wish = account.srtp, srtp[user] != .required { srtp[user] = wish }
            if !account.wantsDirectMedia { relayed.insert(user) }
            users[user, default: []].append(domain)
        }
    }

    subscript(username: SIPText) -> Entry? { byUsername[username] }

    /// Whether no account of this user wants its media relayed.
    func wantDirectMedia(_ aor: AddressOfRecord) -> Bool { !relayed.contains(SIPText(aor.user)) }

    func srtp(of aor: AddressOfRecord) -> Account.SRTP? { srtp[SIPText(aor.user)] }

    /// Whether somebody owns this address of record.
    func owns(user: SIPText, domain: SIPText) -> Bool {
        users[user]?.contains { $0 == nil || $0 == domain } ?? false
    }
}

extension AccountTable.Entry {
    func mayRegister(user: SIPText, domain: SIPText) -> Bool {
        self.user == user && (self.domain == nil || self.domain == domain)
    }
}
