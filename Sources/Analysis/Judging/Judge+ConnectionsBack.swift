import Base
import Capture

extension Judge {
    /// Registrations over a connection, by the server's address.
    func connected(_ table: SignallingTable) -> [PackedAddress: [Int]] {
        var phones: [PackedAddress: [Int]] = [:]
        for (number, dialog) in table.dialogs.enumerated()
        where dialog.kind == .registration && dialog.progress.contains(.answered) {
            for leg in dialog.legs where leg.isStream { phones[leg.server.address, default: []].append(number) }
        }
        return phones
    }

    /// tcp.refused and tcp.unanswered of a server that opens a connection of its own to a phone that registered over one: to the port
    /// that the phone connected from, where nobody listens, or to its private Contact.
    ///
    /// Innocent: phones that registered otherwise, and servers that reach the phone in another way.
    func connectionBack(
        _ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts, _ phones: [PackedAddress: [Int]],
        _ table: SignallingTable
    ) -> Finding? {
        for number in phones[key.client] ?? [] where table.dialogs[number].vantage.index == key.file {
            let dialog = table.dialogs[number]
            guard
                let leg = dialog.legs.first(where: { leg in
                    leg.isStream && leg.server.address == key.client
                        && (leg.client == key.server
                            || leg.contact.isPrivateAddress && leg.contact.address == key.server.address
                                && leg.contact.address != leg.client.address && Self.isPublic(leg.client))
                }), attempts.firstTime > dialog.began
            else { continue }
            // It reaches the phone all the same.
            let isReached = table.dialogs.contains { other in
                (other.kind == .call || other.kind == .options) && !other.progress.isDisjoint(with: [.answered, .bothWays])
                    && other.legs.contains { $0.client.address == key.client && $0.server.address == leg.client.address }
            }
            guard !isReached else { return nil }
            let aor = String(decoding: dialog.to.isEmpty ? dialog.from : dialog.to, as: UTF8.self)
            let isPrivate = leg.client != key.server
            let isRefused = attempts.refused > 0
            let name: FindingName = isRefused ? .tcpRefused : .tcpUnanswered
            let server = Self.name(leg.server)
            let count = max(1, max(attempts.tried, attempts.refused))
            return Finding(
                name, .fault,
                "\(server) does not reach \(aor): it opens a new TCP connection to \(Self.name(key.server)), "
                    + (isPrivate
                        ? "the private Contact of the phone, which stands behind a NAT"
                        : "the port that the phone had connected from")
                    + ", and \(isRefused ? "it is refused" : "nobody answers"), \(count == 1 ? "once" : "\(count) times").",
                details: [
                    isPrivate
                        ? "The phone registered over a connection from \(Self.name(leg.client)): only through that one can it be reached."
                        : "Nobody listens on the port that a connection was opened from: requests for the phone go through the connection that it registered over (RFC 5626, RFC 5923)."
                ], evidence: [syn(key, attempts)], culprit: .proved(server), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Let \(server) keep the connections that phones register over and send their calls through them (RFC 5626): a longer idle timeout for TCP, no closing after each answer.",
                        commands: [
                            "Kamailio: tcp_connection_lifetime=3605, tcp_accept_aliases, nathelper with received",
                            "Asterisk pjsip: rewrite_contact=yes in the endpoint",
                        ]),
                    Remedy(
                        .phone,
                        "Let the phone keep its connection open (keepalives, RFC 5626) and register anew when it is closed."),
                ],
                subject: FindingSubject(
                    aor: aor, client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
                count: count)
        }
        return nil
    }
}
