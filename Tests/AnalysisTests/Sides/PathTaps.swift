import Base
import Capture

@testable import Analysis

/// Captures along one path from a phone through its router to a server: each shows the phone by the address that it wears there.
struct PathTaps {
    private typealias S = SideScene

    /// The address of the phone at each tap, the innermost first, and how much later than at the first a packet passes it, seconds.
    let taps: [(phone: Endpoint, delay: Double)]
    var analyzer: Analyzer
    private var frames: [Int]

    /// `inside`, `outside`: how many taps lie on each side of the router, a path of 10 ms between those outside.
    init(inside: Int = 1, outside: Int = 2) {
        var taps: [(phone: Endpoint, delay: Double)] = []
        for number in 0..<inside { taps.append((S.phone, Double(number) * 0.002)) }
        for number in 0..<outside { taps.append((S.outer, 0.005 + Double(number) * 0.01)) }
        self.taps = taps
        let sources = (0..<(inside + outside)).map {
            SourceSummary(name: "\($0).pcap", kind: .capture, first: S.start, last: S.start + .seconds(120))
        }
        analyzer = Analyzer(sources: sources)
        frames = Array(repeating: 0, count: inside + outside)
    }

    private mutating func see(_ what: Observation.What, _ tap: Int, _ source: Endpoint, _ destination: Endpoint, _ time: Double) {
        frames[tap] += 1
        analyzer.observe(
            Observation(
                place: .frame(file: tap, number: frames[tap]), time: S.start + .microseconds(Int64((time * 1e6).rounded())),
                source: source, destination: destination, transport: .udp, what: what))
    }

    /// `on`: the taps that it passes; all of them by default.
    mutating func send(_ text: String, at seconds: Double, isOutbound: Bool, on: [Int]? = nil) {
        for tap in on ?? Array(taps.indices) {
            let (own, delay) = taps[tap]
            see(
                .sip(Array(text.utf8), isCut: false), tap, isOutbound ? own : S.server, isOutbound ? S.server : own,
                seconds + (isOutbound ? delay : 0.05 - delay))
        }
    }

    /// 500 packets, ports 4000 at the phone and 12000 at the server. `lost`: whether a packet does not pass a tap.
    mutating func audio(
        isOutbound: Bool, ssrc: UInt32, from: Double = 1.1, lost: (_ tap: Int, _ number: Int) -> Bool = { _, _ in false }
    ) {
        let server = Endpoint("198.51.100.20:12000")!
        for tap in taps.indices {
            let (place, delay) = taps[tap]
            let own = Endpoint(place.address, 4_000)
            for number in 0..<500 where !lost(tap, number) {
                see(
                    .rtp(MediaScene.rtp(0, number, UInt32(number) * 160, ssrc)), tap, isOutbound ? own : server,
                    isOutbound ? server : own, from + Double(number) * 0.02 + (isOutbound ? delay : 0.05 - delay))
            }
        }
    }

    mutating func call() {
        let host = "192.168.1.100:5060"
        send(S.invite(), at: 0, isOutbound: true)
        send(S.answer(host: host), at: 1, isOutbound: false)
        send(S.ack(host: host), at: 1.06, isOutbound: true)
    }

    func accusations() -> [Finding] {
        var analyzer = analyzer
        return analyzer.finish().findings.filter { $0.severity.accuses }
    }
}
