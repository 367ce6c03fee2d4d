import Base
import Capture

/// What a helper's work leads to: told as the helper's, with the rest below it.
extension BothSides {
    private static let unheard: Set<FindingName> = [.sipRetransmit, .authNoAnswer, .sipNoACK, .sipTimerDrop]

    /// Answers that come with what a helper wrote are not known to their addressee, which goes on asking.
    mutating func unknown(by side: SideComparison, _ table: SignallingTable) {
        for one in side.unrestored {
            let victims = accusing(one.dialogs, Self.unheard)
            // One more may have crossed its answer.
            guard !victims.isEmpty || one.repeats >= 2,
                let helper = one.dialogs.sorted().compactMap({ find(.algRewritten, $0) }).first
            else {
                continue
            }
            if all[helper].severity != .fault, let dialog = one.dialogs.min(), table.dialogs.indices.contains(dialog) {
                lead(
                    helper,
                    "\(Self.harm(one.method, table.dialogs[dialog])): the router changes \(one.field) in its \(one.method.token) and does not "
                        + "change it back in the answers, which it therefore does not take for its own.",
                    Evidence(
                        place: one.answer, time: one.answerTime.map { Instant(nanoseconds: $0) },
                        excerpt: "\(one.status) to the \(one.method.token)\n\(one.field): \(one.foreign)",
                        says: one.foreign.isEmpty ? "\(one.own) is missing in it" : "what came back; its sender wrote \(one.own)")
                )
            }
            absorb(victims, into: helper)
        }
    }

    /// What was broken has its consequences.
    mutating func broken(by side: SideComparison, _ table: SignallingTable) {
        for (pair, harms) in side.harms.sorted(by: { ($0.key.inside, $0.key.outside) < ($1.key.inside, $1.key.outside) }) {
            guard let helper = find(.algRewritten, pair.inside), all[helper].severity == .fault else { continue }
            let names = harms.reduce(into: Set<FindingName>()) { $0.formUnion($1.follows) }
            absorb(accusing([pair.inside, pair.outside], names), into: helper)
        }
        for route in side.routeRewrites {
            let victims = accusing([route.dialogs.inside, route.dialogs.outside], [.sipNoACK])
            // The finding whose ACKs went to the place that the box wrote; the other side's follows.
            let lost = victims.first {
                all[$0].evidence.contains { $0.destination.map { MediaPlace($0).address } == route.written.address }
            }
            guard let lost, let helper = find(.algRewritten, route.dialogs.inside),
                table.dialogs.indices.contains(route.dialogs.inside)
            else { continue }
            if all[helper].severity != .fault {
                let dialog = table.dialogs[route.dialogs.inside]
                lead(
                    helper,
                    "\(Self.harm(.ack, dialog)): the router writes \(Endpoint(route.written.address.address, route.written.port)) into "
                        + "Record-Route in place of the server, and what follows, the ACK first, goes there and gets lost.",
                    all[lost].evidence.last)
            }
            absorb(victims, into: helper)
        }
    }

    /// What one side alone saw broken, and both sides prove.
    mutating func confirmed(by side: SideComparison, _ table: SignallingTable) {
        for index in all.indices where all[index].name == .algSuspected && all[index].severity == .fault && !gone.contains(index)
        {
            let kin = all[index].subject.dialogs.reduce(into: Set<Int>()) { $0.formUnion(self.kin(of: $1)) }
            guard let helper = kin.sorted().compactMap({ find(.algRewritten, $0) }).first,
                let dialog = all[index].subject.dialogs.first, table.dialogs.indices.contains(dialog)
            else { continue }
            if all[helper].severity != .fault {
                let method: MessageMethod = table.dialogs[dialog].kind == .registration ? .register : .invite
                lead(
                    helper, "\(Self.harm(method, table.dialogs[dialog], isAnswered: true)): what the router rewrote broke it.",
                    all[index].evidence.first)
            }
            absorb([index], into: helper)
        }
    }

