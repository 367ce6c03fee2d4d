import Capture
import Packet
import Testing

@Suite("TCP streams of captures that mix up the order of their packets, as of several interfaces")
struct StreamOrderTests {
    /// A handshake, a request and its answer, the first packets in this order.
    private func decode(_ order: [Int], reuses: Bool = false) -> Decoded {
        var script = TCPScript()
        script.send(sipMessage(1))
        script.send(sipMessage(2), fromClient: false)
        let rest = script.packets[order.count...]
        script.packets = order.map { script.packets[$0] } + rest
        if reuses {
            script.clientNext = 70_000
            script.segment(fromClient: true, at: script.clientNext, flags: .syn)
            script.clientNext &+= 1
            script.send(sipMessage(3))
        }
        return CaptureTests.decode(packets: script.packets)
    }

    @Test(
        "the SYN behind its answer, behind the octets that follow it, or behind both: nothing is lost",
        arguments: [[0], [1, 0], [0, 1, 3, 2], [3, 0, 1, 2], [1, 3, 0, 2], [1, 0, 2, 4, 3]])
    func swapped(order: [Int]) {
        let decoded = decode(order)
        #expect(decoded.payloads.count == 2)
        #expect(decoded.payloads.contains(sipMessage(1)) && decoded.payloads.contains(sipMessage(2)))
        #expect(decoded.notes.gaps == 0)
    }

    @Test("a SYN of other numbers on the same ports begins a connection anew")
    func reused() {
        let decoded = decode([0], reuses: true)
        #expect(decoded.payloads.last == sipMessage(3))
        #expect(decoded.notes.connections == 2)
    }
}
