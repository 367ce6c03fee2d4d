import Base
import Capture
import Testing

@testable import Analysis

@Suite("media.one-way as a note: a NAT that gives each destination a port of its own")
struct PortTests {
    private let named = MediaScene.callerAudio
    private let actual = Endpoint("198.51.100.5:52311")!
    private let server = MediaScene.calleeAudio

    /// A call whose caller names port 4000 and sends from another; the server sends to `target`.
    private func notes(translates: Bool = true, to target: Endpoint, from source: Endpoint? = nil) -> [String] {
        var scene = MediaScene()
        if translates { scene.media.translates(at: PackedAddress(MediaScene.caller.address)) }
        scene.call(ended: 20)
        scene.say(source ?? actual, server, at: 1.1) { $0.seconds = 18 }
        scene.say(server, target, at: 1.1) {
            $0.seconds = 18; $0.ssrc = 2
        }
        return scene.finish().findings.filter { $0.name == .mediaOneWay }.map { "\($0.severity) \($0.summary)" }
    }

    @Test("a port that nothing comes from, and to which the server sends all the time: a note, as it may be heard there")
    func note() {
        #expect(
            notes(to: named) == [
                "note The audio of the caller (198.51.100.5:5060) comes from port 52311, its SDP names port 4000, and the callee sends there all the time: "
                    + "if the caller hears nothing, its NAT gives each destination another port, and the named one leads nowhere."
            ])
    }

    @Test("a server that latches, the same port, and a gateway of which no NAT is known: nothing")
    func innocent() {
        #expect(notes(to: actual) == [])
        #expect(notes(to: named, from: named) == [])
        #expect(notes(translates: false, to: named) == [])
    }
}
