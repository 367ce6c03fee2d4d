import Base
import NAT
import Packet
import Testing

@Suite("RFC 5382: TCP")
struct RFC5382Tests {
    static let a = "192.168.1.2:40000"
    static let server = "203.0.113.5:5060"
    static let outside = "192.0.2.1:40000"

    /// A connection from inside, past its handshake.
    static func connected(_ change: (inout NATSettings) -> Void = { _ in }) -> Rig {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent, change)
        #expect(rig.tcpOut(a, server, .syn) == .through(outside, server))
        #expect(rig.tcpBack(server, outside, [.syn, .ack]) == .through(server, a))
        #expect(rig.tcpOut(a, server, .ack) == .through(outside, server))
        return rig
    }

    static func isAlive(_ rig: Rig) -> Bool { rig.tcpBack(server, outside, .ack) == .through(server, a) }

    @Test(
        "REQ-1: one mapping for all connections of an internal endpoint, or as the mapping depends",
        arguments: Dependence.allCases)
    func mapping(_ dependence: Dependence) {
        let rig = Rig(dependence)
        for remote in [Self.server, "203.0.113.5:80", "198.51.100.7:80"] {
            guard case .through = rig.tcpOut(Self.a, remote, .syn) else { return #expect(Bool(false), "SYN to \(remote)") }
        }
        #expect(rig.nat.mappingCount == [.endpointIndependent: 1, .addressDependent: 2, .addressAndPortDependent: 3][dependence])
    }

    struct Segment: Sendable {
        var direction: NATDirection
        var flags: TCPHeader.Flags
        var state: TCPState

        init(_ direction: NATDirection, _ flags: TCPHeader.Flags, _ state: TCPState) {
            self.direction = direction
            self.flags = flags
            self.state = state
        }
    }

    @Test(
        "REQ-2: every valid sequence of segments passes, and is followed",
        arguments: [
            [
                Segment(.outbound, .syn, .outboundSYN), Segment(.inbound, [.syn, .ack], .established),
                Segment(.outbound, .ack, .established), Segment(.outbound, [.fin, .ack], .outboundFIN),
                Segment(.inbound, .ack, .outboundFIN), Segment(.inbound, [.fin, .ack], .closed),
                Segment(.outbound, .ack, .closed),
            ],
            // Simultaneous open.
            [
                Segment(.outbound, .syn, .outboundSYN), Segment(.inbound, .syn, .established),
                Segment(.outbound, [.syn, .ack], .established), Segment(.inbound, [.syn, .ack], .established),
            ],
            // Closed by the remote; a new connection between the same ends.
            [
                Segment(.outbound, .syn, .outboundSYN), Segment(.inbound, [.syn, .ack], .established),
                Segment(.inbound, [.fin, .ack], .inboundFIN), Segment(.outbound, [.fin, .ack], .closed),
                Segment(.outbound, .syn, .outboundSYN), Segment(.inbound, [.syn, .ack], .established),
            ],
            // Reset, and one that was not meant.
            [
                Segment(.outbound, .syn, .outboundSYN), Segment(.inbound, [.syn, .ack], .established),
                Segment(.inbound, .rst, .reset), Segment(.inbound, .rst, .reset), Segment(.outbound, .ack, .established),
                Segment(.outbound, .rst, .reset), Segment(.outbound, .syn, .outboundSYN),
            ],
        ])
    func sequences(_ segments: [Segment]) {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent)
        for (number, segment) in segments.enumerated() {
            let seen: Seen
            switch segment.direction {
            case .outbound:
                seen = rig.tcpOut(Self.a, Self.server, segment.flags)
                #expect(seen == .through(Self.outside, Self.server), "segment \(number)")
            case .inbound:
                seen = rig.tcpBack(Self.server, Self.outside, segment.flags)
                #expect(seen == .through(Self.server, Self.a), "segment \(number)")
            }
            #expect(rig.nat.mappings.first?.tcp == segment.state, "after segment \(number)")
        }
    }

    @Test("REQ-3: who may open a connection to a mapping", arguments: Dependence.allCases)
    func filtering(_ dependence: Dependence) {
        let rig = Rig(.endpointIndependent, dependence) { $0.timers.heldSYN = nil }
        _ = rig.tcpOut(Self.a, Self.server, .syn)
        let rows: [(from: String, isIn: Bool)] = [
            ("203.0.113.5:81", dependence != .addressAndPortDependent), ("198.51.100.7:80", dependence == .endpointIndependent),
        ]
        for row in rows {
            #expect(
                rig.tcpBack(row.from, Self.outside, .syn) == (row.isIn ? .through(row.from, Self.a) : .dropped(.filtered)))
        }
    }

    @Test("REQ-4: an unsolicited SYN is held six seconds in silence, then answered with port unreachable")
    func heldSYN() throws {
        let rig = Rig()
        let syn = tcp(Self.server, Self.outside, .syn)
        #expect(rig.receive(syn) == .held(.unsolicitedSYN))
        #expect(rig.receive(syn) == .held(.unsolicitedSYN))
        #expect(rig.nat.nextDeadline == rig.now + .seconds(6))
        rig.wait(5.999)
        rig.nat.advance(to: rig.now)
        #expect(rig.outputs().isEmpty)
        rig.wait(0.001)
        rig.nat.advance(to: rig.now)
        let outputs = rig.outputs()
        #expect(outputs.count == 1)
        guard case .toExternal(let bytes)? = outputs.first else { return #expect(Bool(false), "no answer") }
        verify(bytes)
        let parsed = try IPPacket(bytes)
        guard case .icmp(let icmp) = parsed.transport else { return #expect(Bool(false), "no ICMP") }
        #expect(icmp.meaning == .portUnreachable)
        #expect(parsed.destination == at(Self.server).address && parsed.source == .v4(external))
        #expect(Array(bytes[icmp.payload]) == syn)
    }

    @Test("REQ-4: an outbound SYN for the connection in the meantime makes the NAT forget the held one")
    func heldSYNMet() {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent)
        #expect(rig.tcpBack(Self.server, Self.outside, .syn) == .held(.unsolicitedSYN))
        rig.wait(1)
        #expect(rig.tcpOut(Self.a, Self.server, .syn) == .through(Self.outside, Self.server))
        #expect(rig.tcpBack(Self.server, Self.outside, .syn) == .through(Self.server, Self.a))
        rig.wait(10)
        rig.nat.advance(to: rig.now)
        #expect(rig.outputs().isEmpty)
    }

    @Test("REQ-4a: where the policy is silence an unsolicited SYN is dropped at once, and nothing is ever sent")
    func silentSYN() {
        let rig = Rig { $0.timers.heldSYN = nil }
        #expect(rig.tcpBack(Self.server, Self.outside, .syn) == .dropped(.noMapping))
        rig.wait(10)
        rig.nat.advance(to: rig.now)
        #expect(rig.outputs().isEmpty)
        #expect(rig.nat.nextDeadline == nil)
    }

    @Test("REQ-3b: a rule filters TCP apart from UDP")
    func filteringApart() {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) {
            $0.rules = [PortRule(.tcp, remotePorts: 0...65_535, filtering: .endpointIndependent)]
        }
        _ = rig.tcpOut(Self.a, Self.server, .syn)
        _ = rig.out(Self.a, Self.server)
        let other = "198.51.100.7:80"
        #expect(rig.tcpBack(other, Self.outside, .syn) == .through(other, Self.a))
        #expect(rig.back(other, Self.outside) == .dropped(.filtered))
    }

    @Test("REQ-5a and RFC 7857 7.1: a RST from inside prolongs nothing, whatever the time set")
    func outboundRST() {
        let rig = Self.connected { $0.timers.tcpTransitory = .seconds(100) }
        #expect(rig.tcpOut(Self.a, Self.server, .rst) == .through(Self.outside, Self.server))
        rig.wait(80)
        #expect(rig.tcpOut(Self.a, Self.server, .rst) == .through(Self.outside, Self.server))
        rig.wait(20)
        #expect(rig.tcpBack(Self.server, Self.outside, .ack) == .dropped(.noMapping))
    }

    @Test("REQ-4: held SYNs are bounded")
    func heldSYNLimit() {
        let rig = Rig { $0.limits.heldSYNs = 2 }
        let seen = (1...3).map { rig.tcpBack("203.0.113.\($0):9", Self.outside, .syn) }
        #expect(seen == [.held(.unsolicitedSYN), .held(.unsolicitedSYN), .dropped(.heldSYNLimit)])
    }

    @Test("REQ-5: an established connection may be idle for 2 h 4 min")
    func establishedTime() {
        let rig = Self.connected()
        rig.wait(7439.9)
        #expect(Self.isAlive(rig))
        rig.wait(7440)
        #expect(!Self.isAlive(rig))
        #expect(rig.nat.mappingCount == 0)
    }

    @Test("REQ-5: opening, closing and reset ones 4 min; stragglers do not prolong what is over")
    func transitoryTime() {
        let opening = Rig(.endpointIndependent, .addressAndPortDependent)
        _ = opening.tcpOut(Self.a, Self.server, .syn)
        opening.wait(239.9)
        #expect(opening.tcpBack(Self.server, Self.outside, .rst) == .through(Self.server, Self.a))
        opening.wait(0.1)
        opening.nat.advance(to: opening.now)
        #expect(opening.nat.mappingCount == 0)

        let closing = Self.connected()
        _ = closing.tcpOut(Self.a, Self.server, [.fin, .ack])
        closing.wait(1000)
        #expect(closing.tcpBack(Self.server, Self.outside, [.fin, .ack]) == .through(Self.server, Self.a))
        closing.wait(200)
        #expect(closing.tcpOut(Self.a, Self.server, .ack) == .through(Self.outside, Self.server))
        closing.wait(40)
        closing.nat.advance(to: closing.now)
        #expect(closing.nat.mappingCount == 0)
        #expect(closing.traces().contains { if case .ended(_, .closed) = $0 { true } else { false } })

        let reset = Self.connected()
        _ = reset.tcpBack(Self.server, Self.outside, .rst)
        reset.wait(240)
        reset.nat.advance(to: reset.now)
        #expect(reset.nat.mappingCount == 0)
    }

    @Test("REQ-5: a mapping lives as long as the longest of its connections")
    func severalConnections() {
        let rig = Self.connected()
        rig.wait(100)
        _ = rig.tcpOut(Self.a, "198.51.100.7:80", .syn)
        rig.wait(240)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.mappingCount == 1)
        #expect(Self.isAlive(rig))
        #expect(rig.tcpBack("198.51.100.7:80", Self.outside, .ack) == .dropped(.filtered))
    }

    @Test("REQ-6: a payload passes untouched")
    func payload() throws {
        let rig = Self.connected()
        let payload = Array("PORT 192,168,1,2,4,1\r\n".utf8)
        let sent = try #require(rig.sent(tcp(Self.a, Self.server, [.psh, .ack], payload)))
        verify(sent)
        #expect(Array(sent.suffix(payload.count)) == payload)
    }

    @Test("REQ-7: no overloading: two hosts with one port stay apart")
    func portAssignment() {
        let rig = Rig()
        #expect(rig.tcpOut("192.168.1.2:80", Self.server, .syn) == .through("192.0.2.1:80", Self.server))
        guard case .through(let second, _) = rig.tcpOut("192.168.1.3:80", Self.server, .syn) else {
            return #expect(Bool(false), "refused")
        }
        #expect(second != "192.0.2.1:80")
        #expect(rig.tcpBack(Self.server, second, [.syn, .ack]) == .through(Self.server, "192.168.1.3:80"))
    }

    @Test("UDP and TCP mappings of one endpoint are apart")
    func apart() {
        let rig = Self.connected()
        #expect(rig.back(Self.server, Self.outside) == .dropped(.noMapping))
        #expect(rig.out(Self.a, Self.server) == .through(Self.outside, Self.server))
        #expect(rig.nat.mappingCount == 2)
    }

    @Test("REQ-8: hairpinned connections, with the external source")
    func hairpin() {
        let rig = Rig()
        let b = "192.168.1.3:80"
        _ = rig.tcpOut(b, Self.server, .syn)
        #expect(rig.tcpOut(Self.a, "192.0.2.1:80", .syn) == .hairpin(Self.outside, b))
        #expect(rig.tcpOut(b, Self.outside, [.syn, .ack]) == .hairpin("192.0.2.1:80", Self.a))
        #expect(rig.tcpOut(Self.a, "192.0.2.1:80", .ack) == .hairpin(Self.outside, b))
    }

    @Test("REQ-9: ICMP unreachable about a segment reaches its sender, with the quotation translated")
    func icmp() throws {
        let rig = Self.connected()
        let segment = tcp(Self.a, Self.server, .ack)
        let sent = try #require(rig.sent(segment))
        // Eight octets of TCP, as RFC 792 asks for, and the whole.
        for length in [28, sent.count] {
            let error = try ICMPMessage.hostUnreachable(quoting: Array(sent[..<length]))
                .packet(from: IPAddress("198.51.100.1")!, to: .v4(external))
            let received = try #require(rig.received(error))
            verify(received)
            let parsed = try IPPacket(received)
            guard case .icmp(let icmp) = parsed.transport else { return #expect(Bool(false), "no ICMP") }
            #expect(parsed.destination == at(Self.a).address)
            #expect(Array(received[icmp.payload]) == Array(segment[..<length]))
        }
    }

    @Test("REQ-10: ICMP does not end a connection")
    func icmpLeavesConnection() throws {
        let rig = Self.connected()
        let sent = try #require(rig.sent(tcp(Self.a, Self.server, .ack)))
        _ = rig.receive(try ICMPMessage.portUnreachable(quoting: sent).packet(from: at(Self.server).address, to: .v4(external)))
        #expect(Self.isAlive(rig))
        #expect(rig.nat.mappings.first?.tcp == .established)
    }

    @Test("a segment of no known connection is dropped, or picked up where the box does that")
    func midway() {
        let strict = Rig()
        #expect(strict.tcpOut(Self.a, Self.server, .ack) == .dropped(.noConnection))
        #expect(strict.nat.mappingCount == 0)
        let loose = Rig { $0.picksUpTCPMidway = true }
        #expect(loose.tcpOut(Self.a, Self.server, .ack) == .through(Self.outside, Self.server))
        #expect(loose.nat.mappings.first?.tcp == .established)
    }
}
