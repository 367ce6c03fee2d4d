import Analysis
import Base
import Testing

@Suite("Which recordings belong together")
struct TalkNamesTests {
    /// Sources, each with the registration of one Call-ID; nil: with none.
    private func cases(_ calls: [String?]) -> [[Int]] {
        var analyzer = Analyzer(sources: calls.indices.map { SourceSummary(name: "\($0)", kind: .capture) })
        for (file, call) in calls.enumerated() {
            var talk = Talk()
            talk.call = call ?? ""
            if call != nil { talk.registers() }
            for observation in talk.seen {
                var moved = observation
                moved.place.file = UInt16(file)
                // Another talk has nothing in common with this one.
                if case .sip(let bytes, _) = moved.what, let call {
                    let own = call.filter { $0 != "@" && $0 != "." }
                    let text = String(decoding: bytes, as: UTF8.self).with("z9hG4bK", "z9hG4bK\(own)").with(
                        "tag=t1", "tag=\(own)"
                    )
                    .with("tag=s1", "tag=s\(own)").with("\"n1\"", "\"\(own)\"").with("response=\"0123", "response=\"\(own)")
                    moved.what = .sip(Array(text.utf8), isCut: false)
                }
                analyzer.observe(moved)
            }
        }
        return analyzer.finish().cases
    }

    @Test("the same Call-IDs are one case, others another; a helper may have changed the host")
    func groups() {
        #expect(cases(["abcdef1@192.168.1.20", "other22@192.168.1.21", "abcdef1@203.0.113.2"]) == [[0, 2], [1]])
        #expect(cases(["abcdef1@x", "other22@x"]) == [[0], [1]])
        #expect(cases(["abcdef1@x", "abcdef1@x"]) == [[0, 1]])
    }

    @Test("a log without messages goes with what it lies beside")
    func silent() {
        #expect(cases([nil, "abcdef1@x"]) == [[0, 1]])
        #expect(cases(["abcdef1@x", nil, "other22@x"]) == [[0, 1], [2]])
        #expect(cases([nil, nil]) == [[0, 1]])
    }

    @Test("Call-IDs of a few characters count with their host")
    func short() {
        #expect(cases(["1@192.168.1.20", "1@192.168.1.21"]) == [[0], [1]])
        #expect(cases(["1@192.168.1.20", "1@192.168.1.20"]) == [[0, 1]])
    }
}
