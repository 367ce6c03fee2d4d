import Base
import Testing

@testable import Analysis

@Suite("Both sides of a router in one source are told apart")
struct SideSplitTests {
    private typealias S = SideScene

    /// A capture on `any`: what crosses the router is there twice.
    private struct Tap {
        var seen: [Observation] = []

        mutating func see(_ text: String, _ source: Endpoint, _ destination: Endpoint, at seconds: Double) {
            seen.append(
                Observation(
                    place: .frame(file: 0, number: seen.count + 1), time: S.start + .microseconds(Int64(seconds * 1e6)),
                    source: source, destination: destination, transport: .udp, what: .sip(Array(text.utf8), isCut: false)))
        }

        /// `apart`: what lies between the two sightings, seconds.
        mutating func cross(
            _ inside: String, _ outside: String, at seconds: Double, isOutbound: Bool, inner: Endpoint = S.phone,
            outer: Endpoint = S.outer, peer: Endpoint = S.server, apart: Double = 0.0001
        ) {
            if isOutbound {
                see(inside, inner, peer, at: seconds)
                see(outside, outer, peer, at: seconds + apart)
            } else {
                see(outside, peer, outer, at: seconds)
                see(inside, peer, inner, at: seconds + apart)
            }
        }

        /// As the command reads it: once more where it is split. The number of sources, and the result.
        func result() -> (sources: Int, result: AnalysisResult) {
            var analyzer = Analyzer(sources: [SourceSummary(name: "any.pcap", kind: .capture)])
            for observation in seen { analyzer.observe(observation) }
            if var again = analyzer.splitting() {
                for observation in seen { again.observe(observation) }
                analyzer = again
            }
            let result = analyzer.finish()
            return (result.sources.count, result)
        }

        var accusations: [FindingName] { result().result.findings.filter { $0.severity.accuses }.map(\.name) }
    }

    private static let outerHost = "203.0.113.2:41000"

    @Test("a helper's rewriting is proved from one file, as from two")
    func helper() throws {
        var tap = Tap()
        tap.cross(S.register(), S.register(host: Self.outerHost), at: 0, isOutbound: true)
        tap.cross(S.ok(), S.ok(host: Self.outerHost), at: 0.02, isOutbound: false)
        let (sources, result) = tap.result()
        #expect(sources == 2)
        #expect(result.sources.map(\.side) == [.inside, .outside])
        #expect(result.sides.map(\.matchedMessages) == [2])
        let finding = try #require(result.findings.first { $0.name == .algRewritten })
        #expect(finding.culprit == .proved("the router with the outside address 203.0.113.2"))
        #expect(
            finding.evidence.map(\.place) == [
                .frame(file: 0, number: 1), .frame(file: 1, number: 2), .frame(file: 1, number: 3), .frame(file: 0, number: 4),
            ])
    }

    @Test("a router that only translates is accused of nothing, and no private Contact is told of its outside alone")
    func transparent() {
        var tap = Tap()
        tap.cross(S.register(), S.register(), at: 0, isOutbound: true)
        tap.cross(S.ok(), S.ok(), at: 0.02, isOutbound: false)
        let (sources, result) = tap.result()
        #expect(sources == 2)
        #expect(result.sides.map(\.box) == [.transparent])
        #expect(!result.findings.contains { $0.severity.accuses })
    }

    @Test("what comes in first, from the outside, is split as well")
    func inboundFirst() {
        var tap = Tap()
        tap.cross(S.invite(), S.invite(media: "203.0.113.2"), at: 0, isOutbound: false)
        let (sources, result) = tap.result()
        #expect(sources == 2)
        #expect(result.records.map(\.place) == [.frame(file: 1, number: 1), .frame(file: 0, number: 2)])
    }

    @Test("merged captures whose clocks are seconds apart are split where both directions show it")
    func clocks() {
        var tap = Tap()
        tap.cross(S.register(), S.register(host: Self.outerHost), at: 0, isOutbound: true, apart: 7)
        tap.cross(S.ok(), S.ok(host: Self.outerHost), at: 0.02, isOutbound: false, apart: 7)
        tap.seen.sort { $0.time! < $1.time! }
        #expect(tap.result().sources == 2)
    }

    @Test("a second phone behind the same router belongs inside although only the first was seen twice")
    func secondPhone() {
        var tap = Tap()
        tap.cross(S.register(), S.register(host: Self.outerHost), at: 0, isOutbound: true)
        tap.see(S.register(call: "other@192.168.1.101"), Endpoint("192.168.1.101:5060")!, S.server, at: 1)
        #expect(tap.result().result.records.map(\.place.file) == [0, 1, 0])
    }

    @Test("a phone that moves and sends again from elsewhere is one source")
    func moved() {
        var tap = Tap()
        tap.see(S.register(), S.phone, S.server, at: 0)
        tap.see(S.register(), S.outer, S.server, at: 0.5)
        tap.see(S.ok(), S.server, S.outer, at: 0.52)
        #expect(tap.result().sources == 1)
    }

    @Test("a forking proxy, which sends one call to two phones, is one source")
    func fork() {
        var tap = Tap()
        let proxy = Endpoint("192.168.1.5:5060")!
        tap.see(S.invite(), proxy, Endpoint("192.168.1.100:5060")!, at: 0)
        tap.see(S.invite().with("z9hG4bK-inv", "z9hG4bK-two"), proxy, Endpoint("198.51.100.9:5060")!, at: 0.0001)
        #expect(tap.result().sources == 1)
    }

    @Test("a B2BUA that keeps the Call-ID changes both ends and is one source")
    func backToBack() {
        var tap = Tap()
        let (inner, outer) = (Endpoint("192.168.1.5:5060")!, Endpoint("203.0.113.5:5060")!)
        tap.see(S.invite(), S.phone, inner, at: 0)
        tap.see(S.invite().with("z9hG4bK-inv", "z9hG4bK-two"), outer, S.server, at: 0.0001)
        #expect(tap.result().sources == 1)
    }

    @Test("the same packet seen on two interfaces with the same addresses is one source")
    func duplicates() {
        var tap = Tap()
        for at in [0, 0.0001] { tap.see(S.register(), S.phone, S.server, at: at) }
        for at in [0.02, 0.0201] { tap.see(S.ok(), S.server, S.phone, at: at) }
        #expect(tap.result().sources == 1)
    }
}
