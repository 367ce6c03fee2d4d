import Foundation
import ServerNode
import Testing
import World

/// Whole nodes, driven by bytes: phones, routers, a server, an endpoint without manners and a stranger.
@Suite("A small world keeps its promises whatever befalls it")
struct WorldTests {
    /// Runs of one test case; all cases together take about ten seconds of two processors in a debug build. PINHOLE_WORLD_RUNS makes them more, of
    /// seeds that nobody has tried if PINHOLE_WORLD_SEED, the first one, is new.
    static let runsPerCase = number("PINHOLE_WORLD_RUNS") ?? 10
    static let firstSeed = number("PINHOLE_WORLD_SEED") ?? 0

    private static func number(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } }

    @Test("nothing is lost, left over, forgotten or overdue in runs drawn from seeds", arguments: 0..<UInt64(20))
    func seeds(_ part: UInt64) {
        let first = Self.firstSeed + part * Self.runsPerCase
        for seed in first..<(first + Self.runsPerCase) { play(Script(seed: seed), "seed \(seed)") }
    }

    private func play(_ script: Script, _ name: String) {
        guard let first = WorldRun(script).violations.first else { return }
        let shrunk = script.shrunk { !WorldRun($0).violations.isEmpty }
        let wrong = WorldRun(shrunk).violations.first ?? first
        Issue.record("\(name): \(wrong)\n\(shrunk.text)")
    }

    @Test("a model that believes a port was leaked is found out, by a run of few steps")
    func flaw() {
        let script = (0..<UInt64(50)).lazy.map { Script(seed: $0) }.first { !WorldRun($0, flaw: .portLeaked).violations.isEmpty }
        guard let script else {
            Issue.record("no seed has a call")
            return
        }
        let shrunk = script.shrunk { !WorldRun($0, flaw: .portLeaked).violations.isEmpty }
        #expect(WorldRun(shrunk, flaw: .portLeaked).violations.first?.contains("ports are in use") == true)
        #expect(WorldRun(shrunk).violations == [])
        #expect(shrunk.steps.count < script.steps.count)
        #expect(shrunk.steps.count <= 6, "\(shrunk.text)")
    }

    @Test("any bytes are a run, and a script's bytes are that script")
    func bytes() {
        #expect(Script([]).steps == [])
        for seed in UInt64(0)..<100 {
            let script = Script(seed: seed)
            #expect(Script(script.bytes).steps == script.steps)
            let cut = Script(Array(script.bytes.dropLast(1)))
            #expect(Script(cut.bytes).steps == cut.steps)
        }
    }

    /// PINHOLE_WORLD_SHOW, the bytes of a run as failures tell them, in hexadecimal: what the server saw and did is printed.
    @Test("a run can be told, and the telling changes nothing of it")
    func story() throws {
        let digits = Array(Self.shown ?? "")
        let shown = stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
        let script = Script(shown.isEmpty ? try Self.bytes("Corpus/world/call-hold-resume") : shown)
        let run = WorldRun(script, isTold: true)
        if !shown.isEmpty { for line in run.story + run.violations { print(line) } }
        #expect(run.story.contains { $0.contains("INVITE") } || !shown.isEmpty)
        let untold = WorldRun(script)
        #expect(run.transcript == untold.transcript && run.violations == untold.violations && untold.story.isEmpty)
    }

    static let shown = ProcessInfo.processInfo.environment["PINHOLE_WORLD_SHOW"]

    // MARK: Corpus

    static let fuzz = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fuzz")

    private static func files(_ folder: String) -> [String] {
        let place = fuzz.appendingPathComponent(folder).path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted().map { "\(folder)/\($0)" }
    }

    private static func bytes(_ file: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: fuzz.appendingPathComponent(file)))
    }

    /// A refactoring leaves every packet as it was. What is meant to change them is followed by PINHOLE_WORLD_WRITE=1, which writes the file anew.
    @Test("the corpus is as it was: the same packets, to the byte, and nothing wrong")
    func corpus() throws {
        let files = Self.files("Corpus/world") + Self.files("Regressions/world")
        #expect(files.count >= 10)
        var lines: [String] = []
        for file in files {
            let script = Script(try Self.bytes(file))
            let run = WorldRun(script)
            for violation in run.violations { Issue.record("\(file): \(violation)\n\(script.text)") }
            let hash = String(run.transcript, radix: 16)
            lines.append("\(file) \(String(repeating: "0", count: 16 - hash.utf8.count))\(hash) \(run.packets) packets")
        }
        let list = Self.fuzz.appendingPathComponent("Corpus/world.transcripts")
        let text = lines.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["PINHOLE_WORLD_WRITE"] == "1" {
            try text.write(to: list, atomically: true, encoding: .utf8)
        }
        let kept = (try? String(contentsOf: list, encoding: .utf8)) ?? ""
        #expect(text == kept, "PINHOLE_WORLD_WRITE=1 writes \(list.lastPathComponent) anew, where packets were meant to change")
    }

    @Test("the corpus reaches what goes wrong seldom")
    func reach() throws {
        let counters = try Self.files("Corpus/world").map { WorldRun(Script(try Self.bytes($0))).counters }
        let seldom: [(String, KeyPath<ServerCounters, UInt64>)] = [
            ("calls answered", \.callsAnswered), ("transfers", \.transfers), ("calls never acknowledged", \.callsUnacknowledged),
            ("full tables", \.callTablesFull), ("phones that ask for credentials", \.challengesRefused),
            ("missing verdicts", \.verdictsMissing), ("wrong passwords", \.wrongPassword), ("mangled credentials", \.mangled),
            ("replays", \.replayed), ("retransmissions", \.retransmissionsAbsorbed), ("flows that died", \.flowsDied),
            ("flows that came back", \.flowsRevived), ("expired bindings", \.expired), ("moved bindings", \.moved),
            ("registrations unstored", \.registeredUnstored), ("probes", \.probes), ("STUN requests", \.stunRequests),
            ("evicted transactions", \.transactionsEvicted), ("evicted attempts", \.attemptsEvicted),
        ]
        for (name, path) in seldom { #expect(counters.contains { $0[keyPath: path] > 0 }, "no \(name)") }
    }
}
