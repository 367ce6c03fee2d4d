import Base
import Testing

@testable import Analysis

@Suite(
    "Two branches of a fork are two messages, and a name used again on another day is another talk: no box changed one into the other"
)
struct ForkTests {
    private typealias S = SideScene
    private static let other = Endpoint("192.0.2.44:34000")!

    /// What a proxy sends to a phone, and what that answers.
    private static func branch(_ number: Int, _ method: String, _ status: String? = nil, tag: String? = nil) -> String {
        S.message([
            status.map { "SIP/2.0 \($0)" } ?? "\(method) sip:100@192.168.1.10\(number):5060 SIP/2.0",
            "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-fork.\(number)",
            "Via: SIP/2.0/UDP 198.51.100.30:5060;branch=z9hG4bK-origin", "From: <sip:300@lab.test>;tag=z1",
            "To: <sip:100@lab.test>\(tag.map { ";tag=\($0)" } ?? "")", "Call-ID: call-fork-1@198.51.100.30", "CSeq: 1 \(method)",
            "Contact: <sip:300@198.51.100.30>", "Content-Length: 0",
        ])
    }

    private struct Event {
        var text: String
        var number: Int
        var toPhone: Bool
        var at: Double
    }

    /// The call rings at two phones, one takes it, the other is cancelled.
    private static let call: [Event] = [
        Event(text: branch(0, "INVITE"), number: 0, toPhone: true, at: 0),
        Event(text: branch(1, "INVITE"), number: 1, toPhone: true, at: 0.001),
        Event(text: branch(0, "INVITE", "100 Trying"), number: 0, toPhone: false, at: 0.02),
        Event(text: branch(1, "INVITE", "100 Trying"), number: 1, toPhone: false, at: 0.021),
        Event(text: branch(0, "INVITE", "180 Ringing", tag: "a"), number: 0, toPhone: false, at: 0.1),
        Event(text: branch(1, "INVITE", "180 Ringing", tag: "b"), number: 1, toPhone: false, at: 0.101),
        Event(text: branch(0, "INVITE", "200 OK", tag: "a"), number: 0, toPhone: false, at: 3),
        Event(text: branch(0, "ACK", tag: "a"), number: 0, toPhone: true, at: 3.03),
        Event(text: branch(1, "CANCEL"), number: 1, toPhone: true, at: 3.03),
        Event(text: branch(1, "CANCEL", "200 OK", tag: "b"), number: 1, toPhone: false, at: 3.05),
        Event(text: branch(1, "INVITE", "487 Request Terminated", tag: "b"), number: 1, toPhone: false, at: 3.06),
        Event(text: branch(1, "ACK", tag: "b"), number: 1, toPhone: true, at: 3.08),
    ]

    /// `places`: by file, the addresses of both phones there; nil: not seen.
    private static func result(_ places: [[Endpoint?]]) -> AnalysisResult {
        func feed(_ analyzer: inout Analyzer) {
            for (file, phones) in places.enumerated() {
                for (number, event) in call.enumerated() {
                    guard let phone = phones[event.number] else { continue }
                    analyzer.observe(
                        Observation(
                            place: .frame(file: file, number: number + 1), time: S.start + .microseconds(Int64(event.at * 1e6)),
                            source: event.toPhone ? S.server : phone, destination: event.toPhone ? phone : S.server,
                            transport: .udp,
                            what: .sip(Array(event.text.utf8), isCut: false)))
                }
            }
        }
        var analyzer = Analyzer(sources: places.indices.map { SourceSummary(name: "\($0)", kind: .capture) })
        feed(&analyzer)
        if var again = analyzer.splitting() {
            feed(&again)
            analyzer = again
        }
        return analyzer.finish()
    }

