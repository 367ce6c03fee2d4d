import Base
import Capture

/// What a box writes into requests on their way and does not take out of the answers: their sender does not know these as its own
/// (RFC 3261 17.1.3, 18.1.2).
struct SideEchoes {
    /// Requests of one dialog whose answers came back with what the box wrote.
    struct Unrestored: Hashable, Sendable {
        var field: SideField
        /// What its sender wrote, and what came back in its place.
        var own: String
        var foreign: String
        var method: MessageMethod
        /// Where the request is seen, inside and outside, and where its answers are filed.
        var dialogs: Set<Int>
        var count: Int
        var request: EvidencePlace
        var answer: EvidencePlace
        var answerTime: Int64?
        var status: UInt16
        /// Sendings of the request after its answer had come.
        var repeats = 0
    }

    private struct Key: Hashable {
        var dialog: Int32
        var method: MessageMethod
        var field: SideField
    }

    static let most = 10_000

    private(set) var unrestored: [Unrestored] = []

    init(_ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)]) {
        for isOutbound in [true, false] { collect(records, pairs, isOutbound: isOutbound) }
    }

    /// `isOutbound`: requests that go from the inside to the outside; else the other way.
    private mutating func collect(
        _ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)], isOutbound: Bool
    ) {
        var sent: [SideRecord.Transaction: Int] = [:]
        var sendings: [Int: [Int64]] = [:]
        for pair in pairs {
            let (near, far) = isOutbound ? (pair.inside, pair.outside) : (pair.outside, pair.inside)
            let (a, b) = (records[near], records[far])
            guard a.isRequest, isOutbound ? a.destination == b.destination : a.source == b.source,
                a.source != b.source || !isOutbound,
                a.whole != b.whole, sent.count < Self.most
            else { continue }
            let first = sent[b.transaction] ?? near
            sent[b.transaction] = first
            if let time = a.time { sendings[first, default: []].append(time) }
        }
        guard !sent.isEmpty else { return }
        var places: [Key: Int] = [:]
        for pair in pairs where !records[pair.outside].isRequest {
            let (near, far) = isOutbound ? (pair.inside, pair.outside) : (pair.outside, pair.inside)
            guard let number = sent[records[far].transaction] else { continue }
            let (request, answer) = (records[number], records[near])
            guard answer.destination == request.source, let change = Self.difference(request, answer) else { continue }
            let dialogs = [request.dialog, answer.dialog, records[far].dialog].filter { $0 >= 0 }.map(Int.init)
            let key = Key(dialog: request.dialog, method: request.method, field: change.field)
            if let at = places[key] {
                unrestored[at].count += 1
                unrestored[at].dialogs.formUnion(dialogs)
            } else if unrestored.count < Self.most {
                places[key] = unrestored.count
                unrestored.append(
                    Unrestored(
                        field: change.field, own: change.own, foreign: change.foreign,
                        method: request.method, dialogs: Set(dialogs),
                        count: 1, request: request.place, answer: answer.place, answerTime: answer.time,
                        status: answer.status,
                        repeats: answer.time.map { came in (sendings[number] ?? []).filter { $0 > came }.count } ?? 0))
            }
        }
    }

    /// The first of what an answer must repeat and does not.
    private static func difference(
        _ request: SideRecord, _ answer: SideRecord
    ) -> (field: SideField, own: String, foreign: String)? {
        guard !request.bytes.isEmpty, !answer.bytes.isEmpty else { return nil }
        let (own, echoed) = (SideFields(request.bytes).items, SideFields(answer.bytes).items)
        let (vias, left) = (own.filter { $0.field == .via }, echoed.filter { $0.field == .via })
        if vias.count > left.count, !left.isEmpty, let gone = vias.last { return (.via, gone.value, "") }
        for field in [SideField.via, .viaBranch, .callID, .cseq] {
            guard let mine = own.first(where: { $0.field == field }), let other = echoed.first(where: { $0.field == field }),
                mine.value != other.value
            else { continue }
            // A port that need not be written, letters' case and spaces are the same sent-by.
            if field == .via {
                guard mine.host.kind == .address, other.host.kind == .address,
                    mine.host.address != other.host.address || mine.host.portOrDefault != other.host.portOrDefault
                else { continue }
            }
            return (field, mine.value, other.value)
        }
        guard request.features[.fromTag] != answer.features[.fromTag], request.features[.fromTag] != 0,
            let mine = own.first(where: { $0.field == .from }), let other = echoed.first(where: { $0.field == .from })
        else { return nil }
        return (.from, mine.value, other.value)
    }
}
