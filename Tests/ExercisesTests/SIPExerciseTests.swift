import Base
import Exercises
import Fixtures
import SIP
import Testing

@Suite("Hostile input")
struct SIPExerciseTests {
    static let seeds = (TortureMessage.rfc4475 + TortureMessage.rfc5118).map(\.bytes) + [wire(registerText)]

    @Test("mutated messages never trap: every accessor is called on each", arguments: 0..<8)
    func mutations(_ lane: Int) {
        var entropy = Entropy(labSeed: UInt64(lane) + 1)
        let pieces: [[UInt8]] = [
            [0x0D, 0x0A], [0x0D], [0x0A], [0x0D, 0x0A, 0x20], Array("\"".utf8), Array("\\".utf8), Array("<".utf8),
            Array(">".utf8),
            Array(";".utf8), Array(",".utf8), Array("%".utf8), Array("=".utf8), Array("@".utf8), Array(":".utf8), [0], [0xFF],
            Array("99999999999999999999999".utf8), Array("[::".utf8), Array("]".utf8), Array("-1".utf8), Array("Via:".utf8),
        ]
        var parsed = 0
        var faults = 0
        for _ in 0..<500 {
            var bytes = Self.seeds[Int(entropy.next() % UInt64(Self.seeds.count))]
            for _ in 0...(entropy.next() % 4) {
                guard !bytes.isEmpty else { break }
                let place = Int(entropy.next() % UInt64(bytes.count))
                switch entropy.next() % 5 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: entropy.next())
                case 1: bytes.insert(contentsOf: pieces[Int(entropy.next() % UInt64(pieces.count))], at: place)
                case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int(entropy.next() % 20)))
                case 3: bytes.removeLast(bytes.count - place)
                default:
                    let end = min(bytes.count, place + Int(entropy.next() % 60))
                    bytes.insert(contentsOf: bytes[place..<end], at: Int(entropy.next() % UInt64(bytes.count)))
                }
            }
            faults += exerciseSIPParser(bytes)
            if (try? SIPMessage(salvaging: bytes))?.bytes == bytes { parsed += 1 }
        }
        #expect(parsed > 100, "mutations must not all die in the start line")
        #expect(faults > 500)
    }

    @Test("every prefix of a REGISTER is refused or read, never trapped on")
    func prefixes() {
        let bytes = wire(registerText)
        for count in 0..<bytes.count { #expect((try? SIPMessage(parsing: Array(bytes[..<count]))) == nil) }
        for count in 0...bytes.count { exerciseSIPParser(Array(bytes[..<count])) }
        #expect((try? SIPMessage(parsing: bytes)) != nil)
    }
}
