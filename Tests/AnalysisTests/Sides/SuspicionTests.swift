import Analysis
import Base
import Testing

@Suite("What both sides show settles what one side suspects")
struct SuspicionTests {
    /// The phone of Talk behind a router; `seen` outside, and inside with what `inside` makes of each message.
    private func findings(
        _ talk: Talk, dialogs: Set<String> = ["c1@192.168.1.20"], inside: ((String) -> String)?
    ) -> [Finding] {
        var analyzer = Analyzer(
            sources: (inside == nil ? ["outside"] : ["outside", "inside"]).map { SourceSummary(name: $0, kind: .capture) })
        for observation in talk.seen {
            analyzer.observe(observation)
            guard let inside, case .sip(let bytes, _) = observation.what else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            guard dialogs.contains(where: { text.contains("Call-ID: \($0)\r\n") }) else { continue }
            var copy = observation
            copy.place = .frame(file: 1, number: Int(observation.place.number))
            let home = Endpoint("192.168.1.20:5060")!
            if copy.source == talk.phone { copy.source = home } else { copy.destination = home }
            copy.what = .sip(Array(inside(text).utf8), isCut: false)
            analyzer.observe(copy)
        }
        return analyzer.finish().findings.filter(\.severity.accuses)
    }

    /// A registration whose Contact is public and whose Via is not.
    private func register(_ talk: inout Talk, at start: Double) {
        let contact = "\(talk.phone)"
        let a = talk.register(1, contact: contact)
        talk.up(start, a)
        talk.down(start + 0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1", contact: contact)
        talk.up(start + 0.03, b)
        talk.down(start + 0.05, talk.response(200, to: b))
    }

    @Test("one side alone: suspected")
    func alone() {
        var talk = Talk()
        register(&talk, at: 0)
        #expect(findings(talk, inside: nil).map(\.name) == [.algSuspected])
    }

    @Test("a helper proved by both sides is not suspected besides")
    func proved() {
        var talk = Talk()
        register(&talk, at: 0)
        let found = findings(talk) { $0.with("sip:alice@198.51.100.7:40000", "sip:alice@192.168.1.20:5060") }
        #expect(found.map(\.name) == [.algRewritten])
    }

    @Test("the same bytes on both sides: the phone wrote them itself, nobody is suspected")
    func transparent() {
        var talk = Talk()
        register(&talk, at: 0)
        #expect(findings(talk, inside: { $0 }).map(\.name) == [])
    }

    @Test("a dialog that one side alone shows stays suspected beside one that both sides clear")
    func other() throws {
        var talk = Talk()
        register(&talk, at: 0)
        talk.call = "c2@192.168.1.20"
        talk.user = "bob"
        register(&talk, at: 5)
        let found = findings(talk, inside: { $0 })
        let finding = try #require(found.first)
        #expect(found.map(\.name) == [.algSuspected])
        #expect(finding.count == 1 && finding.subject.dialogs.count == 1)
        #expect(findings(talk, dialogs: ["c1@192.168.1.20", "c2@192.168.1.20"], inside: { $0 }).isEmpty)
    }
}
