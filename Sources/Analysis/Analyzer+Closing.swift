import Base
import Capture

extension Analyzer {
    /// Silence after which a finished dialog is over for good: 64*T1 and a little.
    static let quiet: Int64 = 40 * second
    /// Messages an open dialog holds before it is judged in part.
    static let mostSteps: Int32 = 192
    static let mostStepsOfCall: Int32 = 2_048
    /// From here on quiet registrations keep only what their next refresh is compared with.
    static let manySteps = 1 << 15

    /// Judges and closes what is over at `now`, settles what has gone quiet, so that memory goes with what is open.
    mutating func sweep(at now: Int64) {
        guard now != MessageRecord.unknownTime else { return }
        var stillOpen: [Int32] = []
        stillOpen.reserveCapacity(table.open.count)
        let open = table.open
        table.open = []
        for number in open where !step(Int(number), at: now) { stillOpen.append(number) }
        table.open += stillOpen
    }

    /// Whether the dialog was closed.
    private mutating func step(_ number: Int, at now: Int64) -> Bool {
        let (last, progress, count) = (
            table.dialogs[number].last, table.dialogs[number].progress, table.dialogs[number].stepCount
        )
        guard last != MessageRecord.unknownTime else { return false }
        let idle = now - last
        let isOver: Bool
        switch table.dialogs[number].kind {
        case .call:
            let hasEnded = !progress.isDisjoint(with: [.ended, .cancelled, .failed])
            isOver = hasEnded ? idle > Self.quiet : !progress.contains(.answered) && idle > 300 * second
            if !isOver, count > Self.mostStepsOfCall { judgePart(number, now, keeping: 256) }
        case .registration:
            let said = table.dialogs[number].granted
            let granted = said == Step.noNumber ? 3_600 : Int64(min(said, 86_400))
            isOver = idle > (max(granted, 3_600) + 120) * second
            if !isOver, count > Self.mostSteps {
                judgePart(number, now, keeping: 32)
            } else if !isOver, idle > Self.quiet, !progress.contains(.settled) {
                judge.judge(number, in: &table, end: now, isFinal: false)
                if table.dialogs[number].progress.contains(.accused) {
                    table.pin(number)
                } else if table.openSteps > Self.manySteps {
                    judge.textKept += table.retire(number, keeping: 2, room: room(for: number))
                }
                table.dialogs[number].progress.insert(.settled)
            }
        case .subscription, .message, .options, .other:
            isOver = idle > Self.quiet
            if !isOver, count > Self.mostSteps { judgePart(number, now, keeping: 32) }
        }
        if isOver { close(number, end: now) }
        return isOver
    }

    private mutating func judgePart(_ number: Int, _ now: Int64, keeping kept: Int) {
        judge.judge(number, in: &table, end: now, isFinal: false)
        judge.textKept += table.retire(number, keeping: kept, room: room(for: number))
    }

    private mutating func close(_ number: Int, end: Int64) {
        judge.judge(number, in: &table, end: end, isFinal: true)
        judge.textKept += table.retire(number, room: room(for: number))
        table.dialogs[number].progress.insert(.closed)
    }

    private func room(for number: Int) -> Int {
        let most = table.dialogs[number].progress.contains(.accused) ? Judge.mostAccusedText : options.textBudget
        return min(65_536, max(0, most - judge.textKept))
    }

    /// The last moment a source shows.
    private func end(of vantage: Vantage) -> Int64 {
        let told = Int(vantage.index) < sources.count ? sources[Int(vantage.index)].last?.nanoseconds : nil
        let seen = table.latest[vantage.index]
        guard let told else { return seen ?? MessageRecord.unknownTime }
        return max(told, seen ?? told)
    }

    /// What both sides prove needs no suspicion, and what both sides show untouched is cleared of it.
    private static func settled(_ findings: [Finding], _ pairs: [SideComparison], _ table: SignallingTable) -> [Finding] {
        let proved = findings.filter { $0.name == .algRewritten && $0.severity.accuses }.flatMap(\.subject.dialogs)
        var untouched = pairs.reduce(into: Set<Int>()) { $0.formUnion($1.untouchedDialogs) }
        // The phone addresses the box that writes for it.
        for pair in pairs where pair.box == .proxy { untouched.formUnion(pair.dialogs.flatMap { [$0.inside, $0.outside] }) }
        untouched.formUnion(
            ownBoxes(findings.filter { $0.name == .algSuspected && $0.severity != .fault }.flatMap(\.subject.dialogs), table))
        let known = untouched.union(proved)
        return findings.compactMap { finding in
            guard finding.name == .algSuspected else { return finding }
            // What broke a call is told with the proof.
            let known = finding.severity == .fault ? untouched : known
            var finding = finding
            let had = finding.subject.dialogs.count
            finding.subject.dialogs.removeAll { known.contains($0) }
            let left = finding.subject.dialogs.count
            finding.count = max(1, finding.count - (had - left))
            return had > 0 && left == 0 ? nil : finding
        }
    }

