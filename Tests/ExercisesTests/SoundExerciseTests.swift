import Base
import Exercises
import Testing

@Suite struct SoundExerciseTests {
    @Test("The fuzzers' script runs on random bytes and leaves nothing behind", arguments: 0..<60)
    func random(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        exerciseSoundPlane(entropy.bytes(2_000))
    }
}
