import Base
import Capture

extension Judge {
    private static let fields = ["CSeq", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"]

    /// auth.no-answer: challenges that their hearer let go by.
    mutating func unanswered(
        _ request: Step, _ challenge: Step, count: Int, waited: Int64, nonce: UInt64, _ c: inout DialogCase,
        _ table: SignallingTable
    ) {
        let source = table.endpoints[request.record.source]
        let asked = c.server(request, table)
        // Who takes registrations and is asked for a password by one that registers with it is a provider: it has none to give.
        let isProvider =
            request.method == .invite && table.registered[asked.address]?.contains(source.address) ?? false
        if request.method == .invite, !isProvider, let role = ServerRole(request, table) {
            trunk(role.name, request, challenge, nonce: nonce, &c, table)
            return
        }
        let asker = Self.name(asked)
        let pair = TrunkCalls.Pair(caller: source.address, asker: asked.address)
        let condition: Draft.Condition
        if request.method == .invite, !isProvider {
            trunkCalls.refuses(pair, hash(c.dialog.from))
            condition = .unknownCaller(
                pair, nonce: nonce, host: hash(TrunkCalls.host(of: c.dialog.from)),
                asksAsServer: ServerRole(challenge, table) != nil
                    || asked.address.isPrivateNetwork && !source.address.isPrivateNetwork)
        } else {
            condition = .noScanner(source.address, nonce: nonce)
        }
        draft(condition, .authNoAnswer, .fault, c.server(request, table), &c) {
            c in
            Finding(
                .authNoAnswer, .fault,
                "\(c.opening) was asked for a password \(count == 1 ? "once" : "\(count) times") and never gave one: "
                    + "the \(request.method.token) stays refused.",
                details: (Self.asksForSHA256Alone(challenge, table)
                    ? ["The server asks for SHA-256 alone (RFC 8760): a phone that knows only MD5 cannot answer."] : []) + [
                        "\(count > 1 ? "The challenges and the time after them span" : "The capture goes on for") \(spoken(waited))\(count > 1 ? "." : " after the challenge.")",
                        "No credentials with any of these nonces were seen under another Call-ID either.",
                        "The request was not sent again: the phone heard the challenge, or gave up.",
                    ],
                evidence: [
                    Self.evidence(request, table, Self.fields, "no credentials"),
                    Self.evidence(challenge, table, Self.fields, "the challenge"),
                ],
                culprit: .unknown, confidence: .likely,
                remedies: isProvider
                    ? [TrunkCalls.remedy(asker, Self.name(PackedEndpoint(source.address, 0)))]
                    : [
                        Remedy(
                            .phone,
                            "Enter user name and password for the realm the challenge names; check that the phone understands its algorithm."
                        ),
                        Remedy(
                            .network, "If the phone has them, look whether the challenge reaches it: capture on its side too."),
                    ], subject: Self.subject(c, request, table))
        }
    }
    /// The same of a server that passes calls on: the account is its own, not a phone's.
    private mutating func trunk(
        _ server: String, _ request: Step, _ challenge: Step, nonce: UInt64, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let asker = c.server(request, table)
        let copy = c
        draft(
            .noScanner(table.endpoints[request.record.source].address, nonce: nonce), .authNoAnswer, .fault, variant: 1, &c,
            server: asker.address
        ) {
            Finding(
                .authNoAnswer, .fault,
                "\(Self.name(asker)) asks \(server) for the password of its trunk, and it never gives one: the INVITE stays refused.",
                details: [
                    "No credentials with any of these nonces were seen under another Call-ID either.",
                    "The account is that with which the server itself calls out, not the caller's (\(copy.aor)).",
                ],
                evidence: [
                    Self.evidence(request, table, Self.fields, "no credentials"),
                    Self.evidence(challenge, table, Self.fields, "the challenge"),
                ], culprit: .proved(Self.name(table.endpoints[request.record.source])), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Enter user name and password of the trunk at \(server), for the realm that the challenge names.",
                        commands: [
                            "Asterisk pjsip: outbound_auth= in the trunk's endpoint",
                            "Asterisk chan_sip: remotesecret= in the trunk's peer",
                            "FreeSWITCH: username and password in the gateway",
                        ]),
                    Remedy(.server, "Or let \(Self.name(asker)) know it by its address, if calls need no password there."),
                ], subject: Self.subject(copy, request, table))
        }
    }

    /// Whether who asks a phone for a password to register calls it at the place it asked from, and it answers.
    func isCalled(_ finding: Finding, _ table: SignallingTable) -> Bool {
        guard let number = finding.subject.dialogs.first, table.dialogs.indices.contains(number),
            table.dialogs[number].kind == .registration, let leg = table.dialogs[number].legs.first
        else { return false }
        let seen = table.activity(of: leg.client)
        guard seen.wasInvited, seen.othersAnswered > 0, table.dialogs.indices.contains(Int(seen.wasAsked)) else { return false }
        let call = table.dialogs[Int(seen.wasAsked)]
        return call.kind == .call && call.legs.contains { $0.client.address == leg.server.address && $0.server == leg.client }
    }
}
