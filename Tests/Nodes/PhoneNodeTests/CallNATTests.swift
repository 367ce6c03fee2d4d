import Base
import PhoneNode
import SDP
import SIP
import STUN
import Testing

/// A NAT in front of one phone: every inside endpoint gets one outside port (or one for each destination), and only who was sent to
/// may send back.
private final class TestNAT {
    struct Mapping {
        var inside: Endpoint
        var outside: Endpoint
        var towards: Endpoint?
        var spokenTo: Set<Endpoint> = []
    }

    let inside: IPAddress
    let outside: IPAddress
    /// One mapping for each destination ("symmetric" once).
    let isDependent: Bool
    var mappings: [Mapping] = []

    init(_ inside: String, _ outside: String, isDependent: Bool = false) {
        self.inside = IPAddress(inside)!
        self.outside = IPAddress(outside)!
        self.isDependent = isDependent
    }

    func out(_ datagram: Datagram) -> Datagram {
        guard datagram.source.address == inside else { return datagram }
        let towards = isDependent ? datagram.destination : nil
        let place =
            mappings.firstIndex { $0.inside == datagram.source && $0.towards == towards }
            ?? {
                mappings.append(
                    Mapping(
                        inside: datagram.source, outside: Endpoint(outside, UInt16(40_000 + mappings.count)), towards: towards))
                return mappings.count - 1
            }()
        mappings[place].spokenTo.insert(datagram.destination)
        return Datagram(from: mappings[place].outside, to: datagram.destination, datagram.payload)
    }

    func back(_ datagram: Datagram) -> Datagram? {
        guard datagram.destination.address == outside else { return datagram.destination.address == inside ? nil : datagram }
        guard let mapping = mappings.first(where: { $0.outside == datagram.destination }),
            mapping.spokenTo.contains(datagram.source)
        else { return nil }
        return Datagram(from: datagram.source, to: mapping.inside, datagram.payload)
    }
}

@Suite("Calls through NATs")
struct CallNATTests {
    static let stun = Endpoint("203.0.113.11:3478")!

    /// The first phone is behind a NAT, the second has a public address; or both are behind NATs. Signalling of the second is reached
    /// through a port that was forwarded by hand, so that only the audio is in question.
    private func world(
        ice: Bool = false, stun: Bool = true, dependent: Bool = false, both: Bool = false, symmetricRTP: Bool = false,
        answersSTUN: Bool = true
    ) -> CallWorld {
        var caller = CallSettings(symmetricRTP: symmetricRTP, ice: ice)
        caller.codecs = ["PCMU"]
        var callee = CallSettings.auto()
        callee.ice = ice
        callee.symmetricRTP = symmetricRTP
        var first = PhoneSettings.caller(1, calls: caller)
        first.locals = [Endpoint("10.0.0.1:5060")!]
        var second = PhoneSettings.caller(2, calls: callee)
        if both { second.locals = [Endpoint("10.1.0.2:5060")!] }
        if stun { first.stunServer = .init("203.0.113.11:3478") }
        if stun { second.stunServer = .init("203.0.113.11:3478") }
        var world = CallWorld([first, second])
        let near = TestNAT("10.0.0.1", "198.51.100.1", isDependent: dependent)
        let far = TestNAT("10.1.0.2", "198.51.100.2", isDependent: dependent)
        if both {
            far.mappings = [.init(inside: Endpoint("10.1.0.2:5060")!, outside: Endpoint("198.51.100.2:5060")!, towards: nil)]
        }
        world.scripted = [Self.stun]
        world.script = { datagram, _ in
            guard answersSTUN, let request = try? STUNMessage(datagram.payload) else { return [] }
            var writer = STUNWriter(.bindingSuccess, request.transactionID)
            writer.add(.xorMappedAddress(datagram.source))
            return [Datagram(from: datagram.destination, to: datagram.source, writer.bytes)]
        }
        world.wire = { datagram in
            let outside = far.out(near.out(datagram))
            // SIP passes whatever the filters say: the test is about audio.
            if let place = far.mappings.firstIndex(where: { $0.outside == outside.destination && $0.inside.port == 5060 }) {
                far.mappings[place].spokenTo.insert(outside.source)
            }
            if let place = near.mappings.firstIndex(where: { $0.outside == outside.destination && $0.inside.port == 5060 }) {
                near.mappings[place].spokenTo.insert(outside.source)
            }
            return near.back(outside).flatMap { far.back($0) }
        }
        return world
    }

