import Base
import Capture

/// A request to which one server stayed silent.
struct Attempt: Sendable {
    /// Within which time the same server may take the next one; nil: another server alone counts.
    var sameWithin: Int64?
    var dialog: Int
    var client: PackedAddress
    var server: PackedEndpoint
    /// First and last sent.
    var first: Int64
    var last: Int64
}

/// Calls by who makes them and to whom, to find the second attempt at the same one.
struct CallIndex: Sendable {
    private struct Key: Hashable {
        var client: PackedAddress
        var names: UInt64
    }

    private var calls: [Key: [Int]] = [:]

    init(_ table: borrowing SignallingTable) {
        for (number, dialog) in table.dialogs.enumerated() where dialog.kind == .call && dialog.progress.contains(.answered) {
            guard let leg = dialog.legs.first else { continue }
            calls[Key(client: leg.client.address, names: Self.names(dialog)), default: []].append(number)
        }
    }

    /// User parts alone: domains differ from trunk to trunk.
    private static func names(_ dialog: DialogState) -> UInt64 {
        func user(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> { text.prefix { $0 != UInt8(ascii: "@") } }
        let both = Array(user(dialog.from)) + [0] + user(dialog.to)
        return both.withUnsafeBytes { $0.hash(Span(0, $0.count)) }
    }

    /// Which server answered the same call, begun while the first attempt waited or just after.
    func taker(of attempt: Attempt, _ table: SignallingTable) -> (server: PackedEndpoint, began: Int64)? {
        for number in calls[Key(client: attempt.client, names: Self.names(table.dialogs[attempt.dialog]))] ?? [] {
            let other = table.dialogs[number]
            guard let leg = other.legs.first, number != attempt.dialog,
                leg.server != attempt.server || attempt.sameWithin.map({ other.began - attempt.last < $0 }) ?? false,
                other.began >= attempt.first,
                other.began <= attempt.last + Judge.longestFailover
            else { continue }
            return (leg.server, other.began)
        }
        return nil
    }
}

extension Judge {
    /// From the last try at one server to the first at the next: longer is a person who dials again.
    static let longestFailover: Int64 = 10 * second
    /// Longer than this without a registrar is an outage, also where it ended.
    static let longestOutage: Int64 = 120 * second

    /// What the silence of a server comes to depends on what came after: another server that took the call, or the same that took the
    /// next registration. Nil where nothing can: then it stands as it is.
    func recovery(_ index: Int, _ last: Step, _ c: DialogCase, _ table: SignallingTable) -> Draft.Condition? {
        let step = c.steps[index]
        guard last.nanoseconds != MessageRecord.unknownTime else { return nil }
        switch step.method {
        case .invite where c.steps[index].toTag == 0:
            return .noFailover(
                Attempt(
                    dialog: c.number, client: table.endpoints[step.record.source].address,
                    server: table.endpoints[step.record.destination], first: step.nanoseconds, last: last.nanoseconds))
        case .register:
            let success = c.steps.first {
                !$0.isRequest && $0.method == .register && $0.status == 200 && (c.gap(last, $0) ?? 0) > 0
            }
            let wait = success.flatMap { c.gap(last, $0) }
            if let wait, wait > Self.longestOutage { return nil }
            return .notRegisteredAgain(dialog: c.number, after: last.nanoseconds, wait: wait)
        default: return nil
        }
    }

    /// Another registrar that took the account from the same phone, right after one was silent (RFC 3263 4.3).
    func standIn(for finding: Finding, _ state: DialogState, after: Int64) -> PackedEndpoint? {
        // Who waits for half a minute each time has a server too many in its list.
        guard let client = finding.subject.client?.address, let silent = finding.subject.server?.address,
            let first = finding.evidence.first?.time?.nanoseconds, elapsed(first, after) ?? .max < Self.longestFailover
        else { return nil }
        return accounts[hash(state.to) ^ UInt64(state.vantage.index) << 48]?.grants.first { grant in
            grant.granted > 0 && grant.client.address.address == client && grant.registrar.address.address != silent
                && grant.time >= after && elapsed(after, grant.time) ?? .max < Self.longestFailover
        }?.registrar
    }

    /// A proxy or phone that tries the next server within the same dialog (RFC 3263 4.3).
    func isTakenInDialog(_ index: Int, _ c: DialogCase, _ table: SignallingTable) -> PackedEndpoint? {
        let step = c.steps[index]
        guard step.method == .invite, step.toTag == 0 else { return nil }
        for (other, request) in c.steps.enumerated()
        where other > index && request.isRequest && request.method == .invite && request.toTag == 0
            && request.branch != step.branch && request.record.destination != step.record.destination
            && table.endpoints[request.record.source].address == table.endpoints[step.record.source].address
        {
            if let answer = c.response(to: request, from: other), c.steps[answer].status < 300 {
                return table.endpoints[request.record.destination]
            }
        }
        return nil
    }

    /// Said of a silent server that another stood in for.
    static func takenBy(_ server: PackedEndpoint) -> String {
        " \(name(server)) took the call in its place: only the wait was lost, as long as that one is there."
    }

    static func takenBy(_ taker: (server: PackedEndpoint, began: Int64), after attempt: Attempt) -> String {
        taker.server == attempt.server
            ? " It took the same call \(spoken(max(0, taker.began - attempt.last))) later." : takenBy(taker.server)
    }

    /// Two private addresses as the phone itself names them.
    static func hasMoved(_ a: HostPort, _ b: HostPort) -> Bool {
        a.kind == .address && b.kind == .address && a.address != b.address && a.address.isPrivateNetwork
            && b.address.isPrivateNetwork
    }
}
