import Analysis
import Testing

@Suite("sip.refused: what a registrar's refusal says beyond its number")
struct RegistrarLimitTests {
    /// Registrations whose password is answered, and which are refused with these words.
    private func refused(_ words: String, _ more: [String] = [], count: Int = 3) -> Talk {
        var talk = Talk.withoutNAT()
        for number in 0..<count {
            let first = talk.register(2 * number + 1)
            let at = Double(number) * 30
            talk.up(at, first)
            talk.down(at + 0.02, talk.challenge(to: first, nonce: "n\(number)"))
            let second = talk.register(2 * number + 2, nonce: "n\(number)")
            talk.up(at + 0.03, second)
            talk.down(at + 0.05, talk.response(403, to: second, more).replacing("403 Whatever", with: words))
        }
        talk.later(400)
        return talk
    }

    @Test(
        "too many Contacts is the registrar's limit and no wrong password",
        arguments: [
            "403 Too many registered contacts", "403 Maximum Contacts Exceeded", "403 Registration limit exceeded",
            "503 Too many devices",
        ])
    func limit(words: String) throws {
        let finding = try #require(refused(words).finding(.sipRefused))
        #expect(refused(words).accusations() == ["fault sip.refused"])
        #expect(
            finding.summary
                == "alice@pbx.example cannot register: 203.0.113.10:5060 answered \(words): the account already has as many Contacts there as it may have."
        )
        #expect(finding.culprit == .proved("203.0.113.10:5060"))
        #expect(finding.remedies[0].commands[0].contains("max_contacts"))
    }

    @Test("Kamailio says it in a header field of its own")
    func ownField() {
        let talk = refused("503 Service Unavailable", ["P-Registrar-Error: Too many registered contacts"])
        #expect(talk.finding(.sipRefused)?.summary.contains("as many Contacts") == true)
    }

    @Test(
        "other words, and too many tries, are what they were",
        arguments: ["403 Forbidden", "403 Wrong password", "403 Too many failed registration attempts", "403 Device not allowed"])
    func others(words: String) {
        #expect(refused(words).accusations() == ["fault auth.bad-digest"])
    }

    // MARK: 423

    /// Each time under a new Call-ID the phone asks for a minute; at last, if told, for an hour.
    private func briefly(_ count: Int, heeds: Bool = false) -> Talk {
        var talk = Talk.withoutNAT()
        for number in 0...count {
            talk.call = "c\(number)@phone.example"
            let isLast = number == count
            guard !isLast || heeds else { break }
            let request = talk.register(1, branch: "b\(number)", expires: isLast ? 3_600 : 60, tag: "t\(number)")
            talk.up(Double(number) * 30, request)
            talk.down(
                Double(number) * 30 + 0.02,
                talk.response(
                    isLast ? 200 : 423, to: request,
                    [isLast ? "Contact: <sip:alice@198.51.100.7:5060>;expires=3600" : "Min-Expires: 300"]))
        }
        talk.later(600)
        return talk
    }

    @Test("423 that is heeded under no new Call-ID either; twice, or heeded at last: nobody")
    func brief() throws {
        let finding = try #require(briefly(4).finding(.sipRefused))
        #expect(finding.severity == .fault && finding.count == 4 && finding.culprit == .proved("198.51.100.7:5060"))
        #expect(finding.summary.hasSuffix("answered 423 with at least 300 s each time, each time under a new Call-ID."))
        #expect(briefly(2).accusations() == [])
        #expect(briefly(4, heeds: true).accusations() == [])
    }
}
