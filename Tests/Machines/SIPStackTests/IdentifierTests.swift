import Base
import SIP
import SIPStack
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("RFC 3261 8.1.1.7, 19.3: branches carry the magic cookie; nothing repeats; the same seed gives the same")
    func identifiers() {
        var entropy = Entropy(labSeed: 9)
        var again = Entropy(labSeed: 9)
        var seen: Set<SIPText> = []
        for _ in 0..<1_000 {
            let branch = entropy.branch()
            #expect(branch == again.branch())
            #expect(branch.string.hasPrefix("z9hG4bK"))
            #expect(branch.count == 27)
            seen.insert(branch)
        }
        #expect(seen.count == 1_000)
        #expect(entropy.tag().count == 16)
        #expect(entropy.callID().count == 32)
        #expect(entropy.initialSequence() < 65_536)
    }
}
