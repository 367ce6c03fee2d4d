import Base
import Capture

extension Judge {
    /// Different names a source tries without success before it is called a scanner.
    static let scannerNames = 8
    /// Said of what turned out harmless where it was seen.
    static let bothWays = "Audio went both ways all the same"

    /// Decides what depended on things seen elsewhere.
    mutating func settle(media: MediaAnalysis, _ table: SignallingTable) {
        let attackers = attacks()
        var calls: CallIndex?
        for draft in drafts {
            var finding = draft.finding
            var key = draft.key
            // Nobody owes those who look for victims an answer.
            if finding.name == .sipRetransmit, let source = finding.evidence.first?.source,
                attackers.contains(PackedAddress(source.address))
            {
                continue
            }
            switch draft.condition {
            case .noScanner(let address, let nonce):
                if table.usedNonces.contains(nonce) || attackers.contains(address) { continue }
                if finding.name == .sipRefused, let aor = finding.subject.aor, peers.isRegistered(aor, besides: key.server) {
                    finding.severity = .note
                    finding.details.append("It is registered with another server, of which this one may be the standby.")
                }
                if finding.name == .authNoAnswer, isCalled(finding, table) {
                    finding.severity = .note
                    finding.details.append(
                        "The server calls it there all the same and it answers: the capture lacks the answer to the challenge, or an earlier registration still stands."
                    )
                }
                if let tally = tallies[address], tally.names.count >= Self.scannerNames, tally.successes == 0 { continue }
            case .unknownCaller(let pair, let nonce, let host, let asksAsServer):
                if table.usedNonces.contains(nonce) || attackers.contains(pair.caller) { continue }
                let isTrunk = tellsTrunk(&finding, pair, host: host, asksAsServer: asksAsServer)
                if isTrunk { key.variant = 2 ^ pair.caller.low << 8 }
                if !isTrunk, let tally = tallies[pair.caller], tally.names.count >= Self.scannerNames, tally.successes == 0 {
                    continue
                }
            case .refusedPassword(let address, let account):
                if attackers.contains(address) { continue }
                if let tally = tallies[address], tally.names.count >= Self.scannerNames, tally.successes == 0 { continue }
                heal(&finding, of: account, from: address)
            case .registration(let address, let account):
                if attackers.contains(address) { continue }
                if let tally = tallies[address], tally.names.count >= Self.scannerNames, tally.successes == 0 { continue }
                if heal(refused: &finding, of: account, from: address) { break }
                guard let grants = accounts[account]?.grants, let server = finding.subject.server?.address,
                    grants.contains(where: { $0.granted > 0 && $0.registrar.address.address != server })
                else { break }
                finding.severity = .note
                finding.details.append("Another registrar took the account: this one may stand by.")
            case .notRepaired(let server):
                if repairing.contains(server) || table.flows.repairing.contains(server) { continue }
            case .quarterHour(let server):
                if (longestCalls[server] ?? 0) > 930 * second { continue }
                if (quarterHours[server] ?? 0) > 1 {
                    finding.severity = .fault
                    finding.details = ["\(quarterHours[server] ?? 0) calls of this server lasted 15 minutes to the second."]
                }
            case .answersOthers(let end, let watcher):
                if peers.isSpare(end, of: watcher) {
                    finding.severity = .note
                    finding.summary += " Calls go by another peer that answers, so this one is a spare."
                    finding.remedies = [
                        Remedy(.server, "Mend the spare before it is needed, or take it out of the list if it is gone for good.")
                    ]
                    break
                }
                let seen = table.activity(of: end)
                guard seen.othersAnswered > 0 || Int(seen.optionsAnswered) > 2 * (unansweredOptions[end] ?? 0) else { break }
                finding.severity = .note
                finding.summary += " It answers other requests, so it is there."
                finding.remedies = [
                    Remedy(
                        .server,
                        "Switch the watch by OPTIONS off for this peer (qualify, keepalive), or expect it to be shown as unreachable."
                    )
                ]
            case .hears(let end):
                let seen = table.activity(of: end)
                guard seen.hearsWhenTold, !seen.isInvitedInVain else { break }
                finding.severity = .note
                finding.summary += " It hears the other end and goes on with all else, so it passes such a NOTIFY over."
                finding.remedies = [
                    Remedy(.server, "Send NOTIFY without a subscription (waiting messages) only to phones that take it.")
                ]
            case .servesOtherwise(let extra, let asker, let end):
                if attackers.contains(asker) { continue }
                guard peers.serves(asker, end, besides: extra) else { break }
                finding.severity = .note
                finding.summary += " Other requests between the two are answered: it is there, and ignores \(extra.name) alone."
                finding.remedies = [extra.remedy]
            case .refusal(let proof, let plain, let attempt):
                if let attempt {
                    let index = calls ?? CallIndex(table)
                    calls = index
                    if let taker = index.taker(of: attempt, table) {
                        finding.severity = .note
                        finding.summary += Self.takenBy(taker, after: attempt)
                        break
                    }
                }
                guard !isProved(proof) else { break }
                finding = plain
                key.variant += 1
            case .silence(let dialog, let speakerIsCaller, let until):
                if finding.evidence.first?.place.kind == .line { break }
                if let speakerIsCaller, until != MessageRecord.unknownTime,
                    media.hears(dialog: dialog, caller: speakerIsCaller, from: until - Self.lastAudio, to: until)
                {
                    finding.details.append(
                        "The capture holds that audio up to the end of the call: it is sent, and gets lost behind the place of the capture, or is not counted there."
                    )
                }
                switch media.outcome(ofDialog: dialog) {
                case .oneWay, .none: finding.severity = .note
                case .bothWays, .interrupted, .unknown: break
                }
            case .goesOn(let dialog, let isCaller, let from):
                if media.isHeardOn(dialog: dialog, caller: isCaller, from: from) { break }
                guard finding.name == .sipRefused, !media.isQuiet(dialog: dialog, caller: isCaller) else { continue }
                finding = Self.endedAllTheSame(finding)
            case .unheard(let dialog, let isCaller, let from):
                guard media.isHeardOn(dialog: dialog, caller: !isCaller, from: from),
                    !media.isHeardOn(dialog: dialog, caller: isCaller, from: from)
                else { continue }
            case .digits(let dialog):
                guard media.hasDigits(dialog: dialog) else { break }
                finding.severity = .note
                finding.details.append("The digits also went as events beside the audio (RFC 4733), which the other end may use.")
            case .digitsTwice(let dialog): guard media.hasDigits(dialog: dialog) else { continue }
            case .oldNonce(let nonce, let fresh, let address):
                guard oldNonces[nonce, default: 0] >= Self.fewestOldAnswers, !table.usedNonces.contains(fresh),
                    !attackers.contains(address)
                else { continue }
            case .comesBack(let end, let time):
                guard table.activity(of: end).lastAnswer > time else { break }
                finding.severity = .note
                finding.summary += " It answers again later, so it was away for a while, as for a restart."
                finding.remedies = [Remedy(.server, "Nothing if it was restarted then; else see in its log why it was away.")]
            case .neverGranted(let account, let time): guard isNeverGranted(account, after: time) else { continue }
            case .answeredAtLast(let outage):
                guard outages[outage] == 1, table.activity(of: outage.end).othersAnswered > 2 else { break }
                finding.severity = .note
                finding.summary += " All else was answered at once, so it was one short outage."
            case .fellSilent(let dialog, let isCaller, let contact):
                guard media.isQuiet(dialog: dialog, caller: isCaller), media.outcome(ofDialog: dialog) == .interrupted else {
                    continue
                }
                tellEnded(&finding, dialog, isCaller: isCaller, contact, server: key.server, media, table)
            case .audioLost(let dialog):
                guard media.outcome(ofDialog: dialog) == .bothWays else { break }
                finding.severity = .note
                finding.details.append("\(Self.bothWays).")
            case .noHandshake(let dialog): if media.hasHandshake(dialog: dialog) { continue }
            case .silentStretch(let dialog, let isCaller, let from, let to, let isProof):
                let isHeard = media.hears(dialog: dialog, caller: isCaller, from: from, to: to)
                guard isHeard || !isProof && media.outcome(ofDialog: dialog) == .unknown else { break }
                finding.severity = .note
                finding.confidence = isHeard ? finding.confidence : .possible
                finding.details.append(
                    isHeard
                        ? "That end was heard in that time all the same, as where it plays music to a call that it holds itself."
                        : "Whether it played music to a call that it holds itself is not to be seen: the capture holds no media of this call."
                )
            case .notRetried(let attempt):
                let index = calls ?? CallIndex(table)
                calls = index
                guard index.taker(of: attempt, table) != nil else { break }
                finding.severity = .note
                finding.details.append("The same call was taken right after, with other media.")
            case .noFailover(let attempt):
                let index = calls ?? CallIndex(table)
                calls = index
                guard let taker = index.taker(of: attempt, table) else { break }
                finding.severity = .note
                finding.summary += Self.takenBy(taker, after: attempt)
            case .notRegisteredAgain(let dialog, let after, let wait):
                let state = table.dialogs[dialog]
                if let taker = standIn(for: finding, state, after: after) {
                    finding.severity = .note
                    finding.summary += " \(Self.name(taker)) took the registration in its place."
                    break
                }
                guard state.progress.contains(.answered), state.status == 200, state.last > after else { break }
                finding.severity = .note
                finding.summary += " It registered again \(wait.map { "\(spoken($0)) later" } ?? "afterwards")."
            case .mediaInstead(let dialog, let toCaller):
                guard [.oneWay, .none].contains(media.outcome(ofDialog: dialog)), media.isAstray(dialog: dialog, caller: toCaller)
                else { continue }
                finding.details.append("The capture shows that audio goes there, and that it did not go both ways.")
            case .media(let dialog, let toCaller):
                switch media.outcome(ofDialog: dialog) {
                case .bothWays:
                    finding.severity = .note
                    finding.details.append(
                        "\(Self.bothWays): the other side sends to where it hears from. Without that it would be lost."
                    )
                case .interrupted:
                    finding.severity = .note
                    finding.details.append(
                        "Audio reached that end for a time, there or at a place named before: the address need not be why it stopped or came late."
                    )
                case .unknown:
                    finding.severity = .note
                    finding.confidence = .possible
                    finding.details.append(
                        "The capture holds no media of this call: whether the other side latches is not to be seen.")
                case .oneWay, .none:
                    if media.isAstray(dialog: dialog, caller: !toCaller) {
                        finding.severity = .note
                        finding.details.append(
                            "What is lost goes to the private address that the other end names, as the capture shows.")
                        break
                    }
                    guard !media.isReached(dialog: dialog, caller: toCaller) else {
                        finding.severity = .note
                        finding.details.append(
                            "Audio was sent to that end's public address all the same: the private one is not why some was not heard."
                        )
                        break
                    }
                    if media.isOvercome(dialog: dialog, caller: toCaller) {
                        finding.severity = .note
                        finding.details.append(
                            "The other side sends to where audio comes from, or had none to send: the private address is not why this one was silent."
                        )
                        break
                    }
                    finding.details.append("The capture shows that audio did not go both ways.")
                }
            }
            key.severity = finding.severity
            if !merger.merge(key, dialogs: draft.dialogs) { merger.insert(finding, key) }
        }
        drafts = []
        judgeAccounts(table)
    }
}
