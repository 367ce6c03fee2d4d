import Base
import Capture

extension Judge {
    static let mostGuessers = 1 << 16
    /// Addresses, and names that several of them try, which make an attack from many places.
    static let attackingAddresses = 20
    static let sharedNames = 5

    /// Counts what a source was refused in a dialog that is over.
    mutating func noteGuesses(_ c: DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .registration || c.dialog.kind == .call, let opening = c.steps.first(where: \.isRequest) else {
            return
        }
        let source = c.client(opening, table).address
        guard !source.isUnknown, guesses.count < Self.mostGuessers || guesses[source] != nil else { return }
        var known = guesses[source] ?? Guesses(vantage: c.dialog.vantage)
        defer { guesses[source] = known }
        if c.steps.contains(where: {
            !$0.isRequest && $0.status >= 200 && $0.status < 300 && ($0.method == .register || $0.method == .invite)
        }) {
            known.successes += 1
            return
        }
        guard case .failed(let status) = c.dialog.outcome, status == 401 || status == 407 || status == 403 || status == 404,
            c.dialog.kind == .registration || status == 401 || status == 407
        else { return }
        let requests = c.steps.filter { $0.isRequest && $0.isFirst && $0.method != .ack && $0.flags.contains(.fromClient) }
        known.dialogs += 1
        known.refused += requests.count
        known.withCredentials += requests.filter(\.hasCredentials).count
        if known.names.count < Guesses.mostNames {
            known.names.insert(hash(c.dialog.kind == .registration ? c.dialog.to : c.dialog.from))
        }
        if c.dialog.kind == .call, known.dialled.count < Guesses.mostDialled {
            let number = c.dialog.to.prefix { $0 != UInt8(ascii: "@") }.filter { $0 >= 0x30 && $0 <= 0x39 }
            if number.count <= Guesses.mostDigits { known.dialled.insert(Array(number)) }
        }
        if known.first == MessageRecord.unknownTime { known.first = c.dialog.began }
        known.last = c.dialog.last
        known.server = c.server(opening, table).address
        if known.sample.count < 3 { known.sample.append(c.number) }
        if known.evidence.count < 2, known.dialogs % 10 == 1 {
            known.evidence.append(
                Self.evidence(
                    opening, table, ["From", "To", "User-Agent"], known.evidence.isEmpty ? "one of the first" : "a later one"))
        }
    }

    /// auth.attack: reports those that guess, one finding a server, and says who they are.
    mutating func attacks() -> Set<PackedAddress> {
        var attackers = Set(guesses.filter { $0.value.isAttack }.map(\.key))
        // Each few of an army tries little; a fleet with wrong passwords is many addresses, too, but each tries a name of its own.
        let silent = guesses.filter { $0.value.successes == 0 && $0.value.refused > 0 }
        if silent.count >= Self.attackingAddresses {
            var sources: [UInt64: Int] = [:]
            for one in silent.values { for name in one.names { sources[name, default: 0] += 1 } }
            let shared = Set(sources.filter { $0.value > 2 }.keys)
            let army = silent.filter { !$0.value.names.isDisjoint(with: shared) || $0.value.names.count > 2 }
            if army.count >= Self.attackingAddresses, shared.count >= Self.sharedNames { attackers.formUnion(army.keys) }
        }
        var byServer: [PackedAddress: [PackedAddress]] = [:]
        for attacker in attackers { byServer[guesses[attacker]?.server ?? .unknown, default: []].append(attacker) }
        for (server, list) in byServer.sorted(by: { $0.key.low < $1.key.low }) { tellAttack(server, list) }
        return attackers
    }

    private mutating func tellAttack(_ server: PackedAddress, _ list: [PackedAddress]) {
        let worst = list.compactMap { address in guesses[address].map { (address, $0) } }
            .sorted { ($1.1.refused, $0.0.low) < ($0.1.refused, $1.0.low) }
        guard let (address, guess) = worst.first else { return }
        let names = worst.reduce(into: Set<UInt64>()) { $0.formUnion($1.1.names) }.count
        // A request without credentials only asks for the challenge.
        let guessed = worst.reduce(0) { $0 + $1.1.withCredentials }
        let asked = worst.reduce(0) { $0 + $1.1.dialogs }
        let who = list.count == 1 ? "\(address)" : "\(list.count) addresses, most of all \(address),"
        let what =
            names == 1
            ? "the password of one account"
            : "names and passwords of \(names)\(names >= Guesses.mostNames ? " or more" : "") accounts"
        let isFraud = worst.allSatisfy(\.1.seeksFreeCalls)
        let dialled = worst.reduce(into: Set<[UInt8]>()) { $0.formUnion($1.1.dialled) }.count
        let key = FindingMerger.Key(name: .authAttack, severity: .risk, variant: 0, server: server, vantage: guess.vantage)
        let finding = Finding(
            .authAttack, .risk,
            isFraud
                ? "Somebody tries to make calls at the expense of \(server): \(who) dialled one number behind \(dialled) prefixes, without "
                    + "credentials and without success."
                : guessed == 0
                    ? "Somebody tries to break into \(server): \(who) asked for \(names)\(names >= Guesses.mostNames ? " or more" : "") accounts, \(asked) times, "
                        + "to see which exist, and gave no password."
                    : "Somebody tries to break into \(server): \(who) guessed \(what), \(guessed) times, without success.",
            details: [
                "None of \(list.count == 1 ? "its" : "their") attempts succeeded in this capture.",
                isFraud
                    ? "No phone tries prefixes in turn, and none of the calls was tried with credentials."
                    : "A phone with a wrong password tries one name, under one Call-ID or some a minute: this is none.",
            ], evidence: guess.evidence, culprit: .proved(list.count == 1 ? "\(address)" : "\(address) and others"),
            confidence: .proved,
            remedies: (isFraud
                ? [Remedy(.server, "Let nobody dial out who has not given a password; limit where calls may go, and how many.")]
                : [])
                + [
                    Remedy(
                        .router, "Block \(list.count == 1 ? "that address" : "those addresses") before the server.",
                        commands: worst.prefix(5).map {
                            "nft add rule inet filter input ip\($0.0.isIPv4 ? "" : "6") saddr \($0.0) drop"
                        }),
                    Remedy(
                        .server,
                        "Let the server block addresses that fail too often (fail2ban, or its own setting), and take registrations only from where phones are."
                    ),
                ],
            subject: FindingSubject(
                dialogs: worst.prefix(8).flatMap(\.1.sample), client: Endpoint(address.address, 0),
                server: Endpoint(server.address, 0),
                vantage: guess.vantage), count: 1)
        if !merger.merge(key, dialogs: finding.subject.dialogs) { merger.insert(finding, key) }
    }
}
