import Base
import Capture
import Testing

@testable import Analysis

@Suite("TCP connections that narrow paths and restarts break")
struct PathTests {
    private static let phone = PackedEndpoint(PackedAddress(IPAddress("10.8.0.6")!), 41_001)
    private static let server = PackedEndpoint(PackedAddress(IPAddress("192.168.1.5")!), 5_060)

    private static func event(_ kind: StreamEvent.Kind, at seconds: Double, up: Bool = true) -> StreamEvent {
        let (from, to) = up ? (phone, server) : (server, phone)
        return StreamEvent(
            frame: UInt64(seconds * 10) + 1, time: Instant(nanoseconds: Int64(seconds * 1e9)),
            flow: PackedFlow(source: from.address, from.port, destination: to.address, to.port, .tcp), kind: kind)
    }

    private static func stall(_ octets: Int = 1_400, longest: Int = 480, up: Bool = true, isAwaited: Bool = false) -> StreamEvent
    {
        event(
            .stalled(
                octets: octets, longest: longest, sends: 7, since: Instant(seconds: 10), isAwaited: isAwaited),
            at: 28.9, up: up)
    }

    private static func findings(_ events: [StreamEvent]) -> [Finding] {
        var ledger = ConnectionLedger()
        for event in events { ledger.event(event, file: 0) }
        let analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        return analyzer.judge.connections(ledger, analyzer.table) { _ in 100_000_000_000 }
    }

    @Test("a long segment to a server that is never acknowledged while shorter ones are: the path is too narrow")
    func narrow() throws {
        let finding = try #require(Self.findings([Self.stall()]).first)
        #expect(finding.name == .tcpUnanswered && finding.severity == .fault && finding.confidence == .likely)
        #expect(
            finding.summary
                == "Long packets do not get through from 10.8.0.6:41001 to 192.168.1.5:5060: a TCP segment of 1400 octets was sent 7 times within "
                + "19 s and never acknowledged, while shorter ones were.")
        #expect(finding.culprit == .between("10.8.0.6:41001", "192.168.1.5:5060"))
        #expect(Self.findings([Self.stall(longest: 0)]).first?.confidence == .possible)
    }

    @Test("one that moves at last, a short one, one as long as others that passed, and one to a phone that fell silent: nothing")
    func lookAlikes() {
        #expect(Self.findings([Self.stall(), Self.event(.moved, at: 29)]) == [])
        #expect(Self.findings([Self.stall(600)]) == [])
        #expect(Self.findings([Self.stall(longest: 1_400)]) == [])
        #expect(Self.findings([Self.stall(up: false)]) == [])
        #expect(Self.findings([Self.stall(up: false, isAwaited: true)]).count == 1)
    }

    /// A registration over TCP; a refresh whose connection is reset, and if told another, so many seconds later.
    private static func reset(backAfter gap: Double?) -> [Finding] {
        var talk = Talk()
        talk.transport = .tcp
        talk.registers(at: 0, expires: 600)
        var analyzer = Analyzer(sources: [SourceSummary(name: "talk", kind: .capture)])
        let refresh = talk.register(3, nonce: "n1", expires: 600)
        talk.up(300, refresh)
        let before = talk.seen.count
        if let gap { talk.registers(at: 300 + gap, nonce: "n2", from: 4, expires: 600, port: 41_055) }
        for (index, observation) in talk.seen.enumerated() {
            if index == before { analyzer.connections.event(cut(talk), file: 0) }
            analyzer.observe(observation)
        }
        if gap == nil { analyzer.connections.event(cut(talk), file: 0) }
        return analyzer.finish().findings.filter { $0.name == .tcpRefused }
    }

    private static func cut(_ talk: Talk) -> StreamEvent {
        StreamEvent(
            frame: 99, time: Instant(nanoseconds: 1_700_000_300_050_000_000),
            flow: PackedFlow(
                source: PackedAddress(talk.server.address), talk.server.port, destination: PackedAddress(talk.phone.address),
                talk.phone.port, .tcp), kind: .reset)
    }

    @Test("a connection reset under a refresh: made up for half a minute later a note, at once nothing, never a fault")
    func restarts() {
        #expect(Self.reset(backAfter: 30).map(\.severity) == [.note])
        #expect(
            Self.reset(backAfter: 30).first?.summary
                == "The TCP connection of alice@pbx.example was reset (RST) under a REGISTER; it registered again 30 s later over another, and could "
                + "not be called until then.")
        #expect(Self.reset(backAfter: 1) == [])
        #expect(Self.reset(backAfter: nil).map(\.severity) == [.fault])
    }
}
