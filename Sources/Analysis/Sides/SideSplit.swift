import Capture

/// Which of one source's packets were seen on which side of a router that translates addresses.
///
/// `tcpdump -i any` on a router, or two captures merged, show each message twice; told apart they can be compared as two files are.
public struct SideSplit: Hashable, Sendable {
    /// The phones' addresses, and the /24 networks (IPv6: /64) around them that hold no address of the outside.
    var inside: Set<PackedAddress>
    var networks: Set<PackedAddress>
    /// What the router translates to.
    public internal(set) var outside: [PackedAddress]

    init(_ translations: [(inside: PackedAddress, outside: PackedAddress)]) {
        inside = Set(translations.map(\.inside))
        outside = Set(translations.map(\.outside)).sorted { ($0.high, $0.low) < ($1.high, $1.low) }
        networks = Set(inside.map(Self.network)).subtracting(outside.map(Self.network))
    }

    func isInside(_ source: PackedAddress, _ destination: PackedAddress) -> Bool { isInside(source) || isInside(destination) }

    private func isInside(_ address: PackedAddress) -> Bool {
        inside.contains(address) || networks.contains(Self.network(address))
    }

    private static func network(_ address: PackedAddress) -> PackedAddress {
        address.isIPv4
            ? PackedAddress(v4: UInt32(truncatingIfNeeded: address.low) & 0xffff_ff00) : PackedAddress(high: address.high, low: 0)
    }
}

/// Notices messages that one source shows twice with one end's address translated between.
///
/// What looks like it and is none: a proxy and a B2BUA change both ends; a forking proxy sends to several ends, each with a branch of its own;
/// a phone that moved sends again, later, from elsewhere, and is answered there alone.
struct TranslationScout: Sendable {
    private struct Sighting: Sendable {
        var key: UInt64 = 0
        var branch: UInt64 = 0
        var toTag: UInt32 = 0
        var source: UInt32 = 0
        var destination: UInt32 = 0
        var time: Int64 = 0
        var viaCount: UInt8 = 0
        var isRequest = false
    }

    private struct Pair: Hashable, Sendable {
        var inside: PackedAddress
        var outside: PackedAddress
    }

    private struct Votes: Sendable {
        var outbound = 0
        var inbound = 0
        /// Of both, those in which the second came at once, as from a router that is being watched.
        var quick = 0
    }

    /// Longest that a router holds a message, nanoseconds; a request is not sent again before 500 ms (RFC 3261 17.1).
    static let atOnce: Int64 = 200_000_000
    /// Longest between the clocks of merged captures.
    static let apart: Int64 = 60_000_000_000
    static let mostSightings = 1 << 12
    static let mostPairs = 64

    private var sightings: [Sighting] = []
    private var votes: [Pair: Votes] = [:]

    mutating func message(_ step: Step, _ endpoints: EndpointTable) {
        guard step.fromTag != 0, step.nanoseconds != MessageRecord.unknownTime else { return }
        let kind = UInt64(step.record.status) << 8 | UInt64(step.method.rawValue)
        // Each CSeq for itself: a request and its next try may leave by two lines. 0 is an empty place.
        let key = max(1, (UInt64(step.fromTag) << 32 | UInt64(step.record.sequence)) ^ kind &* 0x9e37_79b9_7f4a_7c15)
        if sightings.isEmpty { sightings = Array(repeating: Sighting(), count: Self.mostSightings) }
        let place = Int(truncatingIfNeeded: (key ^ key >> 29) &* 0xff51_afd7_ed55_8ccd >> 48) & (Self.mostSightings - 1)
        let seen = Sighting(
            key: key, branch: step.branch, toTag: UInt32(truncatingIfNeeded: step.toTag), source: step.record.source,
            destination: step.record.destination,
            time: step.nanoseconds, viaCount: step.viaCount, isRequest: step.isRequest)
        if sightings[place].key == key { compare(sightings[place], seen, endpoints) }
        sightings[place] = seen
    }

    private mutating func compare(_ first: Sighting, _ second: Sighting, _ endpoints: EndpointTable) {
        guard let lapse = elapsed(first.time, second.time), lapse >= 0, lapse <= Self.apart,
            (first.source == second.source) != (first.destination == second.destination)
        else { return }
        let isOutbound = first.destination == second.destination
        // What went to another place is another branch of a fork, unless it is the same transaction.
        if !isOutbound || !second.isRequest, first.branch != second.branch || first.viaCount != second.viaCount { return }
        if first.toTag != second.toTag { return }
        let a = endpoints[isOutbound ? first.source : first.destination].address
        let b = endpoints[isOutbound ? second.source : second.destination].address
        guard a != b, !a.isUnknown, !b.isUnknown, a.isIPv4 == b.isIPv4 else { return }
        let isFirstInside = a.isPrivateNetwork != b.isPrivateNetwork ? a.isPrivateNetwork : isOutbound
        let pair = Pair(inside: isFirstInside ? a : b, outside: isFirstInside ? b : a)
        guard votes.count < Self.mostPairs || votes[pair] != nil else { return }
        votes[pair, default: Votes()].outbound += isOutbound ? 1 : 0
        votes[pair, default: Votes()].inbound += isOutbound ? 0 : 1
        votes[pair, default: Votes()].quick += lapse <= Self.atOnce ? 1 : 0
    }

    /// How the source is split; nil where it shows one side.
    var split: SideSplit? {
        let sure = votes.filter { pair, votes in
            (votes.outbound > 0 && votes.inbound > 0) || votes.quick > 1
                || (votes.quick > 0 && pair.inside.isPrivateNetwork && !pair.outside.isPrivateNetwork)
        }
        // Behind two routers in a row the innermost phone is inside, and all that the others translate to is outside.
        let outside = Set(sure.keys.map(\.outside))
        let translations = sure.keys.filter { !outside.contains($0.inside) }
        return translations.isEmpty ? nil : SideSplit(translations.map { ($0.inside, $0.outside) })
    }
}
