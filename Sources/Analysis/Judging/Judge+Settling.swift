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
                _ = heal(&finding, of: account, from: address)
            case .registration(let address, let account):
                if attackers.contains(address) { continue }
                if let tally = tallies[address], tally.names.count >= Self.scannerNames, tally.successes == 0 { continue }
                if heal(refused: &finding, of: account, from: address) {
                    break
                }
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
            case .answeredAtLast(let outage):
                guard outages[outage] == 1, table.activity(of: outage.end).othersAnswered > 2 else { break }
                finding.severity = .note
                finding.summary += " All else was answered at once, so it was one short outage."
            case .fellSilent(let dialog, let isCaller):
                guard media.isQuiet(dialog: dialog, caller: isCaller), media.outcome(ofDialog: dialog) == .interrupted else {
                    continue
                }
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

    // MARK: capture.blind

    /// Whether each dialog of several messages was seen both ways.
    mutating func noteDirections(_ c: DialogCase, _ table: SignallingTable) {
        guard c.dialog.progress.contains(.severalMessages) || c.dialog.progress.contains(.bothWays) else { return }
        // Who sends again has heard nothing: that is silence, not a blind capture.
        if !c.dialog.progress.contains(.bothWays), c.steps.contains(where: { $0.record.marks.contains(.retransmission) }) {
            return
        }
        // Whom ICMP refuses need not be answered, too.
        if !c.dialog.progress.contains(.bothWays), c.steps.contains(where: { isRefused($0, table) }) { return }
        // A farm may answer from another address than was asked.
        let isAnswered = c.steps.contains { answer in
            !answer.isRequest && answer.branch != 0 && c.steps.contains { $0.isRequest && $0.branch == answer.branch }
        }
        var tally = oneWay[c.dialog.vantage.index] ?? (0, 0, 0)
        if c.dialog.progress.contains(.bothWays) || isAnswered {
            tally.both += 1
        } else {
            tally.one += 1
            let isFromClient = c.steps.map { $0.flags.contains(.fromClient) }
            if isFromClient.contains(true), isFromClient.contains(false) { tally.crossing += 1 }
        }
        oneWay[c.dialog.vantage.index] = tally
    }

    /// What the sources do not show.
    mutating func blindness(_ sources: [SourceSummary], _ table: SignallingTable) -> [Finding] {
        var result: [Finding] = []
        for (index, source) in sources.enumerated() {
            var list = source.blindness
            if let one = oneSided(UInt16(clamping: index), source.kind) { list.append(one) }
            if table.refused > 0, index == 0 {
                list.append(
                    Blindness(
                        .drops, "\(counted(table.refused, "message")) left out: more dialogs are open than are followed.",
                        count: table.refused))
            }
            if table.counts.sip == 0 { list.append(Blindness(.noSIP, "No SIP message was recognised.")) }
            if source.kind == .log, cutMessages > 0 {
                list.append(
                    Blindness(
                        .cutMessages, "\(counted(cutMessages, "message")) cut off or with lines left out.", count: cutMessages))
            }
            if source.kind == .log, timelessMessages > 0 {
                list.append(
                    Blindness(
                        .noTimes, "\(counted(timelessMessages, "message")) without a time: only the order is known.",
                        count: timelessMessages
                    ))
            }
            if source.kind == .log, table.sharedCallIDs > 0 {
                list.append(
                    Blindness(
                        .sharedCallID,
                        "\(counted(table.sharedCallIDs, "message")) bear a stand-in as Call-ID: dialogs are told apart by their tags.",
                        count: table.sharedCallIDs))
            }
            for blindness in list { result.append(finding(blindness, source, index, table)) }
        }
        return result
    }

    /// A program's own log that tells of both directions hides none; nor is an excerpt of a few messages a blind tap.
    private func oneSided(_ index: UInt16, _ kind: SourceSummary.Kind) -> Blindness? {
        guard let tally = oneWay[index] else { return nil }
        let isLog = kind == .log
        if isLog, receiving.contains(index), sending.contains(index) { return nil }
        let (one, both) = isLog ? (tally.one - tally.crossing, tally.both + tally.crossing) : (tally.one, tally.both)
        guard one > 0, one > 2 * both else { return nil }
        return Blindness(
            .oneDirection,
            "Messages of \(counted(one, "dialog")) were seen in one direction only: the other half is not in the "
                + "\(isLog ? "log" : "capture").", count: one)
    }

    private func finding(_ blindness: Blindness, _ source: SourceSummary, _ index: Int, _ table: SignallingTable) -> Finding {
        let severity: Severity
        var remedy: Remedy
        let isLog = source.kind == .log
        switch blindness.kind {
        case .snapLength:
            severity = .risk
            remedy = Remedy(.capture, "Capture whole packets.", commands: ["tcpdump -s 0 -w out.pcap"])
        case .truncatedFile:
            severity = .risk
            remedy = Remedy(.capture, "Let the capturing program end the file itself, and copy the file when it has.")
        case .drops:
            severity = .risk
            remedy = Remedy(
                .capture, "Capture with a larger buffer or a narrower filter.", commands: ["tcpdump -B 65536 -s 0 -w out.pcap"])
        case .oneDirection:
            severity = isLog && blindness.count < 3 ? .note : .risk
            remedy = Remedy(
                .capture, "Capture on all interfaces, or on the host that both directions pass.",
                commands: ["tcpdump -i any -s 0 -w out.pcap"])
        case .missingFragments:
            severity = .risk
            remedy = Remedy(
                .capture, "A filter by port hides later fragments: add them.",
                commands: ["tcpdump 'port 5060 or (ip[6:2] & 0x1fff != 0)'"])
        case .streamGaps:
            severity = .risk
            remedy = Remedy(.capture, "Capture on a host that sees every segment.")
        case .encrypted:
            severity = table.counts.sip == 0 ? .risk : .note
            remedy = Remedy(
                .capture,
                "Let one end write a TLS key log while the capture runs and give it with --keylog, or look at the server's own log or trace.",
                commands: ["SSLKEYLOGFILE=keys.log"])
        case .encryptedRadio:
            severity = table.counts.sip == 0 ? .risk : .note
            remedy = Remedy(
                .capture,
                "Capture on the wire, at the access point or on the phone itself; or decrypt with the network's key first.",
                commands: ["airdecap-ng -e NETWORK -p KEY air.pcap"])
        case .undecoded, .noSIP:
            severity = .note
            remedy = Remedy(.capture, "Check that this is the right file and the right interface.")
        case .unreadMessages:
            severity = .risk
            remedy = Remedy(.capture, "Give the log as its program wrote it, or a capture.")
        case .cutMessages, .noTimes, .sharedCallID:
            severity = .note
            remedy = Remedy(.capture, "Give the whole log, with times, or a capture.")
        }
        if isLog { remedy = Self.advice(blindness.kind) }
        let place = blindness.place.map { [Evidence(place: $0, excerpt: blindness.text)] } ?? []
        return Finding(
            .captureBlind, severity, "\(source.name) does not show everything: \(blindness.text)",
            details: ["What is said below holds for what can be seen; what is missing here was not judged."], evidence: place,
            confidence: .proved, remedies: [remedy], subject: FindingSubject(vantage: Vantage(UInt16(clamping: index))),
            count: blindness.count)
    }
}
