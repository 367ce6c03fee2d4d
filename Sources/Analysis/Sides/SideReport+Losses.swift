import Base
import Capture

extension SideReport {
    /// The time that both captures cover, by the second's clock: from the first to the last packet of either, or message where nothing
    /// else is known.
    static func covered(
        _ records: ContiguousArray<SideRecord>, _ pairing: SidePairing, _ first: [Int], _ second: [Int],
        _ spans: (first: ClosedRange<Int64>?, second: ClosedRange<Int64>?) = (nil, nil)
    ) -> ClosedRange<Int64>? {
        let firstTimes =
            first.compactMap { records[$0].time.map(pairing.aligned) }
            + (spans.first.map { [pairing.aligned($0.lowerBound), pairing.aligned($0.upperBound)] } ?? [])
        let secondTimes =
            second.compactMap { records[$0].time } + (spans.second.map { [$0.lowerBound, $0.upperBound] } ?? [])
        guard let a = firstTimes.min(), let b = firstTimes.max(), let c = secondTimes.min(), let d = secondTimes.max() else {
            return nil
        }
        return max(a, c)...max(max(a, c), min(b, d))
    }

    /// Where requests were to go, if the box put a place in it that is not the one the packet wears.
    static func contactRewrite(
        _ difference: SideDifference, _ inside: SideRecord, _ outside: SideRecord
    ) -> SideComparison.ContactRewrite? {
        guard difference.path.isOutbound, inside.dialog >= 0, outside.dialog >= 0,
            difference.changes.contains(where: { $0.field == .contact }),
            let contact = difference.after.items.first(where: { $0.field == .contact })?.host, contact.kind == .address
        else { return nil }
        let written = MediaPlace(contact.address, contact.portOrDefault)
        guard written != outside.source else { return nil }
        return SideComparison.ContactRewrite(
            dialogs: SideComparison.DialogPair(inside: Int(inside.dialog), outside: Int(outside.dialog)), written: written,
            place: outside.place)
    }

    /// Requests with one end translated.
    static func arrivals(
        _ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)]
    ) -> [EvidencePlace: SideComparison.Arrival] {
        var result: [EvidencePlace: SideComparison.Arrival] = [:]
        for pair in pairs where records[pair.inside].isRequest && result.count < mostCompared {
            let (a, b) = (records[pair.inside], records[pair.outside])
            guard (a.source == b.source) != (a.destination == b.destination) else { continue }
            let isOutbound = a.destination == b.destination
            let there = isOutbound ? b : a
            let arrival = SideComparison.Arrival(
                isOutbound: isOutbound, source: Endpoint(there.source.address.address, there.source.port),
                destination: Endpoint(there.destination.address.address, there.destination.port))
            (result[a.place], result[b.place]) = (arrival, arrival)
        }
        return result
    }

    /// Whether an answer to what came from inside is seen outside sooner than a path to the server and back takes.
    static func answersAtOnce(_ records: ContiguousArray<SideRecord>, _ outside: [Int], _ worn: SideLosses.Worn) -> Bool {
        var asked: [SideRecord.Transaction: Int64] = [:]
        for number in outside {
            let record = records[number]
            guard let time = record.time else { continue }
            if record.isRequest {
                if worn.outside.contains(record.source), asked[record.transaction] == nil { asked[record.transaction] = time }
            } else if worn.outside.contains(record.destination), let then = asked[record.transaction], time >= then,
                .nanoseconds(time &- then) < Dropper.prompt
            {
                return true
            }
        }
        return false
    }

    /// The quickest out and the quickest in together: the clocks' offset is in neither.
    static func roundTrip(
        _ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)], _ worn: SideLosses.Worn
    ) -> Duration? {
        var out: Int64?
        var back: Int64?
        for pair in pairs {
            let (a, b) = (records[pair.inside], records[pair.outside])
            guard let inside = a.time, let outside = b.time else { continue }
            if worn.inside.contains(a.source) {
                out = min(out ?? .max, outside &- inside)
            } else if worn.inside.contains(a.destination) {
                back = min(back ?? .max, inside &- outside)
            }
        }
        guard let out, let back else { return nil }
        return .nanoseconds(max(0, out &+ back))
    }
}