    /// What a change of the helper was seen to lead to.
    mutating func struck(by side: SideComparison, _ table: SignallingTable) {
        for blow in side.blows {
            let kin = kin(of: blow.dialogs.inside).union(kin(of: blow.dialogs.outside))
            guard !isTaken(blow, side, table) else { continue }
            let victims = victims(of: blow, kin, table)
            // Of a place that was written, what was sent there must be seen.
            let proof = victims.compactMap { victim in
                all[victim].evidence.last { one in
                    blow.kind.place.map { place in one.destination.map { MediaPlace($0) == place } ?? false } ?? true
                }
            }
            var dialogs = kin.sorted()
            // What was left as it is stands in a dialog that the box did not touch.
            if case .target = blow.kind { dialogs += side.dialogs.map(\.inside) }
            guard let shown = proof.first, let helper = dialogs.compactMap({ find(.algRewritten, $0) }).first,
                table.dialogs.indices.contains(blow.dialogs.inside)
            else { continue }
            if all[helper].severity != .fault {
                lead(helper, Self.words(blow, table.dialogs[blow.dialogs.inside]), shown)
                all[helper].evidence.append(
                    Evidence(
                        place: blow.place, time: blow.time.map { Instant(nanoseconds: $0) }, excerpt: blow.firstLine,
                        says: "as it left the router"))
            }
            absorb(victims, into: helper)
        }
    }

    /// What follows from a blow: of names also calls that were refused without accusing anybody.
    private func victims(of blow: SideBlow, _ kin: Set<Int>, _ table: SignallingTable) -> [Int] {
        guard let statuses = blow.kind.statuses else { return accusing(kin, blow.kind.follows) }
        return all.indices.filter { index in
            !gone.contains(index) && blow.kind.follows.contains(all[index].name) && !all[index].subject.dialogs.isEmpty
                && all[index].subject.dialogs.allSatisfy(kin.contains)
                && statuses.contains { all[index].summary.contains(" \($0) ") }
        }
    }

    /// The same was done to a message that was taken all the same: it is not the reason.
    private func isTaken(_ blow: SideBlow, _ side: SideComparison, _ table: SignallingTable) -> Bool {
        switch blow.kind {
        case .keys, .route, .contact, .via, .closed, .silence, .replaces: return false
        case .identity, .target: break
        }
        return side.blows.contains { other in
            other.kind == blow.kind
                && [other.dialogs.inside, other.dialogs.outside].contains { number in
                    table.dialogs.indices.contains(number) && (200..<300).contains(table.dialogs[number].status)
                }
        }
    }

    private static func words(_ blow: SideBlow, _ dialog: DialogState) -> String {
        switch blow.kind {
        case .keys:
            "\(harm(.invite, dialog, isAnswered: true)): the router takes the keys for encrypted audio (SRTP) out of the session description."
        case .route:
            "\(harm(.ack, dialog)): the router takes Record-Route out of the answers, so that the ACK passes by the proxy and gets lost."
        case .contact(let place):
            "\(harm(.ack, dialog)): the router writes \(Endpoint(place.address.address, place.port)) into the Contact of the other end, and what "
                + "follows, the ACK first, goes there and gets lost."
        case .closed:
            "\(harm(.invite, dialog, isAnswered: true)): the router sets the port of its audio to 0, which takes it out of the offer."
        case .silence:
            "One end of the call of \(String(decoding: dialog.from, as: UTF8.self)) is not sent any audio: the router writes 0.0.0.0 into the session "
                + "description as the place for it."
        case .replaces:
            "The transfer fails: the router rewrites Call-ID and leaves the one in Refer-To (Replaces), so that the other end does not know the call that it names."
        case .identity(let field):
            "\(harm(blow.method, dialog, isAnswered: true)): the router writes an address in place of the domain into \(field), and who is asked refuses that."
        case .target(let place):
            "\(harm(.invite, dialog)): the router writes \(Endpoint(place.address.address, place.port)) into Contact and leaves it in the requests that "
                + "come for it, which the phone does not take for its own."
        case .via(let place):
            "\(harm(blow.method, dialog)): the router writes \(Endpoint(place.address.address, place.port)) into Via, or takes rport out of it, so that "
                + "the answers go there and get lost."
        }
    }

