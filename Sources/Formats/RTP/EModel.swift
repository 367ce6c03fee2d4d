/// How a call sounds, estimated: the E-model of ITU-T G.107 with default values for everything that is not transported.
///
/// R runs from 0 to 93.2 here; 80 and more satisfies most, below 60 nearly all are dissatisfied (G.109).
public struct EModel: Hashable, Sendable {
    /// What loss does to a codec (ITU-T G.113 appendix I).
    public struct Impairment: Hashable, Sendable {
        public var codec: String
        /// Ie: of the codec itself.
        public var equipment: Double
        /// Bpl: how well it stands random loss.
        public var robustness: Double
        /// G.113 gives no value on the narrowband scale: taken from published measurements, good for comparing only.
        public var isEstimate: Bool

        public init(_ codec: String, equipment: Double, robustness: Double, isEstimate: Bool = false) {
            self.codec = codec
            self.equipment = equipment
            self.robustness = robustness
            self.isEstimate = isEstimate
        }

        /// G.711 with packet-loss concealment; without it `robustness` is 4.3.
        public static let pcmu = Impairment("PCMU", equipment: 0, robustness: 25.1)
        public static let pcma = Impairment("PCMA", equipment: 0, robustness: 25.1)
        public static let g729 = Impairment("G729", equipment: 11, robustness: 19)
        public static let g723 = Impairment("G723", equipment: 15, robustness: 16.1)
        public static let g722 = Impairment("G722", equipment: 0, robustness: 13, isEstimate: true)
        public static let opus = Impairment("opus", equipment: 0, robustness: 20, isEstimate: true)
        public static let gsm = Impairment("GSM", equipment: 20, robustness: 10, isEstimate: true)
        public static let ilbc = Impairment("iLBC", equipment: 11, robustness: 32, isEstimate: true)

        public static let known: [Impairment] = [.pcmu, .pcma, .g729, .g723, .g722, .opus, .gsm, .ilbc]

        /// By the name of rtpmap, without case; nil for codecs without a value.
        public static func of(_ encoding: String) -> Impairment? {
            known.first { $0.codec.lowercased() == encoding.lowercased() }
        }
    }

    public var impairment: Impairment
    /// Lost packets, 0...1, those that came too late to be played included.
    public var lossRate: Double
    /// BurstR; 1: random.
    public var burstRatio: Double
    /// From mouth to ear, milliseconds.
    public var delay: Double

    /// Arguments outside their range are brought into it.
    public init(_ impairment: Impairment, lossRate: Double, burstRatio: Double = 1, delay: Double = 0) {
        self.impairment = impairment
        self.lossRate = lossRate.isFinite ? min(1, max(0, lossRate)) : 1
        self.burstRatio = burstRatio.isFinite ? max(1, burstRatio) : 1
        self.delay = delay.isFinite ? max(0, delay) : 0
    }

    /// Of what a receiver counted. `delay`: one way, milliseconds, jitter buffer included.
    public init(_ impairment: Impairment, _ pattern: LossPattern, delay: Double = 0) {
        self.init(impairment, lossRate: pattern.lossRate, burstRatio: pattern.burstRatio, delay: delay)
    }

    /// Ie,eff (G.107 7.5): codec and loss.
    public var effectiveEquipment: Double {
        let percent = 100 * lossRate
        guard percent > 0 else { return impairment.equipment }
        return impairment.equipment
            + (95 - impairment.equipment) * percent / (percent / burstRatio + impairment.robustness)
    }

    /// Id, by the two straight lines that are usual for an echo-free path.
    public var delayImpairment: Double { 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0) }

    /// The transmission rating, 0...93.2.
    public var rating: Double { max(0, 93.2 - effectiveEquipment - delayImpairment) }

    /// Mean opinion score, 1...4.41 (G.107 annex B).
    public var meanOpinionScore: Double {
        let r = rating
        return max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
    }
}
