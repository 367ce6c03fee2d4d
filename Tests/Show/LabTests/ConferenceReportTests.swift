import Lab
import ShowLab
import Testing

@Suite("the conference as text")
struct ConferenceReportTests {
    /// Without line ends.
    private func words(_ text: String) -> String { text.split { $0.isWhitespace }.joined(separator: " ") }

    @Test("decibels: full scale is 0, half of it 6.02 below, a sine with a peak of 8000 15.26 below; silence has none")
    func scale() throws {
        func shown(_ level: Double) throws -> Int { Int((try #require(decibels(ofLevel: level)) * 1e6).rounded()) }
        #expect(try shown(32_768) == 0)
        #expect(try shown(16_384) == -6_020_600)
        #expect(try shown(8_000 / 2.0.squareRoot()) == -15_257_499)
        #expect(try shown(1) == -90_308_999)
        #expect(decibels(ofLevel: 0) == nil && decibels(ofLevel: .nan) == nil && decibels(ofLevel: -1) == nil)
    }

    @Test("who hears whom is a table with six levels, and the verdict counts six ways; the same seed gives the same text")
    func table() {
        let text = ConferenceReport(Conference().hold()).text()
        #expect(text == ConferenceReport(Conference().hold()).text())
        #expect(words(text).contains("6 of 6 ways carry sound; each hears the other two and not itself."))
        #expect(text.split(separator: "dBov").count == 7)
        for line in text.split(separator: "\n") { #expect(line.count <= 100) }
    }

    @Test("a way that carries nothing is named")
    func silent() {
        var outcome = Conference().hold()
        outcome.levels[2][0] = 3
        #expect(words(ConferenceReport(outcome).text()).contains("5 of 6 ways carry sound; chloe does not hear anna."))
    }
}
