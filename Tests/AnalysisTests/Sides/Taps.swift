import Base
import Capture

@testable import Analysis

/// Two taps of one router, the outside's clock `skew` ahead.
struct Taps {
    private typealias S = SideScene
    private static let host = "192.168.1.100:5060"

    var analyzer = Analyzer(sources: [
        SourceSummary(name: "in.pcap", kind: .capture), SourceSummary(name: "out.pcap", kind: .capture),
    ])
    let skew: Double
    /// From the inner tap to the outer and back, seconds.
    var trip = 0.0
    private var frames = [0, 0]

    init(skew: Double = 0) { self.skew = skew }

    mutating func see(_ what: Observation.What, _ file: Int, _ source: Endpoint, _ destination: Endpoint, at seconds: Double) {
        frames[file] += 1
        let time = seconds + (file == 1 ? skew : 0)
        analyzer.observe(
            Observation(
                place: .frame(file: file, number: frames[file]), time: S.start + .microseconds(Int64((time * 1e6).rounded())),
                source: source, destination: destination, transport: .udp, what: what))
    }

    /// `sides`: 0 the inside, 1 the outside.
    mutating func send(_ text: String, at seconds: Double, isOutbound: Bool, on sides: [Int] = [0, 1]) {
        let what = Observation.What.sip(Array(text.utf8), isCut: false)
        for side in sides {
            let own = side == 0 ? S.phone : S.outer
            see(
                what, side, isOutbound ? own : S.server, isOutbound ? S.server : own,
                at: seconds + (side == 0 ? isOutbound ? 0 : trip : 0.0004))
        }
    }

    mutating func audio(
        _ file: Int, _ source: Endpoint, _ destination: Endpoint, ssrc: UInt32, without: (Int) -> Bool = { _ in false }
    ) {
        for number in 0..<500 where !without(number) {
            let bytes = MediaScene.rtp(0, number, UInt32(number) * 160, ssrc)
            see(.rtp(bytes), file, source, destination, at: 1.1 + Double(number) * 0.02)
        }
    }

    mutating func call(ackedOutside: Bool = true) {
        send(S.invite(), at: 0, isOutbound: true)
        send(S.answer(host: Self.host), at: 1, isOutbound: false)
        send(S.ack(host: Self.host), at: 1.01, isOutbound: true, on: ackedOutside ? [0, 1] : [0])
    }

    /// With other bytes outside.
    mutating func send(_ inside: String, _ outside: String, at seconds: Double, isOutbound: Bool) {
        send(inside, at: seconds, isOutbound: isOutbound, on: [0])
        send(outside, at: seconds, isOutbound: isOutbound, on: [1])
    }

    func accusations() -> [Finding] {
        var analyzer = analyzer
        return analyzer.finish().findings.filter { $0.severity.accuses }
    }
}
