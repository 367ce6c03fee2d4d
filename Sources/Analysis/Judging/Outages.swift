import Base
import Capture

/// Stretches in which nothing comes in from outside, of nobody, while hosts inside go on sending: the line is down, and what stays
/// unanswered or unheard then follows from it.
struct Outages {
    var findings: [Finding]
    private var gone = Set<Int>()

    private struct Inbound {
        var from: Int64
        var to: Int64
        var host: PackedAddress
        var isAudio: Bool
    }

    private struct Gap: Hashable {
        var file: UInt16
        var from: Int64
        /// `Int64.max`: nothing came any more.
        var to: Int64
    }

    /// Between the last that came and the first that misses an answer, nanoseconds.
    private static let slack: Int64 = 3_000_000_000

    init(_ findings: [Finding], _ table: SignallingTable, _ streams: [StreamSummary]) {
        self.findings = findings
        tellAway(table, streams)
        let findings = self.findings
        let asked = findings.indices.filter { Self.isUnansweredOutside(findings[$0]) }
        let silent = findings.indices.filter {
            findings[$0].name == .mediaOneWay && findings[$0].severity == .fault
                && findings[$0].summary.contains("stopped being heard")
        }
        guard !asked.isEmpty, !silent.isEmpty else { return }
        var inbound: [UInt16: [Inbound]] = [:]
        for file in Set(asked.compactMap { findings[$0].evidence.first?.place.file }) {
            inbound[file] = Self.inbound(file, table, streams)
        }
        var gaps: [Gap: [Int]] = [:]
        for index in asked {
            guard let first = findings[index].evidence.first, let sent = first.time?.nanoseconds,
                let gap = Self.gap(about: sent, inbound[first.place.file] ?? [], first.place.file),
                let last = findings[index].evidence.last(where: { $0.source == first.source })?.time?.nanoseconds, last < gap.to
            else { continue }
            gaps[gap, default: []].append(index)
        }
        for (gap, requests) in gaps.sorted(by: { ($0.key.file, $0.key.from) < ($1.key.file, $1.key.from) }) {
            tell(gap, requests, silent, inbound[gap.file] ?? [])
        }
        if !gone.isEmpty { self.findings = self.findings.indices.filter { !gone.contains($0) }.map { self.findings[$0] } }
    }

    private static func isUnansweredOutside(_ finding: Finding) -> Bool {
        guard finding.name == .sipRetransmit, let first = finding.evidence.first, first.place.kind == .frame,
            let source = first.source, let destination = first.destination
        else { return false }
        return PackedAddress(source.address).isPrivateNetwork && !PackedAddress(destination.address).isPrivateNetwork
    }

    /// All that came from public addresses to private ones.
    private static func inbound(_ file: UInt16, _ table: SignallingTable, _ streams: [StreamSummary]) -> [Inbound] {
        var list: [Inbound] = []
        for record in table.records
        where record.place.kind == .frame && record.place.file == file && record.nanoseconds != MessageRecord.unknownTime {
            guard record.source != MessageRecord.noEndpoint, record.destination != MessageRecord.noEndpoint else { continue }
            let source = table.endpoints[record.source].address
            guard !source.isUnknown, !source.isPrivateNetwork, table.endpoints[record.destination].address.isPrivateNetwork
            else { continue }
            list.append(Inbound(from: record.nanoseconds, to: record.nanoseconds, host: source, isAudio: false))
        }
        for stream in streams where stream.vantage.index == file {
            let source = PackedAddress(stream.source.address)
            guard !source.isPrivateNetwork, PackedAddress(stream.destination.address).isPrivateNetwork else { continue }
            list.append(Inbound(from: stream.first.nanoseconds, to: stream.last.nanoseconds, host: source, isAudio: true))
        }
        return list
    }

    private static func gap(about time: Int64, _ inbound: [Inbound], _ file: UInt16) -> Gap? {
        guard !inbound.contains(where: { $0.from < time && $0.to > time }),
            let before = inbound.filter({ $0.to <= time }).map(\.to).max()
        else { return nil }
        return Gap(file: file, from: before, to: inbound.filter { $0.from > time }.map(\.from).min() ?? .max)
    }

    /// Audio has to have stopped as the gap began, and another host than that it came from has to be silent, too: one host may have died
    /// alone.
    private mutating func tell(_ gap: Gap, _ requests: [Int], _ silent: [Int], _ inbound: [Inbound]) {
        let stopped = Set(inbound.filter { $0.isAudio && $0.to > gap.from - Self.slack && $0.to <= gap.from }.map(\.host))
        let asked = Set(requests.compactMap { findings[$0].evidence.first?.destination }.map { PackedAddress($0.address) })
        let hosts = stopped.union(asked)
        guard !stopped.isEmpty, hosts.count > 1, requests.contains(where: { findings[$0].severity == .fault }) else { return }
        let victims = silent.filter { index in
            findings[index].evidence.contains { one in
                guard one.place.file == gap.file, let source = one.source else { return false }
                return stopped.contains(PackedAddress(source.address))
            }
        }
        guard !victims.isEmpty, let client = findings[requests[0]].evidence.first?.source,
            let place = requests.first(where: { findings[$0].severity == .fault })
        else { return }
        let what = Set(requests.compactMap { findings[$0].evidence.first?.excerpt.prefix { $0 != " " } }.map(String.init))
        let lasts =
            gap.to == .max
            ? "up to the end of the capture" : "for \(MediaJudge.tenth(Double(gap.to - gap.from) / 1e9)) s"
        var finding = findings[place]
        finding.summary =
            "The line was down: nothing at all came in from outside \(lasts), of none of \(hosts.map { "\($0)" }.sorted().joined(separator: ", ")), "
            + "while \(client.address) went on sending: the audio stopped, and \(what.sorted().joined(separator: ", ")) stayed unanswered."
        finding.details = [
            "One server that dies does not silence the others at the same moment; the Internet access, its router or the network behind it does."
        ]
        for index in requests + victims {
            finding.details.append("What follows from it: \(findings[index].summary)")
            if index != place {
                finding.evidence += findings[index].evidence.prefix(1)
                finding.subject.dialogs += findings[index].subject.dialogs.filter { !finding.subject.dialogs.contains($0) }
            }
        }
        finding.count = 1
        finding.culprit = .between("\(client.address)", "the Internet")
        finding.confidence = .likely
        finding.remedies = [
            Remedy(
                .network,
                "See what happened to the Internet access at that time: the log of router or modem (synchronisation, new address), the provider's faults."
            )
        ]
        findings[place] = finding
        gone.formUnion((requests + victims).filter { $0 != place })
    }
}
