import Base
import Capture

/// Connectivity checks of ICE (RFC 8445 7): STUN Binding requests with a user name, and whether one is answered.
struct ConnectivityChecks: Sendable {
    struct Check: Sendable {
        var record: PayloadRecord
        var count = 1
        var last: Int64
        var isAnswered = false
        /// It has a user name, as ICE wants it.
        var isNamed: Bool
    }

    static let most = 4_096

    private(set) var flows: [MediaFlow: Check] = [:]
    var isEmpty: Bool { flows.isEmpty }

    mutating func read(_ p: UnsafeRawBufferPointer, _ record: PayloadRecord, file: UInt16) {
        guard p.count >= 20 else { return }
        let flow = MediaFlow(
            file: file, source: MediaPlace(record.source, record.sourcePort),
            destination: MediaPlace(record.destination, record.destinationPort))
        switch UInt16(p[0]) << 8 | UInt16(p[1]) {
        case 0x0101, 0x0111: flows[flow.reversed]?.isAnswered = true
        case 0x0001:
            if flows[flow] != nil {
                flows[flow]?.count += 1
                flows[flow]?.last = record.time.nanoseconds
            } else if case let isNamed = Self.hasUserName(p), flows.count < (isNamed ? Self.most : Self.most / 2) {
                // What only looks up its address leaves room for checks.
                flows[flow] = Check(record: record, last: record.time.nanoseconds, isNamed: isNamed)
            }
        default: break
        }
    }

    private static func hasUserName(_ p: UnsafeRawBufferPointer) -> Bool {
        var at = 20
        while at + 4 <= p.count {
            if p[at] == 0, p[at + 1] == 6 { return true }
            at += 4 + (Int(p[at + 2]) << 8 | Int(p[at + 3]) + 3) & ~3
        }
        return false
    }
}

extension MediaJudge {
    /// Checks between the places a call names, none of which was answered.
    struct FailedChecks {
        var first: ConnectivityChecks.Check
        var count: Int
    }

    func failedChecks(_ number: Int) -> FailedChecks? {
        guard !media.checks.isEmpty else { return nil }
        let call = media.calls[number]
        guard !call.candidates.isEmpty else { return nil }
        var named = Set(call.candidates.map { MediaPlace($0.address, $0.port) })
        for event in call.events where event.port > 0 { named.insert(event.goal) }
        var result: FailedChecks?
        for (flow, check) in media.checks.flows
        where flow.file == call.file
            && (check.isNamed
                ? named.contains(flow.source) || named.contains(flow.destination)
                : named.contains(flow.source) && named.contains(flow.destination))
            && check.last >= call.began
            && (call.ended == CallMedia.unknown || check.record.time.nanoseconds <= call.ended)
        {
            if check.isAnswered { return nil }
            let first = result.map { $0.first.record.frame < check.record.frame ? $0.first : check } ?? check
            result = FailedChecks(first: first, count: (result?.count ?? 0) + check.count)
        }
        return result.flatMap { $0.count >= 5 ? $0 : nil }
    }

    func unanswered(_ checks: FailedChecks, _ call: CallMedia, _ ends: Culprit) -> SilenceCause {
        let record = checks.first.record
        let from = Endpoint(record.source.address, record.sourcePort)
        let to = Endpoint(record.destination.address, record.destinationPort)
        return SilenceCause(
            sentence:
                "None of \(counted(checks.count, "connectivity check")) (ICE), the first from \(from) to \(to), was answered: no way for the audio "
                + "was found, so none was sent.",
            culprit: ends,
            evidence: [
                Evidence(
                    place: .frame(file: Int(call.file), number: Int(clamping: record.frame)), time: record.time, source: from,
                    destination: to, excerpt: "STUN Binding request with a user name (ICE check)", says: "never answered")
            ],
            remedies: [
                Remedy(
                    .server,
                    "Give both ends a TURN server: it carries the audio where no direct way passes (as between symmetric NATs)."),
                Remedy(.network, "Let UDP to and from the candidates' ports pass the firewall."),
            ])
    }
}
