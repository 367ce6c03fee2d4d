/// The sine of an angle given in turns (1.0: a full circle), exact to about 1e-12. The standard library has none.
public func sine(turns: Double) -> Double {
    guard turns.isFinite else { return 0 }
    // Folded into a quarter of a turn either side of zero.
    var turn = turns - turns.rounded()
    if turn > 0.25 { turn = 0.5 - turn } else if turn < -0.25 { turn = -0.5 - turn }
    let x = turn * 2 * Double.pi
    let square = x * x
    var term = x
    var sum = x
    var n = 1.0
    for _ in 0..<9 {
        term *= -square / ((2 * n) * (2 * n + 1))
        sum += term
        n += 1
    }
    return sum
}

public func cosine(turns: Double) -> Double { sine(turns: turns + 0.25) }
