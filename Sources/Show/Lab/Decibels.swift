/// A root mean square of 0 to 32,768 as decibels below full scale (dBov, RFC 6464 3): 0 is the loudest, nil is silence.
///
/// The standard library has no logarithm; this one is exact to about 1e-9.
public func decibels(ofLevel level: Double) -> Double? {
    guard level.isFinite, level > 0 else { return nil }
    let ratio = level / 32_768
    // ln s = 2 artanh((s - 1) / (s + 1)) for a significand s of 1 to 2.
    let part = (ratio.significand - 1) / (ratio.significand + 1)
    let square = part * part
    var power = part
    var sum = 0.0
    for odd in stride(from: 1.0, through: 19, by: 2) {
        sum += power / odd
        power *= square
    }
    let binary = Double(ratio.exponent) + 2 * sum / 0.693_147_180_559_945_3
    return 20 * binary * 0.301_029_995_663_981_2
}