    /// Fragments of which only the first left the box.
    mutating func fragments(by side: SideComparison) {
        for pair in side.cut {
            let found = [find(.sipFragmented, pair.inside), find(.sipFragmented, pair.outside)].compactMap { $0 }
            guard let cause = found.first, !told.contains(cause) else { continue }
            let name =
                side.translatedTo.map { "the router with the outside address \($0.address)" }
                ?? "the router between the two captures"
            all[cause].summary += " All of them came to \(name), and only the first left it."
            all[cause].culprit = .proved(name)
            all[cause].details.append(
                "A filter by port hides later fragments from a capture; here one side shows them, and nobody answered.")
            all[cause].remedies = [
                Remedy(
                    .router, "Let it pass IP fragments on: reassemble before NAT and firewall, or switch the helper (ALG) off."),
                Remedy(.phone, "Use TCP for SIP; switch off codecs and headers that are not needed."),
            ]
            told.insert(cause)
            absorb(found + accusing([pair.inside, pair.outside], [.sipRetransmit]), into: cause)
        }
    }

    /// A helper that answers in the server's name: whoever is refused is refused by it.
    mutating func answered(by side: SideComparison, _ table: SignallingTable) {
        let victims = accusing(Set(side.ownAnswers.map(\.dialog)), [.sipRefused, .sipRetransmit, .authBadDigest, .authNoAnswer])
        guard
            let first = side.ownAnswers.first(where: { one in victims.contains { all[$0].subject.dialogs.contains(one.dialog) } }
            ),
            table.dialogs.indices.contains(first.dialog),
            !Dropper.drops(sources, side.outside)
        else { return }
        let dialogs = Set(side.ownAnswers.map(\.dialog))
        let server = Endpoint(first.server.address.address, first.server.port)
        let name =
            side.translatedTo.map { "the router with the outside address \($0.address)" } ?? "the router between the two captures"
        var details = [
            "\(counted(side.ownAnswers.count, "request")) and the answers to them are seen inside, and neither outside, though both captures cover that time and "
                + "other messages cross."
        ]
        if let usual = first.usual {
            details.append(
                "The answer came after \(MediaJudge.tenth(Double(first.delay) / 1e6)) ms; from the server it takes \(MediaJudge.tenth(Double(usual) / 1e6)) ms at best."
            )
        }
        var result = Finding(
            .algRewritten, .fault,
            "\(Self.harm(first.method, table.dialogs[first.dialog])): \(name) itself answers \(first.status) in the name of \(server), which never sees the "
                + "\(first.method.token).",
            details: details,
            evidence: [
                Evidence(
                    place: first.place, time: first.time.map { Instant(nanoseconds: $0) }, source: server,
                    excerpt: first.firstLine,
                    says: "inside alone")
            ],
            culprit: .proved(name), confidence: .likely, remedies: [.disableALG, .encrypt],
            subject: FindingSubject(dialogs: dialogs.sorted(), server: server), count: max(1, dialogs.count))
        let clients = victims.compactMap { all[$0].subject.client }
        result.subject.client = clients.first
        all.append(result)
        let cause = all.count - 1
        for dialog in dialogs { ofDialog[dialog, default: []].append(cause) }
        absorb(victims, into: cause)
    }

    /// Accusing findings of these names that are about these dialogs and no others.
    func accusing(_ dialogs: Set<Int>, _ names: Set<FindingName>) -> [Int] {
        Set(dialogs.flatMap { ofDialog[$0] ?? [] })
            .filter { !gone.contains($0) && names.contains(all[$0].name) && all[$0].subject.dialogs.allSatisfy(dialogs.contains) }
            .sorted()
    }

    /// Makes a helper the fault, and says first what it did.
    private mutating func lead(_ helper: Int, _ words: String, _ evidence: Evidence?) {
        all[helper].severity = .fault
        all[helper].summary = words + " " + all[helper].summary
        if let evidence { all[helper].evidence.append(evidence) }
    }

    static func harm(_ method: MessageMethod, _ dialog: DialogState, isAnswered: Bool = false) -> String {
        let (from, to) = (String(decoding: dialog.from, as: UTF8.self), String(decoding: dialog.to, as: UTF8.self))
        return switch (dialog.kind, method) {
        case (.registration, _): "\(to.isEmpty ? from : to) cannot register"
        case (.call, .ack): "The call of \(from) to \(to) breaks off"
        case (.call, .invite): isAnswered ? "The call of \(from) to \(to) fails" : "\(from) does not reach \(to)"
        default: "\(method.token) of \(from) fails"
        }
    }
}
