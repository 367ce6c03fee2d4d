import Analysis
import Base
import Testing

@Suite("Captures of real programs", .enabled(if: SharedFiles.folder != nil, "needs ../shared/captures"))
struct RealCaptureTests {
    private func accusations(_ result: AnalysisResult) -> [FindingName] { result.findings.filter(\.severity.accuses).map(\.name) }

    @Test(
        "a phone that answers the first challenge from ports that jump: seen from either side",
        arguments: SharedFiles.captures("stale-oldnonce", "inside") + SharedFiles.captures("stale-oldnonce", "outside"))
    func oldNonce(name: String) {
        let found = accusations(SharedFiles.analyse([name]))
        #expect(found.prefix(2) == [.authStaleOutOfOrder, .natPortJump])
        #expect(found.dropFirst(2).allSatisfy { $0 == .algSuspected && name.contains("alg-on") })
    }

    @Test(
        "a cached nonce that is stale once accuses nobody",
        arguments: SharedFiles.captures("stale-cached", "inside") + SharedFiles.captures("stale-cached", "outside"))
    func cached(name: String) {
        #expect(accusations(SharedFiles.analyse([name])).allSatisfy { $0 == .algSuspected && name.contains("alg-on.outside") })
    }

    @Test(
        "registrations that work are not accused",
        arguments: SharedFiles.captures("register-", "inside")
            + SharedFiles.captures("_alg-off_", "outside").filter { $0.hasPrefix("register-") })
    func registers(name: String) { #expect(accusations(SharedFiles.analyse([name])) == []) }

    @Test(
        "calls that work are accused of nothing where no helper is on",
        arguments: SharedFiles.captures("-alg-", "outside").filter { !$0.hasPrefix("stale") }
            + SharedFiles.captures("invite-", "outside"))
    func calls(name: String) {
        let result = SharedFiles.analyse([name])
        #expect(result.findings.allSatisfy { $0.severity != .fault })
        let expected: Set<FindingName> = name.contains("alg-on") ? [.algSuspected] : []
        #expect(Set(accusations(result)).isSubset(of: expected))
    }

    @Test(
        "inside the LAN private addresses are where they belong",
        arguments: SharedFiles.captures("invite-", "inside") + SharedFiles.captures("ast-", "inside"))
    func inside(name: String) { #expect(accusations(SharedFiles.analyse([name])) == []) }

    @Test("a registrar that shows no received= forgets where the phone is: the note says so", arguments: ["off", "on"])
    func forgotten(nathelper: String) throws {
        let result = SharedFiles.analyse(["invite-in-udp_alg-off_srvnat-\(nathelper).outside.pcap"])
        let note = try #require(result.findings.first { $0.name == .natPrivateContact && $0.severity == .note })
        #expect(note.details.contains { $0.contains("without received=") } == (nathelper == "off"))
    }

    @Test("the pieces a capture comes in do not matter", arguments: [100, 1_000, 100_000])
    func pieces(size: Int) {
        let name = "stale-oldnonce-forcerport-alg-off.outside.pcap"
        let (whole, pieces) = (SharedFiles.analyse([name]), SharedFiles.analyse([name], chunk: size))
        #expect(whole.findings == pieces.findings && whole.counts == pieces.counts)
    }

    @Test("what two captures of one talk show alike is one finding")
    func bothSides() throws {
        let result = SharedFiles.analyse([
            "stale-oldnonce-forcerport-alg-off.inside.pcap", "stale-oldnonce-forcerport-alg-off.outside.pcap",
        ])
        let stale = result.findings.filter { $0.name == .authStaleOutOfOrder }
        #expect(stale.count == 1 && stale.first?.subject.dialogs.count == 2 && stale.first?.subject.vantage == nil)
    }

    @Test(
        "Asterisk's own console log of the same talk gives the same two faults, the first of them proved",
        arguments: ["alg-off.asterisk.log", "alg-off.asterisk11.log", "alg-on.asterisk.log"])
    func log(name: String) throws {
        let text = try #require(SharedFiles.contents("captures/stale-oldnonce-forcerport-\(name)"))
        let result = LogTests.result(text)
        #expect(accusations(result).prefix(2) == [.authStaleOutOfOrder, .natPortJump])
        #expect(result.findings.first { $0.name == .authStaleOutOfOrder }?.confidence == .proved)
    }

    @Test("and of the benign talk none", arguments: ["alg-off", "alg-on"])
    func benignLog(name: String) throws {
        let text = try #require(SharedFiles.contents("captures/stale-cached-forcerport-\(name).asterisk.log"))
        #expect(accusations(LogTests.result(text)).allSatisfy { $0 == .algSuspected && name == "alg-on" })
    }
}
