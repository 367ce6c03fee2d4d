import Base
import PhoneNode
import SIP
import Testing

@Suite("Calls between two phones")
struct CallTests {
    @Test("A call is made, answered, heard in both directions and hung up")
    func straight() throws {
        var world = CallWorld([.caller(1), .caller(2, calls: .auto())])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(5))
        let incoming = try #require(world.incoming(1))
        #expect(world.share(of: 880, 0, outgoing) > 0.95)
        #expect(world.share(of: 440, 1, incoming) > 0.95)
        #expect(world.phones[0].callCount == 1)
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let mine = try #require(world.report(0))
        let theirs = try #require(world.report(1))
        #expect(mine.end == .hungUp)
        #expect(theirs.end == .hungUpByPeer)
        #expect(mine.isSuccess && theirs.isSuccess)
        #expect(mine.codec == "PCMA")
        #expect(mine.lost == 0)
        #expect(mine.packetsReceived > 190)
        #expect(mine.source == Endpoint("192.0.2.2:16384"))
        #expect((mine.meanOpinionScore ?? 0) > 4.3)
        #expect(world.phones[0].callCount == 0)
        #expect(world.requests(.invite).count == 1)
        #expect(world.requests(.bye).count == 1)
        world.run(for: .seconds(60))
        #expect(world.phones.allSatisfy { $0.nextDeadline == nil })
    }
}