    /// Those of these dialogs that another capture shows under the same Call-ID between a phone and a box in its own private network: it
    /// addresses the box, which speaks for it outside.
    private static func ownBoxes(_ dialogs: [Int], _ table: SignallingTable) -> Set<Int> {
        guard !dialogs.isEmpty else { return [] }
        var inner: [ArraySlice<UInt8>: Vantage] = [:]
        for dialog in table.dialogs where inner.count < mostInner && !dialog.callID.isEmpty {
            guard let leg = dialog.legs.first, leg.client.address.isPrivateNetwork, leg.server.address.isPrivateNetwork else {
                continue
            }
            inner[dialog.callID] = dialog.vantage
        }
        return Set(
            dialogs.filter { number in inner[table.dialogs[number].callID].map { $0 != table.dialogs[number].vantage } ?? false })
    }

    private static let mostInner = 100_000

    /// Ends the analysis; the analyzer is spent afterwards.
    public mutating func finish() -> AnalysisResult {
        for number in table.open where !table.dialogs[Int(number)].progress.contains(.closed) {
            close(Int(number), end: end(of: table.dialogs[Int(number)].vantage))
        }
        table.open = []
        table.releaseSteps()
        var result = AnalysisResult()
        let (mediaFindings, streams) = options.analyzesMedia ? media.finish(hash: options.hash) : ([], [])
        judge.settle(media: media, table)
        result.streams = streams
        var findings = judge.merger.findings + mediaFindings
        if var sides {
            var spans: [UInt16: ClosedRange<Int64>] = [:]
            for (number, source) in sources.enumerated() {
                guard let first = source.first?.nanoseconds, let last = source.last?.nanoseconds, first <= last else { continue }
                spans[UInt16(clamping: number)] = CaptureTime.bounded(first)...CaptureTime.bounded(last)
            }
            let (more, pairs) = sides.finish(spans)
            findings += more
            result.sides = pairs
            findings = BothSides(Self.settled(findings, pairs, table), pairs, streams, sources, table).findings
        }
        findings += lonelyStale.sorted { $0.key < $1.key }.map { judge.staleInLog($0.value.first, $0.value.count, table) }
        findings += said.findings()
        result.understoodLines = said.understood
        findings += judge.connections(connections, table) { end(of: Vantage($0)) }
        findings += judge.unresolvedPlaces(names, media: media)
        findings += judge.names(names, speaks: table.speakers.contains) { end(of: Vantage($0)) }
        findings += judge.handshakes(handshakes, speakers: table.speakers)
        findings += judge.relays(relays, media: media, table)
        findings += judge.unansweredTries(table)
        findings = judge.moved(findings, table)
        findings += judge.blindness(sources, table)
        findings = Outages(findings, table, streams).findings.map { table.unnamed.filled($0) }
        let routers = devices.routers(table.programs)
        result.findings = FindingList(findings, table, routers).ordered
        result.devices = devices.recognised(table.programs)
        result.sources = sources
        result.endpoints = table.endpoints.list.map(\.endpoint)
        result.names = table.unnamed.names(table.endpoints.list)
        result.records = table.records
        result.registrations = judge.registrations
        result.dialogs.reserveCapacity(table.dialogs.count)
        for (number, dialog) in table.dialogs.enumerated() {
            var summary = dialog.summary(end: end(of: dialog.vantage))
            summary.id = number
            summary.protection = media.protections[number]
            result.dialogs.append(summary)
        }
        table.counts.dialogs = table.dialogs.count
        var accused = Set<Int>()
        for finding in result.findings where finding.severity.accuses && finding.name != .captureBlind {
            accused.formUnion(finding.subject.dialogs)
        }
        table.counts.healthyDialogs = table.dialogs.count - accused.count
        result.counts = table.counts
        return result
    }
}
