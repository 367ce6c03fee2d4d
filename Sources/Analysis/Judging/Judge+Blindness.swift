import Base
import Capture

/// capture.blind: what the sources do not show.
extension Judge {
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
        case .forgotten:
            severity = .note
            remedy = Remedy(
                .capture, "Capture beside the server, and give the file to explain.",
                commands: ["tcpdump -i any -s 0 -w out.pcap"])
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
