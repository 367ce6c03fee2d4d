import Analysis
import Base
import Testing

@testable import Analysis

/// A server in a cloud has a private address, and a public one that is translated one to one: what it names is not what its packets show.
@Suite("media of a server whose address is translated")
struct TranslatedMediaTests {
    private static let server = Endpoint("10.0.0.11:5060")!

    private static func inner(_ port: UInt16) -> Endpoint { Endpoint(Self.server.address, port) }

    /// Two phones behind one address call each other, twice, through a proxy that relays. `heard`: the streams that are there.
    private static func calls(heard: Set<Int> = Set(0..<8)) -> MediaScene {
        var scene = MediaScene()
        for round in 0..<2 {
            let (start, dialog) = (Double(round) * 10, round)
            let (caller, callee) = (Endpoint("198.51.100.2:5060")!, Endpoint("198.51.100.2:4319")!)
            let ports = (caller: UInt16(40_700 + round), callee: UInt16(12_500 + round), relay: UInt16(35_000 + 4 * round))
            func told(_ address: String, _ port: UInt16, isAnswer: Bool) -> CallFact.What {
                .description(MediaScene.sdp(Endpoint("\(address):\(port)")!), isAnswer: isAnswer)
            }
            scene.fact(
                told("192.168.1.21", ports.caller, isAnswer: false), dialog: dialog, fromCaller: true, at: start, source: caller,
                destination: server)
            scene.fact(
                told("198.51.100.66", ports.relay + 2, isAnswer: false), dialog: dialog, fromCaller: true, at: start + 0.1,
                source: server, destination: callee)
            scene.fact(
                told("192.168.1.22", ports.callee, isAnswer: true), dialog: dialog, fromCaller: false, at: start + 1,
                source: callee, destination: server)
            scene.fact(
                told("198.51.100.66", ports.relay, isAnswer: true), dialog: dialog, fromCaller: false, at: start + 1.1,
                source: server, destination: caller)
            for (fact, fromCaller) in [(CallFact.What.answered, false), (.acknowledged, true)] {
                scene.fact(
                    fact, dialog: dialog, fromCaller: fromCaller, at: start + 1.2, source: fromCaller ? caller : server,
                    destination: fromCaller ? server : caller)
            }
            scene.fact(.ended, dialog: dialog, fromCaller: true, at: start + 8, source: caller, destination: server)
            let (one, other) = (Endpoint(caller.address, ports.caller), Endpoint(caller.address, ports.callee))
            let streams = [
                (one, inner(ports.relay)), (inner(ports.relay), one), (other, inner(ports.relay + 2)),
                (inner(ports.relay + 2), other),
            ]
            // The same source of media goes on from call to call.
            for (index, (from, to)) in streams.enumerated() where heard.contains(4 * round + index) {
                scene.say(from, to, at: start + 1.3) {
                    $0.ssrc = UInt32(7 + index)
                    $0.sequence = 1_000 + 400 * round
                }
            }
        }
        return scene
    }

    @Test("calls that are heard are heard, though every address that was named is another")
    func healthy() {
        var scene = Self.calls()
        #expect(scene.accusations() == [])
    }

    @Test("a call whose callee is silent is told, and the other not")
    func silent() {
        var scene = Self.calls(heard: [0, 1, 2, 3, 4, 7])
        let accusations = scene.accusations()
        #expect(accusations.count == 1 && accusations[0].hasSuffix("[1]"), "\(accusations)")
    }
}
