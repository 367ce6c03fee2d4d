import Base
import ServerNode

extension ServeSettings {
    /// What an administrator should know about accounts: that they cannot register here, or hide a room or a service.
    public func warnings(about accounts: [Account]) -> [String] { otherRealms(accounts) + hiding(accounts) }

    /// A digest hash carries its realm, so an account of another one can never answer a challenge of ours.
    private func otherRealms(_ accounts: [Account]) -> [String] {
        let others = Dictionary(grouping: accounts.filter { $0.realm != server.realm }, by: \.realm)
        return others.sorted { $0.key < $1.key }.map { realm, accounts in
            let names = accounts.map(\.username).sorted()
            let shown = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
            return
                "\(names.count) account\(names.count == 1 ? "" : "s") of realm \(realm) cannot register here: \(shown). This server's realm is "
                + "\(server.realm), and passwords are kept as hashes over the realm: say realm: \(realm), or add them again with: pinhole account add"
        }
    }

    private func hiding(_ accounts: [Account]) -> [String] {
        accounts.filter { $0.realm == server.realm }.compactMap { account in
            server.calls.meaning(of: account.user).map { meaning in
                "account \(account.username) hides \(meaning): whoever dials \(account.user) gets the account's phones"
            }
        }
    }
}
