/// Whether a party speaks: its level against the noise of its own line.
///
/// A pause shorter than 300 ms still counts as speech. The floor follows the line's noise up slowly and down fast; it never rises to a
/// level at which a steady sound would be taken for noise, so that tones and music are always heard.
struct VoiceActivity: Sendable {
    /// Ticks of 20 ms.
    private static let hangover = 15
    private static let leastThreshold = 40
    private static let highestFloor = 160

    private(set) var isActive = false
    /// Ticks since the party began to speak; 0: it does not.
    private(set) var activeTicks = 0
    /// Of the speech, smoothed over about 200 ms, in sixteenths of a level; pauses within it do not count.
    private(set) var loudness = 0
    /// In sixteenths.
    private var floor = 16 * 20
    private var pause = 0

    /// `level`: mean absolute value of a tick's samples.
    mutating func hear(level: Int) {
        let fine = level * 16
        if fine < floor {
            floor -= (floor - fine + 3) / 4
        } else {
            floor = min(16 * Self.highestFloor, floor + floor / 64 + 1)
        }
        if level > max(Self.leastThreshold, 3 * floor / 16) {
            pause = 0
            loudness = isActive ? loudness + (fine - loudness) / 8 : fine
            isActive = true
        } else if isActive {
            pause += 1
            isActive = pause <= Self.hangover
        }
        activeTicks = isActive ? activeTicks + 1 : 0
    }

    /// Nothing came, or nothing is listened to.
    mutating func rest() { hear(level: 0) }
}
