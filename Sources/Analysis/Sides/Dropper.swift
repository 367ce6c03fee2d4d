import Base

/// Who drops what was seen before the box and not behind it.
struct Dropper {
    /// Longer from one capture to the other and back: there is more between them than the router.
    static let near = Duration.milliseconds(10)
    /// A server that is asked at the place of the capture answers as soon as that.
    static let prompt = Duration.milliseconds(5)
    /// Two captures of one machine share a clock.
    static let sameClock = Duration.milliseconds(2)

    let name: String
    let culprit: Culprit
    let confidence: Confidence
    /// What the reader must know of the place of the captures; nil where they are one.
    let caveat: String?
    /// Nil: the box alone. Otherwise what continues "gets lost": where.
    let stretch: String?

    init(
        _ side: SideComparison, _ address: IPAddress?, _ sources: [SourceSummary], lacking: Vantage, isLossy: Bool = false,
        stretch: SideStretch = .box, peer: String? = nil, phone: String? = nil
    ) {
        let name = address.map { "the router with the outside address \($0)" } ?? "the router between the two captures"
        self.name = name
        let places = [side.inside, side.outside].map { vantage -> Int in
            let index = Int(vantage.index)
            return sources.indices.contains(index) ? sources[index].holder ?? index : index
        }
        let doubtful = isLossy || Self.drops(sources, lacking)
        switch stretch {
        case .outside:
            let end = peer ?? "the place of the outer capture"
            self.stretch = "on the path between \(name) and \(end), outside the router"
            culprit = .between(name, end)
            confidence = .likely
            caveat = "A further capture of the same path shows that it was not lost at the router."
            return
        case .inside:
            let end = phone ?? "the place of the inner capture"
            self.stretch = "inside, between \(end) and the router"
            culprit = .between(end, name)
            confidence = .likely
            caveat = "A further capture of the same path shows that it was not lost at the router."
            return
        case .box: break
        }
        let isSlow =
            side.roundTrip.map { $0 > Self.near }
            ?? (side.isOuterAtServer && (side.clockOffset > Self.sameClock || side.clockOffset < .zero - Self.sameClock))
        let isFar = places[0] != places[1] && isSlow
        culprit = isFar ? .between(name, "the place of the outer capture") : .proved(name)
        confidence = isFar || doubtful ? .likely : .proved
        self.stretch = isFar ? "between the two captures, at \(name) or on the path behind it" : nil
        if places[0] == places[1] {
            caveat = nil
        } else if isFar {
            caveat =
                side.roundTrip.map {
                    "From one capture to the other and back it takes \($0.wholeMilliseconds) ms: a path lies between them as well as the router."
                }
                ?? "The outer capture was taken near the server, as its prompt answers tell: a path lies between them as well as the router."
        } else {
            caveat =
                side.roundTrip == nil
                ? "If the outer capture was not taken at the router, the path to it is in question too." : nil
        }
    }

    /// It may still be the router.
    var isRouterPossible: Bool { stretch == nil || culprit == .between(name, "the place of the outer capture") }

    /// The capturing program of that side lost packets.
    static func drops(_ sources: [SourceSummary], _ vantage: Vantage) -> Bool {
        let index = Int(vantage.index)
        return sources.indices.contains(index) && sources[index].blindness.contains { $0.kind == .drops }
    }
}

extension Finding {
    /// Lays it at whoever drops. `culprit`: another than the dropper itself.
    mutating func blame(_ dropper: Dropper, culprit: Culprit? = nil) {
        self.culprit = culprit ?? dropper.culprit
        confidence = dropper.confidence
        if let caveat = dropper.caveat { details.append(caveat) }
    }
}
