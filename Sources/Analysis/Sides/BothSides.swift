import Base
import Capture

/// What the two sides of a router tell together: one cause, and what followed from it below it.
struct BothSides {
    /// Fewer packets are no stream.
    static let fewest = 10

    /// In the order given, without those that others explain.
    var findings: [Finding] { all.indices.filter { !gone.contains($0) }.map { all[$0] } }

    var all: [Finding]
    /// Indices of what hangs below another.
    var gone: Set<Int> = []
    /// Accusing ones by the dialogs they are about.
    var ofDialog: [Int: [Int]] = [:]
    /// Those that tell already what a box drops.
    var told: Set<Int> = []
    let streams: [StreamSummary]
    /// Indices of streams by dialog, and what each source shows.
    let streamsOf: [Int: [Int]]
    let bySSRC: [UInt32: [Int]]
    let shown: [Vantage: Set<UInt32>]
    let sources: [SourceSummary]
    /// The nearest captures first.
    let sides: [SideComparison]
    /// The same dialog on other sides.
    let links: [Int: [Int]]
    /// Of captures that are proved to lack packets, as what lies further on has them: what share more they may lack by the same chance.
    var lossy: [Vantage: Double] = [:]
    /// Those of them that lack packets of both directions of one talk.
    var lackingBothWays: [Vantage: Double] = [:]

    init(
        _ findings: [Finding], _ sides: [SideComparison], _ streams: [StreamSummary], _ sources: [SourceSummary],
        _ table: SignallingTable
    ) {
        all = findings
        self.streams = streams
        var streamsOf: [Int: [Int]] = [:]
        var shown: [Vantage: Set<UInt32>] = [:]
        var bySSRC: [UInt32: [Int]] = [:]
        for (index, stream) in streams.enumerated() {
            shown[stream.vantage, default: []].insert(stream.ssrc)
            if bySSRC[stream.ssrc, default: []].count < MediaJudge.mostAlike { bySSRC[stream.ssrc, default: []].append(index) }
            if let dialog = stream.dialog { streamsOf[dialog, default: []].append(index) }
        }
        (self.streamsOf, self.bySSRC, self.shown) = (streamsOf, bySSRC, shown)
        self.sources = sources
        let sides = sides.enumerated().sorted {
            ($0.element.roundTrip ?? .seconds(60), $0.offset) < ($1.element.roundTrip ?? .seconds(60), $1.offset)
        }.map(\.element)
        self.sides = sides
        var links: [Int: [Int]] = [:]
        for pair in sides.flatMap(\.dialogs) {
            links[pair.inside, default: []].append(pair.outside)
            links[pair.outside, default: []].append(pair.inside)
        }
        self.links = links
        for (index, finding) in findings.enumerated() where finding.severity.accuses {
            for dialog in finding.subject.dialogs { ofDialog[dialog, default: []].append(index) }
        }
        for side in sides { noteLossy(side) }
        noteLossyBothWays()
        publicAudio()
        for side in sides {
            fragments(by: side)
            answered(by: side, table)
            if side.box == .helper {
                unknown(by: side, table)
                broken(by: side, table)
                confirmed(by: side, table)
                struck(by: side, table)
                silenced(by: side, table)
                misdirected(by: side, table)
            }
            dropped(by: side, table)
        }
        for side in sides {
            mediaDropped(by: side, table)
            loses(side)
            delays(side)
            halted(at: side, table)
        }
        for side in sides { relaysNothing(side, table) }
        acquitLossy()
        lostBetween()
        for side in sides { passed(by: side) }
        for side in sides {
            for pair in side.dialogs {
                privateMedia(pair)
                joinMedia(pair)
                jump(pair, side)
            }
        }
    }

    // MARK: Causes

    /// A helper wrote another place for audio into a description, audio came to that place, and did not get through.
    private mutating func silenced(by side: SideComparison, _ table: SignallingTable) {
        var isTold = false
        for rewrite in side.mediaRewrites {
            let victims = media(of: rewrite.dialogs)
            guard !victims.isEmpty, let helper = find(.algRewritten, rewrite.dialogs.inside), let stray = lost(rewrite, side)
            else { continue }
            if !isTold {
                isTold = true
                let dialog = table.dialogs[rewrite.dialogs.inside]
                let name = String(decoding: rewrite.isOfCaller ? dialog.from : dialog.to, as: UTF8.self)
                all[helper].severity = .fault
                all[helper].summary =
                    "\(name) hears nothing: the router wrote \(stray.destination) into the session description as the place for the "
                    + "audio, and lets nothing through that comes there. " + all[helper].summary
                all[helper].evidence.append(
                    Evidence(
                        place: stray.firstPlace, time: stray.first, source: stray.source, destination: stray.destination,
                        excerpt: "RTP, \(counted(stray.packets, "packet"))",
                        says: "sent to where the helper pointed, and not passed on"))
            }
            absorb(victims, into: helper)
        }
    }

    /// A stream of that very call to where a helper pointed, which the other side of the box never shows.
    private func lost(_ rewrite: SideComparison.MediaRewrite, _ side: SideComparison) -> StreamSummary? {
        let before = rewrite.isOutbound ? side.inside : side.outside
        let dialog = rewrite.isOutbound ? rewrite.dialogs.outside : rewrite.dialogs.inside
        return ofCall(dialog).first { stream in
            stream.packets >= Self.fewest && PackedAddress(stream.destination.address) == rewrite.address
                && rewrite.ports.contains(stream.destination.port)
                && !(shown[before]?.contains(stream.ssrc) ?? false)
        }
    }

    /// A private place for audio that nobody put right explains the silence that the other side shows.
    private mutating func privateMedia(_ pair: SideComparison.DialogPair) {
        if let cause = find(.natPrivateSDP, pair.outside) { absorb(media(of: pair), into: cause) }
    }

    /// The same silence seen from both sides is told once, by whoever is surer.
    private mutating func joinMedia(_ pair: SideComparison.DialogPair) {
        let both = media(of: pair)
        guard both.count > 1, let best = both.min(by: { all[$0].confidence < all[$1].confidence }) else { return }
        absorb(both, into: best)
    }

    /// A port that changes before the router is the phone's; one that changes behind it alone is the router's.
    private mutating func jump(_ pair: SideComparison.DialogPair, _ side: SideComparison) {
        guard let outer = find(.natPortJump, pair.outside) else { return }
        if let inner = find(.natPortJump, pair.inside) {
            absorb([outer], into: inner)
        } else if let place = side.translatedTo {
            all[outer].culprit = .proved("the router with the outside address \(place.address)")
            all[outer].confidence = .proved
            all[outer].details.append("Inside the phone kept its port: the router changed it.")
        }
    }

    // MARK: Findings

    func find(_ name: FindingName, _ dialog: Int) -> Int? {
        ofDialog[dialog]?.first { all[$0].name == name && !gone.contains($0) }
    }

    func media(of pair: SideComparison.DialogPair) -> [Int] {
        let found = kin(of: pair.inside).flatMap { ofDialog[$0] ?? [] }.filter { index in
            !gone.contains(index) && (all[index].name == .mediaOneWay || all[index].name == .mediaNone)
        }
        return Array(Set(found)).sorted()
    }

    /// Hangs findings below the one that is their cause.
    mutating func absorb(_ victims: [Int], into cause: Int) {
        for victim in victims where victim != cause && gone.insert(victim).inserted {
            let known = Set(all[cause].subject.dialogs)
            all[cause].details.append("What follows from it: \(all[victim].summary)")
            all[cause].subject.dialogs += all[victim].subject.dialogs.filter { !known.contains($0) }
        }
    }
}
