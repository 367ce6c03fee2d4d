/// Who is heard, loudest first, and steady enough to be shown.
///
/// A party enters when it has spoken for 100 ms, leaves when it is quiet, and overtakes another only when 3 dB louder.
struct SpeakerList: Sendable {
    /// Ticks between two looks.
    static let interval = 10
    /// How many are named.
    static let most = 8

    struct Candidate: Sendable {
        var slot: Int
        var loudness: Int
        var activeTicks: Int
    }

    /// Slots.
    private(set) var speakers: [Int] = []

    /// `active`: who speaks now. True: the list is another.
    mutating func update(_ active: [Candidate]) -> Bool {
        var loudness: [Int: Int] = [:]
        for candidate in active { loudness[candidate.slot] = candidate.loudness }
        var next = speakers.filter { loudness[$0] != nil }
        let known = Set(next)
        next += active.filter { $0.activeTicks >= 5 && !known.contains($0.slot) }.map(\.slot)
            .sorted { (loudness[$0]!, $1) > (loudness[$1]!, $0) }
        // Each newcomer and each one grown louder climbs as far as he is clearly louder than who stands before him.
        for start in next.indices.dropFirst() {
            var place = start
            while place > 0, isClearlyLouder(loudness[next[place]]!, loudness[next[place - 1]]!) {
                next.swapAt(place, place - 1)
                place -= 1
            }
        }
        if next.count > Self.most { next.removeLast(next.count - Self.most) }
        guard next != speakers else { return false }
        speakers = next
        return true
    }

    private func isClearlyLouder(_ a: Int, _ b: Int) -> Bool { a * 10 > b * 14 }
}