    private func offered(_ world: CallWorld) throws -> Endpoint? {
        try SessionDescription(parsing: Array(try #require(world.requests(.invite).first).body)).rtpEndpoint(of: 0)
    }

    @Test("With a STUN server the public address of the audio port stands in SDP, and both hear each other")
    func stunned() throws {
        var world = world()
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(6))
        #expect(try offered(world)?.address == IPAddress("198.51.100.1"))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }

    @Test("Without STUN the private address stands in SDP, and audio is one-way; the report says so")
    func oneWay() throws {
        var world = world(stun: false)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(6))
        #expect(try offered(world) == Endpoint("10.0.0.1:16384"))
        world.input(0, .hangUp(outgoing))
        world.run(for: .seconds(1))
        let mine = try #require(world.report(0))
        #expect(mine.packetsReceived == 0)
        #expect(mine.mediaText == "SDP said 192.0.2.2:16384, but no RTP ever came; \(mine.packetsSent) packets sent")
        #expect(world.report(1)?.mediaText.hasPrefix("SDP said 10.0.0.1:16384, RTP came from 198.51.100.1:4000") == true)
    }

    @Test("Symmetric RTP: the public phone answers to where audio comes from, and both hear each other without STUN")
    func symmetric() throws {
        var world = world(stun: false, symmetricRTP: true)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(6))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }

    @Test("A STUN server that never answers delays the call by its patience and no more")
    func silentSTUN() throws {
        var world = world(answersSTUN: false)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .milliseconds(1_990))
        #expect(world.requests(.invite).isEmpty)
        world.run(for: .milliseconds(20))
        #expect(world.requests(.invite).count == 1)
        #expect(try offered(world) == Endpoint("10.0.0.1:16384"))
    }

    @Test("The mapping of the audio port is kept alive while the phone rings")
    func refreshed() throws {
        var world = world()
        world.input(1, .addressChanged([Endpoint("192.0.2.2:5060")!]))
        world.wire = { [wire = world.wire] datagram in
            (try? SIPMessage(parsing: datagram.payload)).map { $0.statusCode == 200 } ?? false ? nil : wire(datagram)
        }
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(50))
        let asked = world.media.filter {
            $0.datagram.source == Endpoint("10.0.0.1:16384") && $0.datagram.destination == Self.stun
        }
        #expect(asked.map { $0.at.components.seconds } == [0, 15, 30, 45])
    }

    @Test("ICE with STUN: both behind NATs that map and filter by destination address, and both hear each other")
    func iceBoth() throws {
        var world = world(ice: true, both: true)
        world.call(0, "sip:102@198.51.100.2")
        world.run(for: .seconds(8))
        let offer = try SessionDescription(parsing: Array(try #require(world.requests(.invite).first).body))
        let candidates = offer.media[0].candidates
        #expect(Set(candidates.map(\.kind)) == [.host, .serverReflexive])
        #expect(candidates.first { $0.kind == .serverReflexive }?.related == Endpoint("10.0.0.1:16384"))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
        #expect(world.traces[0].contains { $0.contains("ICE settles on 10.0.0.1:16384 to 198.51.100.2:4000") })
    }

    @Test("ICE without STUN, one side behind a symmetric NAT: its checks open the way")
    func iceSymmetric() throws {
        var world = world(ice: true, stun: false, dependent: true)
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(8))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }

    @Test("RFC 8839 4.2.5: an ALG that rewrote the address in SDP is noticed; the call does without ICE")
    func mismatch() throws {
        var world = world(ice: true)
        world.wire = { [wire = world.wire] datagram in
            var datagram = datagram
            let text = String(decoding: datagram.payload, as: UTF8.self)
            if text.hasPrefix("INVITE"), text.contains("c=IN IP4 198.51.100.1") {
                // As long as before, so that Content-Length stays right.
                datagram.payload = Array(text.replacing("c=IN IP4 198.51.100.1\r\n", with: "c=IN IP4 198.51.100.9\r\n").utf8)
            }
            return wire(datagram)
        }
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(5))
        #expect(world.traces[1].contains { $0.contains("does without ICE") && $0.contains("something between changed it") })
        #expect(world.wasAnswered(0))
    }

    @Test("A side without ICE is called as ever")
    func withoutICE() throws {
        var first = CallSettings()
        first.ice = true
        var world = CallWorld([.caller(1, calls: first), .caller(2, calls: .auto())])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(4))
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }

    @Test("ICE restarts with an address change, and the audio goes on")
    func restart() throws {
        var settings = CallSettings()
        settings.ice = true
        var answering = CallSettings.auto()
        answering.ice = true
        var world = CallWorld([.caller(1, calls: settings), .caller(2, calls: answering)])
        world.call(0, "sip:102@192.0.2.2")
        world.run(for: .seconds(4))
        let first = try SessionDescription(parsing: Array(try #require(world.requests(.invite).first).body)).ice(of: 0)
        world.input(0, .addressChanged([Endpoint("192.0.2.77:5060")!]))
        world.run(for: .seconds(7))
        let second = try SessionDescription(parsing: Array(try #require(world.requests(.invite).last).body)).ice(of: 0)
        #expect(first?.ufrag != second?.ufrag)
        #expect(world.share(of: 880, 0, outgoing) > 0.9)
        #expect(world.share(of: 440, 1, try #require(world.incoming(1))) > 0.9)
    }
}
