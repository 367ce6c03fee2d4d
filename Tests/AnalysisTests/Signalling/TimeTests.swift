import Analysis
import Base
import Capture
import Testing

@Suite("Times that are missing, or not to be believed")
struct TimeTests {
    /// A registration that moves to another port twice, with a request of the server's in between that nobody answers.
    private static func moving(isLog: Bool) -> [Observation] {
        var talk = Talk()
        talk.isLog = isLog
        talk.registers(at: 0, from: 1)
        var other = Talk()
        other.call = "knock"
        let knock = other.request("OPTIONS", "sip:alice@192.168.1.20", 1)
        talk.down(40, knock)
        talk.down(44, knock)
        talk.registers(at: 60, from: 3, port: 40_010)
        talk.registers(at: 61, from: 5, port: 40_020)
        return talk.seen
    }

    private static func result(_ seen: [Observation], isLog: Bool = false) -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "talk", kind: isLog ? .log : .capture)])
        for observation in seen { analyzer.observe(observation) }
        return analyzer.finish()
    }

    @Test("whichever messages bear no time, all are filed and their dialogs found", arguments: [false, true])
    func mixed(isLog: Bool) {
        let seen = Self.moving(isLog: isLog)
        for mask in stride(from: 0, to: 1 << seen.count, by: 7) {
            var told = seen
            for index in told.indices where mask >> index & 1 == 1 { told[index].time = nil }
            let result = Self.result(told, isLog: isLog)
            #expect(result.counts.sip == seen.count)
            #expect(result.dialogs.count == 2)
            #expect(result.dialogs.first?.outcome == .registered(expires: 3_600))
            let times = told.prefix(4).compactMap(\.time) + told.dropFirst(6).compactMap(\.time)
            #expect(result.dialogs.first?.began == times.first && result.dialogs.first?.ended == times.max())
        }
    }

    @Test("silence cannot be measured from a message without a time: no mapping is said to have expired after it")
    func unmeasured() {
        var seen = Self.moving(isLog: false)
        let measured = Self.result(seen).findings.map(\.name)
        #expect(measured.contains(.natMappingExpired))
        for index in 0..<4 { seen[index].time = nil }
        #expect(!Self.result(seen).findings.map(\.name).contains(.natMappingExpired))
    }

    @Test("a message without a time keeps its place behind the one before it when another came late")
    func order() throws {
        let talk = Talk()
        let a = talk.register(1)
        let texts = [a, talk.challenge(to: a, nonce: "n1"), talk.register(2, nonce: "n1"), talk.register(3, nonce: "n1")]
        let times: [Int64?] = [10, nil, 12, 11]
        let seen = zip(texts, times).enumerated().map { index, one in
            Observation(
                place: .frame(file: 0, number: index + 1), time: one.1.map { Instant(seconds: 1_700_000_000 + $0) },
                source: one.0.hasPrefix("SIP") ? talk.server : talk.phone,
                destination: one.0.hasPrefix("SIP") ? talk.phone : talk.server, transport: .udp,
                what: .sip(Array(one.0.utf8), isCut: false))
        }
        // The challenge comes before what answers it: nothing is stale, nothing out of order.
        let result = Self.result(seen)
        #expect(result.findings.filter(\.severity.accuses).map(\.name) == [])
    }

    @Test("no time is too early or too late: all are held within what can be reckoned with")
    func extremes() {
        var talk = Talk()
        talk.registers(at: 0)
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        talk.call = "call"
        for at in 1...12 {
            let again = talk.request("INVITE", "sip:bob@pbx.example", at, body: Talk.sdp("198.51.100.7", port: 20_000 + at))
            talk.up(Double(at), again)
            talk.down(Double(at) + 0.1, talk.response(200, to: again, body: Talk.sdp("203.0.113.10", port: 30_000 + at % 2)))
            talk.see(
                Double(at) + 0.2, Endpoint("198.51.100.7:20001")!, Endpoint("203.0.113.10:30001")!,
                .rtp([0x80, 0, 0, UInt8(at), 0, 0, 0, UInt8(at), 1, 2, 3, 4] + [UInt8](repeating: 0, count: 160)))
        }
        talk.down(14, invite)
        talk.see(15, talk.phone, talk.server, .keepalive)
        talk.up(20, talk.request("BYE", "sip:bob@pbx.example", 13))
        let hours: [Instant] = [.init(nanoseconds: .min), .init(nanoseconds: .max), .epoch, .init(nanoseconds: .min + 1)]
        for shift in 0..<hours.count {
            for stride in [1, 2, 3] {
                var seen = talk.seen
                for index in seen.indices { seen[index].time = hours[(index / stride + shift) % hours.count] }
                let result = Self.result(seen)
                #expect(result.counts.sip == 4 + 24 + 2)
                #expect(
                    result.records.allSatisfy { $0.nanoseconds >= 0 && $0.nanoseconds <= Int64.max / 2 },
                    "shift \(shift), stride \(stride)")
            }
        }
    }

    @Test("a log's remarks on one request are kept up to a number")
    func remarks() {
        var seen = Self.moving(isLog: true)
        for number in 100..<1_000 {
            seen.append(
                Observation(
                    place: .line(file: 0, number: number), time: nil, source: nil, destination: nil, transport: nil,
                    what: .remark(.wrongPassword)))
        }
        let finding = Self.result(seen, isLog: true).findings.first { $0.name == .authBadDigest }
        #expect(finding?.count ?? 0 <= 256)
    }
}