    @Test("seen at the proxy, at one phone and the proxy, at both phones, in one network or in two of the same addresses")
    func forks() {
        let (a, b) = (Endpoint("192.168.1.100:5060")!, Endpoint("192.168.1.101:5060")!)
        let scenes: [[[Endpoint?]]] = [
            [[S.outer, Self.other]], [[a, b]], [[a, nil], [S.outer, Self.other]], [[nil, b], [S.outer, Self.other]],
            [[a, nil], [nil, b]], [[a, nil], [nil, a]], [[S.outer, Self.other], [a, nil], [nil, a]],
        ]
        for scene in scenes {
            let result = Self.result(scene)
            #expect(!result.findings.contains { $0.name == .algRewritten && $0.severity.accuses }, "\(scene)")
        }
    }

    @Test("the same Call-ID and CSeq with all else new, as of a phone that starts anew: no pair")
    func days() {
        var sides = SideMatching()
        for (file, day) in [(0, "mon"), (1, "wed")] {
            for (number, text) in [S.register(), S.ok()].enumerated() {
                let own = text.with("z9hG4bK-", "z9hG4bK-\(day)").with("tag=f7", "tag=f\(day)").with("tag=s1", "tag=s\(day)")
                let phone = file == 0 ? S.phone : S.outer
                sides.message(
                    SideMessage(
                        place: .frame(file: file, number: number + 1),
                        time: S.start + .seconds(file * 172_800) + .milliseconds(number * 20),
                        source: number == 0 ? phone : S.server, destination: number == 0 ? S.server : phone, isStream: false,
                        bytes: Array(own.utf8), dialog: file))
            }
        }
        #expect(sides.finish().sides.isEmpty)
    }

    @Test("a helper that writes a branch of its own is one still, as the answer's tag shows")
    func branch() {
        var scene = S()
        let invite = Self.branch(0, "INVITE")
        let ringing = Self.branch(0, "INVITE", "180 Ringing", tag: "a")
        let written = invite.with("z9hG4bK-fork.0", "z9hG4bK-helper")
        scene.cross(written, invite, at: 0, isOutbound: false)
        scene.cross(ringing.with("z9hG4bK-fork.0", "z9hG4bK-helper"), ringing.with("z9hG4bK-fork.0", "z9hG4bK-helper"), at: 0.1)
        let side = scene.sides.finish().sides.first
        #expect(side?.matchedMessages == 2)
        #expect(side?.box == .helper)
    }
}

@Suite("Parts of one capture, written into several files")
struct CapturePartTests {
    private typealias S = SideScene

    /// Files with an audio stream each: its SSRC, and the seconds at which it begins and ends.
    private static func rotations(_ files: [(ssrc: UInt32, from: Int, to: Int)], kind: SourceSummary.Kind = .capture) -> [[Int]] {
        var analyzer = Analyzer(
            sources: files.indices.map {
                SourceSummary(
                    name: "\($0)", kind: kind, first: S.start + .seconds(files[$0].from), last: S.start + .seconds(files[$0].to))
            })
        for (file, part) in files.enumerated() {
            for number in 0..<(part.to - part.from) * 50 {
                let sequence = part.from * 50 + number
                analyzer.observe(
                    Observation(
                        place: .frame(file: file, number: number + 1),
                        time: S.start + .seconds(part.from) + .milliseconds(number * 20), source: S.phone, destination: S.server,
                        transport: .udp, what: .rtp(MediaScene.rtp(0, sequence, UInt32(sequence) * 160, part.ssrc))))
            }
        }
        return analyzer.finish().rotations
    }

    @Test("what follows without a gap and goes on with the same stream, whatever the order in which the files are named")
    func parts() {
        #expect(Self.rotations([(1, 0, 5), (1, 5, 9), (1, 9, 12)]) == [[0, 1, 2]])
        #expect(Self.rotations([(1, 5, 9), (2, 0, 5), (1, 0, 5)]) == [[2, 0]])
    }

    @Test("not what overlaps, follows after long, has nothing in common, or is a log")
    func others() {
        #expect(Self.rotations([(1, 0, 5), (1, 3, 9)]) == [])
        #expect(Self.rotations([(1, 0, 5), (1, 500, 505)]) == [])
        #expect(Self.rotations([(1, 0, 5), (2, 5, 9)]) == [])
        #expect(Self.rotations([(1, 0, 5), (1, 5, 9)], kind: .log) == [])
    }
}
