import Base
import Capture

extension Outages {
    /// A server from which nothing came for a while, though several asked it, and which then answers again: as for a restart.
    private struct Absence {
        var server: PackedAddress
        var file: UInt16
        /// Its last word before, and its first after.
        var from: Int64
        var to: Int64
        /// Whom it spoke to before or after.
        var heard: Set<PackedAddress>
    }

    /// One caller alone tells nothing of the server.
    private static let fewestAskers = 2
    /// Longer is no restart.
    private static let longestAbsence: Int64 = 180 * second
    private static let mostServers = 16
    private static let mostHeard = 65_536

    /// One finding of a server that was away, in place of all that stayed unanswered then.
    ///
    /// Innocent, or told otherwise: a phone that alone gets no answer, a server that speaks to others meanwhile, one that never comes back.
    mutating func tellAway(_ table: SignallingTable, _ streams: [StreamSummary]) {
        let asked = findings.indices.filter { Self.isUnanswered(findings[$0]) }
        guard !asked.isEmpty else { return }
        var absences: [Absence] = []
        for index in asked.prefix(Self.mostServers) {
            guard let first = findings[index].evidence.first, let server = first.destination, let time = first.time,
                !absences.contains(where: { Self.isIn($0, first) }),
                let absence = Self.absence(PackedAddress(server.address), first.place.file, time.nanoseconds, table)
            else { continue }
            absences.append(absence)
        }
        var gone = Set<Int>()
        for absence in absences {
            let victims = asked.filter { index in
                guard !gone.contains(index), let first = findings[index].evidence.first, Self.isIn(absence, first) else {
                    return false
                }
                return findings[index].subject.dialogs.allSatisfy { Self.isUnanswered($0, in: absence, table) }
            }
            let (askers, calls) = Self.askers(absence, victims.flatMap { findings[$0].subject.dialogs }, table)
            guard let place = victims.first, askers.count >= Self.fewestAskers,
                !streams.contains(where: { Self.isHeard($0, absence) })
            else { continue }
            tell(absence, place, victims, askers: askers.count, calls: calls)
            gone.formUnion(victims.dropFirst())
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }

    private static func isUnanswered(_ finding: Finding) -> Bool {
        guard finding.name == .sipRetransmit, let first = finding.evidence.first, first.place.kind == .frame else { return false }
        return first.source != nil && first.destination != nil && finding.culprit != .unknown
            && finding.subject.dialogs.count < 1_000
    }

    private static func isIn(_ absence: Absence, _ evidence: Evidence) -> Bool {
        guard let server = evidence.destination, let time = evidence.time?.nanoseconds else { return false }
        return absence.file == evidence.place.file && absence.server == PackedAddress(server.address) && time > absence.from
            && time < absence.to
    }

    /// Between the last that a server said before a time and the first after; nil where it said nothing before or after, or for too long.
    private static func absence(_ server: PackedAddress, _ file: UInt16, _ time: Int64, _ table: SignallingTable) -> Absence? {
        var (from, to) = (Int64.min, Int64.max)
        var heard = Set<PackedAddress>()
        for record in table.records
        where record.place.file == file && record.nanoseconds != MessageRecord.unknownTime
            && table.endpoints[record.source].address == server
        {
            if heard.count < mostHeard { heard.insert(table.endpoints[record.destination].address) }
            if record.nanoseconds <= time { from = max(from, record.nanoseconds) } else { to = min(to, record.nanoseconds) }
        }
        guard from != .min, to != .max, to - from <= longestAbsence else { return nil }
        return Absence(server: server, file: file, from: from, to: to, heard: heard)
    }

    /// Whatever of a dialog the server left without an answer was asked while it was away.
    private static func isUnanswered(_ dialog: Int, in absence: Absence, _ table: SignallingTable) -> Bool {
        let records = records(of: dialog, table)
        let asked = records.filter {
            $0.isRequest && $0.method != .ack && table.endpoints[$0.destination].address == absence.server
        }
        let others = asked.filter { !isIn(absence, $0) }
        return others.count < asked.count
            && others.allSatisfy { other in
                records.contains { !$0.isRequest && $0.sequence == other.sequence && $0.method == other.method }
            }
    }

    private static func isIn(_ absence: Absence, _ record: MessageRecord) -> Bool {
        record.nanoseconds > absence.from && record.nanoseconds < absence.to
    }

    private static func records(of dialog: Int, _ table: SignallingTable) -> [MessageRecord] {
        var (list, at) = ([MessageRecord](), table.dialogs[dialog].lastRecord)
        while at >= 0 {
            list.append(table.records[Int(at)])
            at = table.records[Int(at)].previous
        }
        return list
    }

    /// Who asked in vain that it answers otherwise, which strangers are not, and how many of them wanted a call.
    private static func askers(_ absence: Absence, _ dialogs: [Int], _ table: SignallingTable) -> (Set<PackedAddress>, calls: Int)
    {
        var (hosts, calls) = (Set<PackedAddress>(), 0)
        for dialog in Set(dialogs) {
            let asked = records(of: dialog, table).filter {
                $0.isRequest && isIn(absence, $0)
                    && table.endpoints[$0.destination].address == absence.server
            }
            hosts.formUnion(asked.map { table.endpoints[$0.source].address }.filter(absence.heard.contains))
            if asked.contains(where: { $0.method == .invite }) { calls += 1 }
        }
        return (hosts, calls)
    }

    private static func isHeard(_ stream: StreamSummary, _ absence: Absence) -> Bool {
        stream.vantage.index == absence.file && PackedAddress(stream.source.address) == absence.server
            && stream.first.nanoseconds < absence.to - MediaJudge.patience
            && stream.last.nanoseconds > absence.from + MediaJudge.patience
    }

    private mutating func tell(_ absence: Absence, _ place: Int, _ victims: [Int], askers: Int, calls: Int) {
        var finding = findings[place]
        let server = "\(absence.server)"
        // On the way to the Internet the line may be what was away.
        let isNear =
            absence.server.isPrivateNetwork
            && victims.allSatisfy {
                findings[$0].evidence.first?.source.map { PackedAddress($0.address).isPrivateNetwork } ?? false
            }
        finding.severity = calls > 0 ? .fault : .note
        finding.summary =
            "The server \(server) was away: nothing came from it for \(spoken(absence.to - absence.from)), requests of \(askers) hosts stayed unanswered in that time"
            + (calls > 0 ? ", \(counted(calls, "call")) among them" : "") + ", and then it answered again, as after a restart."
        let dialogs = victims.reduce(into: [Int]()) { list, index in
            list += findings[index].subject.dialogs.filter { !list.contains($0) }
        }
        finding.details = [
            "A fault of one phone or its cable leaves the other phones their answers; here nobody got one.",
            isNear
                ? "Whether its program or its network connection was away does not show here."
                : "Whether the server or the line to it was away does not show here.",
        ]
        finding.evidence += victims.filter { $0 != place }.compactMap { findings[$0].evidence.first }
        finding.subject.dialogs = dialogs
        finding.subject.aor = nil
        finding.subject.callID = nil
        finding.count = 1
        finding.culprit = isNear ? .proved("the server \(server)") : .unknown
        finding.confidence = .likely
        finding.remedies = [
            Remedy(.server, "Nothing if \(server) was restarted then; else see in its log why it was away at that time.")
        ]
        findings[place] = finding
    }
}
