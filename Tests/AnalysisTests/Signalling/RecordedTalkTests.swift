import Analysis
import Base
import Fixtures
import Testing

@Suite("Recordings of real traffic through a Linux router")
struct RecordedTalkTests {
    private func accusations(_ result: AnalysisResult) -> [FindingName] { result.findings.filter(\.severity.accuses).map(\.name) }

    private static let sides = [Recording.Side.inside, .outside]

    private static func talks(_ words: String...) -> [String] {
        Recording.names.filter { name in words.contains { name.hasPrefix($0) } }
    }

    @Test(
        "a phone that answers the first challenge from ports that jump: seen from either side", arguments: talks("old-nonce"),
        sides)
    func oldNonce(name: String, side: Recording.Side) throws {
        let found = accusations(try Recording.analyse([(name, side)]))
        #expect(found.prefix(2) == [.authStaleOutOfOrder, .natPortJump])
        #expect(found.dropFirst(2).allSatisfy { $0 == .algSuspected && name.hasSuffix("helper") })
    }

    @Test("a cached nonce that is stale once accuses nobody", arguments: talks("kept-nonce"), sides)
    func cached(name: String, side: Recording.Side) throws {
        let found = accusations(try Recording.analyse([(name, side)]))
        #expect(found.allSatisfy { $0 == .algSuspected && name.hasSuffix("helper") && side == .outside })
    }

    @Test(
        "registrations and calls that work are accused of nothing inside of the LAN, where private addresses belong",
        arguments: talks("register", "forgetful", "mindful", "call", "cancelled", "many-media", "spellings"))
    func inside(name: String) throws { #expect(accusations(try Recording.analyse([(name, .inside)])) == []) }

    @Test(
        "nor outside of it, but for the helper's traces where it is on",
        arguments: talks("register", "forgetful", "mindful", "call", "cancelled", "many-media", "spellings"))
    func outside(name: String) throws {
        let result = try Recording.analyse([(name, .outside)])
        #expect(result.findings.allSatisfy { $0.severity != .fault })
        let expected: Set<FindingName> = name.hasSuffix("helper") ? [.algSuspected] : []
        #expect(Set(accusations(result)).isSubset(of: expected))
    }

    @Test(
        "a registrar that shows no received= forgets where the phone is: the note says so", arguments: ["forgetful", "mindful"])
    func forgotten(talk: String) throws {
        let result = try Recording.analyse([("\(talk)-udp-plain", .outside)])
        let note = try #require(result.findings.first { $0.name == .natPrivateContact && $0.severity == .note })
        #expect(note.details.contains { $0.contains("without received=") } == (talk == "forgetful"))
    }

    @Test("the pieces a capture comes in do not matter", arguments: [100, 1_000, 100_000])
    func pieces(size: Int) throws {
        let seen = [("old-nonce-udp-plain", Recording.Side.outside)]
        let (whole, pieces) = (try Recording.analyse(seen), try Recording.analyse(seen, chunk: size))
        #expect(whole.findings == pieces.findings && whole.counts == pieces.counts)
    }

    @Test("messages read ahead, on another thread, are judged as those read in their turn")
    func readAhead() throws {
        let seen = [("old-nonce-udp-plain", Recording.Side.outside)]
        let (turn, ahead) = (try Recording.analyse(seen), try Recording.analyse(seen, isReadAhead: true))
        #expect(turn.findings == ahead.findings && turn.counts == ahead.counts && turn.counts.sip > 0)
    }

    @Test("what two captures of one talk show alike is one finding")
    func bothSides() throws {
        let result = try Recording.analyse([("old-nonce-udp-plain", .inside), ("old-nonce-udp-plain", .outside)])
        let stale = result.findings.filter { $0.name == .authStaleOutOfOrder }
        #expect(stale.count == 1 && stale.first?.subject.dialogs.count == 2 && stale.first?.subject.vantage == nil)
    }

    @Test(
        "the server's console log of the same talk gives the same two faults, the first of them proved",
        arguments: talks("old-nonce"), [false, true])
    func log(name: String, old: Bool) throws {
        let result = LogTests.result(Array(try Recording(name).asteriskLog(old: old).utf8))
        #expect(accusations(result).prefix(2) == [.authStaleOutOfOrder, .natPortJump])
        #expect(result.findings.first { $0.name == .authStaleOutOfOrder }?.confidence == .proved)
    }

    @Test("and of the benign talk none", arguments: talks("kept-nonce"), [false, true])
    func benignLog(name: String, old: Bool) throws {
        let found = accusations(LogTests.result(Array(try Recording(name).asteriskLog(old: old).utf8)))
        #expect(found.allSatisfy { $0 == .algSuspected && name.hasSuffix("helper") })
    }
}
