import Analysis
import Base
import Capture

/// What of one capture matters: the messages of chosen dialogs, their media, and what goes on beside them.
public struct ExcerptSelection: Sendable {
    /// A UDP flow of which packets of a stretch of time matter.
    struct Media: Sendable {
        var from: Instant
        var to: Instant
    }

    /// Numbers of frames that the analysis names.
    var frames: Set<UInt64> = []
    /// TCP flows, both directions, that carry such messages: all their segments matter, as a stream with holes cannot be read.
    var streams: Set<PackedFlow> = []
    /// UDP flows, both directions, of such messages: STUN and keepalives on them matter, other dialogs' messages do not.
    var flows: Set<PackedFlow> = []
    /// Ends of such messages: STUN from and to them matters, and ICMP errors about them.
    var ends: Set<PackedEnd> = []
    var media: [PackedFlow: Media] = [:]
    /// How many dialogs were chosen, in all captures.
    public private(set) var dialogs = 0

    /// Of the capture at index `file`. Without a filter: what findings accuse; with one: all that passes.
    public init(_ result: AnalysisResult, filter: ExplainFilter, file: Int) {
        var chosen: Set<Int> = []
        let findings = result.findings.filter { filter.includes($0, in: result) }
        for finding in findings where finding.severity.accuses || !filter.findings.isEmpty {
            chosen.formUnion(finding.subject.dialogs)
        }
        if !filter.isEmpty, filter.findings.isEmpty {
            for dialog in result.dialogs where filter.includes(dialog, in: result) { chosen.insert(dialog.id) }
        }
        dialogs = chosen.count
        for id in chosen where result.dialogs.indices.contains(id) { add(result.dialogs[id], result, file) }
        // One finding may stand for several dialogs: its evidence is of the first, which may not be among the chosen.
        for finding in findings where finding.severity.accuses || !filter.isEmpty {
            guard finding.subject.dialogs.allSatisfy(chosen.contains) else { continue }
            for evidence in finding.evidence
            where evidence.place.kind == .frame && result.holder(of: evidence.place.vantage) == file {
                frames.insert(UInt64(evidence.place.number))
            }
        }
        for stream in result.streams where result.holder(of: stream.vantage) == file {
            if let dialog = stream.dialog, chosen.contains(dialog) { add(stream) }
        }
    }

    public var isEmpty: Bool { frames.isEmpty && streams.isEmpty && media.isEmpty }

    private mutating func add(_ dialog: DialogSummary, _ result: AnalysisResult, _ file: Int) {
        for index in result.recordIndices(of: dialog) {
            let record = result.records[index]
            guard result.holder(of: record.place.vantage) == file, record.place.kind == .frame else { continue }
            frames.insert(UInt64(record.place.number))
            guard let source = result.endpoint(record.source), let destination = result.endpoint(record.destination) else {
                continue
            }
            let isStream = record.marks.contains(.overStream)
            let flow = PackedFlow(
                source: PackedAddress(source.address), source.port, destination: PackedAddress(destination.address),
                destination.port,
                isStream ? .tcp : .udp)
            if isStream { streams.formUnion([flow, flow.reversed]) } else { flows.formUnion([flow, flow.reversed]) }
            ends.insert(PackedEnd(source))
            ends.insert(PackedEnd(destination))
        }
    }

    private mutating func add(_ stream: StreamSummary) {
        // RTCP goes beside it: one port up, or on the same (RFC 5761). A margin holds what began or ended a little apart.
        for step: UInt16 in [0, 1] {
            let flow = PackedFlow(
                source: PackedAddress(stream.source.address), stream.source.port &+ step,
                destination: PackedAddress(stream.destination.address), stream.destination.port &+ step, .udp)
            for one in [flow, flow.reversed] {
                let known = media[one] ?? Media(from: stream.first, to: stream.last)
                media[one] = Media(
                    from: min(known.from, stream.first - .seconds(2)), to: max(known.to, stream.last + .seconds(2)))
            }
        }
        ends.insert(PackedEnd(stream.source))
        ends.insert(PackedEnd(stream.destination))
    }

    // MARK: Asking

    func wants(_ record: PayloadRecord) -> Bool {
        if frames.contains(record.frame) { return true }
        switch record.content {
        case .rtp, .rtcp:
            guard let span = media[record.flow] else { return false }
            return record.time >= span.from && record.time <= span.to
        case .stun, .channelData:
            return ends.contains(PackedEnd(record.source, record.sourcePort))
                || ends.contains(PackedEnd(record.destination, record.destinationPort))
        case .keepalive, .empty: return flows.contains(record.flow)
        case .sip, .dtls, .hep, .other: return false
        }
    }

    func wants(_ record: ICMPRecord) -> Bool {
        if frames.contains(record.frame) { return true }
        guard let quoted = record.quoted else { return false }
        return flows.contains(quoted) || streams.contains(quoted) || media[quoted] != nil
    }
}

/// An address and a port, ready for a table.
struct PackedEnd: Hashable, Sendable {
    var address: PackedAddress
    var port: UInt16

    init(_ address: PackedAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    init(_ endpoint: Endpoint) { self.init(PackedAddress(endpoint.address), endpoint.port) }
}
