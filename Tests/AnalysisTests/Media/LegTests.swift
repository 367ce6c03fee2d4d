import Analysis
import Base
import Testing

@Suite("silence in several calls, and in both legs of one")
struct LegTests {
    private static let phone = Endpoint("10.20.0.5:5060")!
    private static let hub = Endpoint("203.0.113.9:5060")!
    private static let trunk = Endpoint("192.0.2.200:5060")!

    /// A call between two hosts that signal where their audio is, with who speaks.
    private func call(
        _ scene: inout MediaScene, _ dialog: Int, _ from: Endpoint, _ to: Endpoint, at began: Double, callee: Bool,
        media: Endpoint? = nil
    ) {
        let port = UInt16(10_000 + dialog * 10)
        let (a, b) = (Endpoint(from.address, port), Endpoint((media ?? to).address, port + 2))
        scene.call(
            dialog: dialog, began: began, ended: began + 20, offer: MediaScene.sdp(a), answer: MediaScene.sdp(b), source: from,
            destination: to)
        scene.say(a, b, at: began + 1) {
            $0.seconds = 18
            $0.ssrc = UInt32(dialog * 2 + 1)
        }
        guard callee else { return }
        scene.say(b, a, at: began + 1) {
            $0.seconds = 18
            $0.ssrc = UInt32(dialog * 2 + 2)
        }
    }

    @Test(
        "a host silent in each of its calls, where others are heard: one fault, in one call or in three", arguments: [1, 2, 3])
    func every(count: Int) throws {
        var scene = MediaScene()
        scene.neighbour()
        for number in 0..<count { call(&scene, number, Self.phone, Self.hub, at: Double(number) * 40, callee: false) }
        let found = scene.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.map(\.count) == [count])
        #expect(found.map(\.subject.dialogs) == [Array(0..<count)])
    }

    @Test("a trunk that says nothing: the phone's leg follows from it")
    func trunkSilent() throws {
        var scene = MediaScene()
        scene.neighbour()
        call(&scene, 0, Self.phone, Self.hub, at: 0, callee: false)
        call(&scene, 1, Self.hub, Self.trunk, at: 0.1, callee: false)
        let found = scene.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.subject.dialogs) == [[1]])
        #expect(try #require(found.first).summary.contains("the callee (192.0.2.200:5060) was never heard"))
    }

    @Test("a server that hears the trunk and passes nothing on is the fault")
    func notPassedOn() throws {
        var scene = MediaScene()
        call(&scene, 0, Self.phone, Self.hub, at: 0, callee: false)
        call(&scene, 1, Self.hub, Self.trunk, at: 0.1, callee: true)
        let found = scene.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.culprit) == [.proved("203.0.113.9")])
        #expect(try #require(found.first).summary.contains("on the other leg of the call and sends none of it on."))
    }

    @Test("both legs heard both ways accuse nobody")
    func heard() {
        var scene = MediaScene()
        call(&scene, 0, Self.phone, Self.hub, at: 0, callee: true)
        call(&scene, 1, Self.hub, Self.trunk, at: 0.1, callee: true)
        #expect(scene.accusations() == [])
    }

    @Test(
        "a server with an address on each side: legs that begin, are answered and end together are one call",
        arguments: [0.05, 3])
    func twoAddresses(apart: Double) {
        var scene = MediaScene()
        scene.neighbour()
        call(&scene, 0, Self.phone, Self.hub, at: 0, callee: false)
        call(&scene, 1, Endpoint("192.0.2.44:5060")!, Self.trunk, at: apart, callee: false)
        #expect(scene.accusations().count == (apart < 1 ? 1 : 2))
    }
}
