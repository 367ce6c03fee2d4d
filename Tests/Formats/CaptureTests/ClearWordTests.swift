import Base
import Capture
import Packet
import Testing

@Suite("What TLS says in the clear")
struct ClearWordTests {
    private func events(_ script: TCPScript) -> [StreamEvent.Kind] {
        CaptureTests.decode(packets: script.packets).events.map(\.kind).filter { $0 != .opening && $0 != .opened }
    }

    @Test("an alert is told where it is all that a server says, and a client that has no certificate")
    func clearWords() {
        var plain = TCPScript()
        plain.send(sipMessage(1))
        plain.send([0x15, 3, 1, 0, 2, 2, 70], fromClient: false)
        #expect(events(plain) == [.tlsAlert(70)])
        var parts = TCPScript()
        parts.send([0x15, 3, 1], fromClient: false)
        parts.send([0, 2, 2, 70], fromClient: false)
        #expect(events(parts) == [.tlsAlert(70)])
        var secure = TCPScript()
        secure.send([0x16, 3, 1, 0, 4, 1, 0, 0, 0])
        secure.send([0x16, 3, 3, 0, 4, 2, 0, 0, 0], fromClient: false)
        secure.send([0x16, 3, 3, 0, 7, 11, 0, 0, 3, 0, 0, 0])
        #expect(events(secure) == [.tls, .tls, .tlsNoCertificate])
    }
}
