import Base
import Capture

/// Messages that one side of a box sent towards the other, and that never appeared there: what the box, or the stretch at it, drops.
struct SideLosses {
    /// All sendings of one message.
    struct Lost: Hashable, Sendable {
        /// From the inside to the outside.
        var isOutbound: Bool
        var method: MessageMethod
        /// 0 for a request.
        var status: UInt16
        /// On the side where it was seen.
        var dialog: Int
        var count: Int
        /// Of the first sending.
        var place: EvidencePlace
        var time: Instant?
        var source: Endpoint
        var destination: Endpoint
        var firstLine: String
        /// By what it is known in other captures, and those that show it.
        var keys: Set<UInt64> = []
        var seenIn: Set<Vantage> = []
    }

    /// Who wears what outside, and with whom they speak.
    struct Worn: Hashable, Sendable {
        var inside: Set<MediaPlace> = []
        var outside: Set<MediaPlace> = []
        var peers: Set<PackedAddress> = []
        /// Messages were seen to cross that way.
        var crossesOut = false
        var crossesIn = false
        /// A tap that shows several phones' packets leave shows every phone's.
        var isOfSeveral = false
    }

    /// Sent once may be lost once.
    static let fewest = 2
    static let most = 10_000

    private(set) var lost: [Lost] = []
    private(set) var worn = Worn()

    /// `inside`, `outside`: indices into `records`; `paired`: those seen on both sides; `covers`: whether both were captured at the time of one.
    init(
        _ records: ContiguousArray<SideRecord>, _ pairs: [(inside: Int, outside: Int)], _ inside: [Int], _ outside: [Int],
        covers: (Int) -> Bool
    ) {
        for pair in pairs {
            let (a, b) = (records[pair.inside], records[pair.outside])
            // What both ends of are changed was sent to the box itself.
            guard (a.source == b.source) != (a.destination == b.destination) else { continue }
            let isOutbound = a.destination == b.destination
            worn.inside.insert(isOutbound ? a.source : a.destination)
            worn.outside.insert(isOutbound ? b.source : b.destination)
            worn.peers.insert((isOutbound ? a.destination : a.source).address)
            if isOutbound { worn.crossesOut = true } else { worn.crossesIn = true }
        }
        guard !worn.inside.isEmpty else { return }
        worn.isOfSeveral = Set(worn.inside.map(\.address)).count > 1
        let paired = Set(pairs.flatMap { [$0.inside, $0.outside] })
        for (isOutbound, here, there) in [(true, inside, outside), (false, outside, inside)] {
            collect(records, here.filter { !paired.contains($0) && covers($0) }, there, isOutbound: isOutbound)
        }
    }

    private struct Message: Hashable {
        var dialog: Int32
        var kind: UInt32
        var sequence: UInt32
        var branch: UInt64
    }

    private mutating func collect(
        _ records: ContiguousArray<SideRecord>, _ alone: [Int], _ there: [Int], isOutbound: Bool
    ) {
        let alone = alone.filter { goesAcross(records[$0], isOutbound: isOutbound) }
        guard !alone.isEmpty else { return }
        // One sending that came through is enough.
        var arrived = Set<UInt64>()
        for number in there { SidePairing.forEachKey(records[number]) { arrived.insert($0) } }
        var found: [Message: Lost] = [:]
        var order: [Message] = []
        for number in alone {
            let record = records[number]
            var isThere = false
            SidePairing.forEachKey(record) { if arrived.contains($0) { isThere = true } }
            guard !isThere else { continue }
            // Each ACK to a repeated 200 has a branch of its own, or the same.
            let message = Message(
                dialog: record.dialog, kind: record.kind, sequence: record.sequence,
                branch: record.method == .ack ? 0 : record.features[.branch])
            if found[message] != nil {
                found[message]?.count += 1
                SidePairing.forEachKey(record) { found[message]?.keys.insert($0) }
            } else if found.count < Self.most {
                order.append(message)
                found[message] = Lost(
                    isOutbound: isOutbound, method: record.method, status: record.status, dialog: Int(record.dialog), count: 1,
                    place: record.place, time: record.time.map { Instant(nanoseconds: $0) },
                    source: Endpoint(record.source.address.address, record.source.port),
                    destination: Endpoint(record.destination.address.address, record.destination.port),
                    firstLine: MessageExcerpt.firstLine(record.bytes))
                SidePairing.forEachKey(record) { found[message]?.keys.insert($0) }
            }
        }
        lost += order.compactMap { found[$0] }.filter { $0.count >= Self.fewest && $0.dialog >= 0 }
    }

    /// It was under way to the other side, by the way that others went: a tap at one phone does not see what goes to the next.
    private func goesAcross(_ record: SideRecord, isOutbound: Bool) -> Bool {
        isOutbound
            ? (worn.inside.contains(record.source) || record.source.address.isPrivateNetwork && worn.isOfSeveral)
                && worn.peers.contains(record.destination.address)
            : worn.outside.contains(record.destination) && !worn.outside.contains { $0.address == record.source.address }
    }
}
