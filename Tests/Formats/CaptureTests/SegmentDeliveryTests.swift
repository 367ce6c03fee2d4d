import Testing

@testable import Capture

@Suite("Segments that never arrive")
struct SegmentDeliveryTests {
    /// Whether it is stuck after these sendings, milliseconds, of one segment that nobody acknowledges.
    private static func isStuck(_ times: [Int64]) -> Bool {
        var delivery = SegmentDelivery()
        _ = delivery.acknowledge(1_000)
        for time in times { _ = delivery.sent(1_000, 500, at: time * 1_000_000) }
        return delivery.isStuck
    }

    @Test("sent four times without an answer is stuck, three times is not")
    func often() {
        #expect(Self.isStuck([0, 200, 600, 1_400]))
        #expect(!Self.isStuck([0, 200, 600]))
    }

    @Test("a capture that holds each packet twice shows no more sendings than there were")
    func twice() {
        #expect(!Self.isStuck([0, 0, 200, 200, 600, 600]))
        #expect(Self.isStuck([0, 0, 200, 200, 600, 600, 1_400, 1_400]))
    }

    @Test("what is stuck says so at each sending, and that it moves when it arrives")
    func moves() {
        var delivery = SegmentDelivery()
        _ = delivery.acknowledge(1_000)
        var said: [Bool] = []
        for time in [0, 200, 600, 1_400, 3_000] as [Int64] { said.append(delivery.sent(1_000, 500, at: time * 1_000_000)) }
        #expect(said == [false, false, false, true, true])
        #expect(delivery.sends == 5 && delivery.octets == 500 && delivery.since == 0)
        let moved = delivery.acknowledge(1_500)
        #expect(moved && !delivery.isStuck)
    }
}
