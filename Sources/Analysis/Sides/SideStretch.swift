import Base

/// On which stretch of a path something was lost, when more than two captures of it lie along that path.
enum SideStretch: Hashable {
    /// At the box, as far as all captures tell, or on what lies between the two next to it.
    case box
    /// Outside the box: a capture next to it shows what the one further out lacks, or lacks what that one shows.
    case outside
    /// Inside it, likewise.
    case inside
}

/// The captures on each side of one box.
struct SideCompanions {
    let inside: Set<Vantage>
    let outside: Set<Vantage>

    init(_ side: SideComparison, _ all: [SideComparison]) {
        inside = Set(all.filter { $0.outside == side.outside && Self.isOfOneBox($0, side) }.map(\.inside))
        outside = Set(all.filter { $0.inside == side.inside && Self.isOfOneBox($0, side) }.map(\.outside))
    }

    private static func isOfOneBox(_ a: SideComparison, _ b: SideComparison) -> Bool {
        a.translatedTo?.address == b.translatedTo?.address
    }
}

extension BothSides {
    /// Where on the way all sendings of a message were lost.
    func stretch(of lost: SideLosses.Lost, _ side: SideComparison) -> SideStretch {
        let companions = SideCompanions(side, sides)
        let ins = companions.inside.subtracting([side.inside])
        let outs = companions.outside.subtracting([side.outside])
        func lacks(_ vantage: Vantage) -> Bool { !lost.seenIn.contains(vantage) && covers(vantage, lost, side) }
        if lost.isOutbound {
            if outs.contains(where: lost.seenIn.contains) { return .outside }
            return ins.contains(where: lacks) ? .inside : .box
        }
        if ins.contains(where: lost.seenIn.contains) { return .inside }
        return outs.contains(where: lacks) ? .outside : .box
    }

    /// Whether a capture of the same path was running when a message was sent, by its own clock.
    private func covers(_ vantage: Vantage, _ lost: SideLosses.Lost, _ side: SideComparison) -> Bool {
        guard let time = lost.time, sources.indices.contains(Int(vantage.index)), let first = sources[Int(vantage.index)].first,
            let last = sources[Int(vantage.index)].last
        else { return false }
        let inner = lost.isOutbound ? time : time - side.clockOffset
        let there: Instant?
        if lost.isOutbound {
            // Another capture of the inside: by way of the outside that both share.
            there = sides.first { $0.inside == vantage && $0.outside == side.outside }.map {
                inner + side.clockOffset - $0.clockOffset
            }
        } else {
            there = sides.first { $0.inside == side.inside && $0.outside == vantage }.map { inner + $0.clockOffset }
        }
        return there.map { first <= $0 && $0 <= last } ?? false
    }

    /// Where a stream was lost, of which a capture before that place shows more than one behind it. `isWhole`: nothing to speak of is missing.
    func stretch(
        of stream: StreamSummary, isOutbound: Bool, _ side: SideComparison, isWhole: (StreamSummary?) -> Bool
    ) -> SideStretch {
        let companions = SideCompanions(side, sides)
        func seen(_ vantage: Vantage) -> StreamSummary? { streams.first { $0.vantage == vantage && $0.ssrc == stream.ssrc } }
        let (before, behind) = isOutbound ? (companions.inside, companions.outside) : (companions.outside, companions.inside)
        if behind.contains(where: { isWhole(seen($0)) }) { return isOutbound ? .outside : .inside }
        if before.contains(where: { !isWhole(seen($0)) && showsMedia($0, stream) }) { return isOutbound ? .inside : .outside }
        return .box
    }

    /// It shows media of the same call: that it lacks a stream means something.
    private func showsMedia(_ vantage: Vantage, _ stream: StreamSummary) -> Bool {
        guard let dialog = stream.dialog else { return false }
        return kin(of: dialog).contains { ofCall($0).contains { $0.vantage == vantage } }
    }

    /// A dialog as all captures show it.
    func kin(of dialog: Int) -> Set<Int> {
        var known: Set<Int> = [dialog]
        var next = [dialog]
        while let one = next.popLast(), known.count < Self.mostKin {
            for other in links[one] ?? [] where known.insert(other).inserted { next.append(other) }
        }
        return known
    }

    private static let mostKin = 64
}
