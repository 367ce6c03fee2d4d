import Base
import DNS
import Exercises
import Testing

private func name(_ text: String) -> DNSName { DNSName(text)! }

@Suite struct DNSExerciseTests {
    @Test("random and mutated messages never trap")
    func noise() {
        var entropy = Entropy(labSeed: 5)
        var message = DNSMessage(id: 7)
        message.questions = [DNSQuestion(name("a.b.example.org"), .naptr)]
        message.answers = [
            DNSRecord(name("b.example.org"), .cname(name("c.example.org"))),
            DNSRecord(
                name("c.example.org"),
                .naptr(DNSNamingRecord(order: 1, preference: 1, flags: "s", service: "SIP+D2U", replacement: name("example.org")))
            ),
            DNSRecord(name("d.c.b.example.org"), .txt([[1, 2, 3]])),
        ]
        let seed = message.bytes()
        for round in 0..<6000 {
            var bytes = round % 3 == 0 ? entropy.bytes(Int(entropy.next() % 80)) : seed
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            exerciseDNSParser(bytes)
        }
        for count in 0..<seed.count { exerciseDNSParser(Array(seed.prefix(count))) }
    }

    @Test("a chain of names each one label longer stays readable as printed")
    func deepChain() {
        var message = DNSMessage(id: 1)
        var owner = name("a")
        for _ in 0..<120 {
            message.answers.append(DNSRecord(owner, .a(.any)))
            owner = owner.prefixed(by: "a") ?? owner
        }
        exerciseDNSParser(message.bytes())
        #expect((try? DNSMessage(message.bytes()))?.answers == message.answers)
    }
}
