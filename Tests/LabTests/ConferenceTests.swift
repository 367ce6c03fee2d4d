import Base
import Capture
import Lab
import Packet
import PhoneNode
import ServerNode
import Testing

@Suite("three phones behind three routers in one room")
struct ConferenceTests {
    static let outcome = Conference(isRecorded: true).hold()

    @Test("each hears the other two, as loud as they play, and not itself")
    func hearing() {
        let levels = Self.outcome.levels
        for listener in 0..<3 {
            for speaker in 0..<3 {
                let level = levels[listener][speaker] ?? -1
                if listener == speaker {
                    #expect(level >= 0 && level < 60)
                } else {
                    // A sine with a peak of 8000, once or twice through G.711.
                    #expect(level > 5_300 && level < 6_000)
                }
            }
        }
        let isComplete = Self.outcome.isComplete
        #expect(isComplete)
    }

    @Test("who leaves falls silent for the others: each tone is heard from entry to exit and not beyond")
    func comings() throws {
        let start = Self.outcome.start
        let spans = Self.outcome.spans
        // The second dials after 3 s, and hears the first until that one leaves after 10 s.
        let span = try #require(spans[1][0])
        #expect(span.lowerBound - start > .seconds(3) && span.lowerBound - start < .milliseconds(4_000))
        #expect(span.upperBound - start > .milliseconds(9_800) && span.upperBound - start < .milliseconds(10_600))
        let reports = Self.outcome.seats.map { Self.outcome.world.calls(of: $0.phone).first?.report?.end }
        #expect(reports == [.hungUp, .hungUp, .hungUp])
    }

    @Test("the phone on IPv6 sends and receives not one IPv4 packet, the others not one of IPv6")
    func families() throws {
        for capture in Self.outcome.world.captures where capture.link.hasPrefix("home") {
            let isIPv6 = capture.link.hasSuffix("chloe")
            let packets = try PcapFile(capture.pcap).packets
            #expect(packets.count > 500)
            let fit = packets.allSatisfy { (try? IPPacket($0.1).source.isIPv6) == isIPv6 }
            #expect(fit)
        }
    }

    @Test("the server says where each one's audio really came from")
    func verdicts() throws {
        let verdicts = (0..<3).map { Self.outcome.record(of: $0)?.parties.first?.streams.first?.verdict }
        let anna = try #require(verdicts[0])
        #expect(anna.signalled == Endpoint("192.168.1.64:16384") && anna.source?.means == .learnt)
        #expect(anna.source?.endpoint.address == IPAddress("192.0.2.80") && anna.source?.packet == 3)
        let ben = try #require(verdicts[1])
        // His router's helper has put the right address into his SDP.
        #expect(ben.signalled == ben.source?.endpoint && ben.signalled?.address == IPAddress("198.51.100.20"))
        let chloe = try #require(verdicts[2])
        #expect(chloe.source?.means == .signalled && chloe.signalled?.address.isIPv6 == true)
    }

    @Test("the same seed gives the same octets on every link, and the same levels")
    func determinism() {
        let again = Conference(isRecorded: true).hold()
        let isSame = again.world.captures.map(\.pcap) == Self.outcome.world.captures.map(\.pcap)
        #expect(isSame && again.levels == Self.outcome.levels)
        let other = Conference(seed: 8, isRecorded: true).hold()
        let isOther = other.world.captures.map(\.pcap) != Self.outcome.world.captures.map(\.pcap)
        let isComplete = other.isComplete
        #expect(isOther && isComplete)
    }
}
