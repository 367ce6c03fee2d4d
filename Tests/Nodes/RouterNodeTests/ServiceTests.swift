import Base
import DHCP
import DNS
import DNSForwarder
import Ethernet
import NAT
import Packet
import PortControl
import RouterNode
import Testing

@Suite("a router's services")
struct ServiceTests {
    static let lan = IPv4Address(192, 168, 1, 1)
    static let mac = MACAddress("00:0e:08:aa:bb:cc")!
    static let resolver = Endpoint("203.0.113.53:53")!
    static let everybody = Endpoint(.v4(IPv4Address(bits: .max)), 67)
    static let nobody = Endpoint(.v4(.any), 68)

    private func bench(_ change: (inout RouterSettings) -> Void = { _ in }) -> RouterBench {
        var settings = RouterSettings.generic(
            wan: RouterBench.wan, mapping: .endpointIndependent, filtering: .endpointIndependent)
        settings.services = .home(lan: Self.lan, upstreams: [Self.resolver])
        change(&settings)
        return RouterBench(settings)
    }

    /// DISCOVER and REQUEST; the address.
    private func boot(_ bench: inout RouterBench, name: String) throws -> IPv4Address {
        var discover = DHCPMessage(.discover, isReply: false, transaction: 1, mac: Self.mac)
        discover.add(DHCPOption.hostName, Array(name.utf8))
        try bench.send(.lan, Self.nobody, Self.everybody, discover.bytes)
        let offer = try DHCPMessage(try #require(try bench.datagrams(.lan).first).payload)
        var request = DHCPMessage(.request, isReply: false, transaction: 2, mac: Self.mac)
        request.add(DHCPOption.hostName, Array(name.utf8))
        request.add(DHCPOption.requestedAddress, [offer.yourAddress])
        request.add(DHCPOption.server, try [#require(offer.address(DHCPOption.server))])
        try bench.send(.lan, Self.nobody, Self.everybody, request.bytes)
        let ack = try DHCPMessage(try #require(try bench.datagrams(.lan).first).payload)
        #expect(ack.type == .ack && ack.addresses(DHCPOption.nameServers) == [Self.lan])
        return ack.yourAddress
    }

    private func query(_ name: String) throws -> [UInt8] {
        DNSMessage.query(id: 9, DNSQuestion(try #require(DNSName(name)), .a)).bytes()
    }

    @Test("a phone plugged in just works: an address by DHCP, a name looked up through the router, and by its own name found")
    func phone() throws {
        var bench = bench()
        let address = try boot(&bench, name: "desk")
        #expect(bench.neighbours.first?.address == .v4(address) && bench.neighbours.first?.mac == Self.mac)
        #expect(bench.router.serviceStatus.leases.map(\.name) == ["desk"])
        let phone = Endpoint(.v4(address), 40_000)
        try bench.send(.lan, phone, Endpoint(.v4(Self.lan), 53), try query("sip.example.org"))
        let asked = try #require(try bench.datagrams(.wan).first)
        #expect(asked.destination == Self.resolver && asked.source.address == .v4(RouterBench.wan))
        var answer = try DNSMessage(asked.payload)
        answer.isResponse = true
        answer.answers = [DNSRecord(answer.questions[0].name, .a(IPv4Address(203, 0, 113, 20)))]
        try bench.send(.wan, asked.destination, asked.source, answer.bytes())
        let back = try #require(try bench.datagrams(.lan).first)
        #expect(back.source == Endpoint(.v4(Self.lan), 53) && back.destination == phone)
        answer.id = 9
        #expect(back.payload == answer.bytes())
        // No mapping of the NAT's was needed, and none is left.
        #expect(bench.router.mappings.isEmpty)
        try bench.send(.lan, phone, Endpoint(.v4(Self.lan), 53), try query("desk.home.arpa"))
        let own = try DNSMessage(try #require(try bench.datagrams(.lan).first).payload)
        #expect(own.answers.map(\.data) == [.a(address)])
    }

    @Test("the outside gets neither addresses nor names; a name's answer from a stranger is the NAT's to drop")
    func insideOnly() throws {
        var bench = bench()
        let stranger = Endpoint("203.0.113.66:68")!
        let discover = DHCPMessage(.discover, isReply: false, transaction: 1, mac: Self.mac)
        try bench.send(.wan, stranger, Endpoint(.v4(RouterBench.wan), 67), discover.bytes)
        try bench.send(.wan, Self.nobody, Self.everybody, discover.bytes)
        try bench.send(.wan, stranger, Endpoint(.v4(RouterBench.wan), 53), try query("router.home.arpa"))
        try bench.send(.wan, stranger, Endpoint(.v4(Self.lan), 53), try query("router.home.arpa"))
        #expect(bench.sent.isEmpty)
        // Nor does who sits inside and says that he is outside.
        try bench.send(.lan, stranger, Endpoint(.v4(Self.lan), 53), try query("router.home.arpa"))
        #expect(try bench.datagrams(.wan).isEmpty)
        #expect(bench.router.serviceStatus.dns?.questions == 0)
        #expect(bench.router.serviceStatus.leases.isEmpty)
    }

    @Test("without services their ports are closed, as before")
    func off() throws {
        var bench = bench { $0.services = RouterServiceSettings() }
        try bench.send(.lan, RouterBench.phone, Endpoint(.v4(Self.lan), 53), try query("router.home.arpa"))
        #expect(bench.traces.contains(.dropped(.notSpoken, .lan)))
    }

    @Test("the outside address by DHCP: nothing goes out before; then it is translated to, live, and resolvers are the outside's")
    func outside() throws {
        let provider = Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 67)
        var bench = bench {
            $0.wanAddress = .any
            $0.nat?.externalAddresses = [.any]
            $0.services = .home(lan: Self.lan)
            $0.services.outsideDHCP = RouterServiceSettings.OutsideDHCP(mac: MACAddress("02:00:00:00:00:02")!)
        }
        bench.run(to: 0)
        let discover = try #require(try bench.datagrams(.wan).first)
        #expect(discover.source == Self.nobody && discover.destination == Self.everybody)
        try bench.send(.lan, RouterBench.phone, RouterBench.server, [1])
        #expect(try bench.datagrams(.wan).isEmpty)
        #expect(bench.traces.contains(.dropped(.noRoute, .lan)))
        bench.sent = []
        var server = DHCPServer(
            DHCPServerSettings(
                address: IPv4Address(198, 51, 100, 1), prefixLength: 24,
                pool: IPv4Address(198, 51, 100, 33)...IPv4Address(198, 51, 100, 33)))
        var message = discover
        for _ in 0..<2 {
            server.receive(.datagram(message), at: bench.now)
            while let output = server.nextOutput() {
                guard case .send(let answer, _) = output else { continue }
                try bench.send(.wan, provider, answer.destination, answer.payload)
            }
            if let next = try bench.datagrams(.wan).first { message = next }
        }
        let address = IPv4Address(198, 51, 100, 33)
        #expect(bench.router.settings.wanAddress == address)
        #expect(bench.outside.count == 1 && bench.outside[0]?.gateway == IPv4Address(198, 51, 100, 1))
        bench.sent = []
        try bench.send(.lan, RouterBench.phone, RouterBench.server, [1])
        #expect(try bench.datagrams(.wan).map(\.source.address) == [.v4(address)])
        bench.sent = []
        try bench.send(.lan, RouterBench.phone, Endpoint(.v4(Self.lan), 53), try query("sip.example.org"))
        let asked = try #require(try bench.datagrams(.wan).first)
        #expect(asked.destination == Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 53) && asked.source.address == .v4(address))
    }

    @Test("a reboot forgets leases; the only server of its link lets clients keep what they had")
    func reboot() throws {
        var bench = bench()
        let address = try boot(&bench, name: "desk")
        bench.feed(.reboot)
        bench.run(to: 40_000)
        #expect(bench.router.serviceStatus.leases.isEmpty)
        var request = DHCPMessage(.request, isReply: false, transaction: 3, mac: Self.mac)
        request.add(DHCPOption.requestedAddress, [address])
        bench.sent = []
        try bench.send(.lan, Self.nobody, Self.everybody, request.bytes)
        #expect(bench.router.serviceStatus.leases.map(\.address) == [address])
    }

    @Test("RFC 768: a query with a wrong checksum is dropped and counted by its reason")
    func checksum() throws {
        var bench = bench()
        var bytes = try IPPacket.bytes(
            of: Datagram(from: RouterBench.phone, to: Endpoint(.v4(Self.lan), 53), try query("router")))
        bytes[bytes.count - 1] ^= 1
        bench.feed(.packet(.lan, bytes))
        #expect(bench.sent.isEmpty)
        #expect(bench.traces == [.dropped(.malformed(offset: 26), .lan)])
    }

    @Test("RFC 6886: a host opens a port for itself, strangers reach it there until its time is over; off unless switched on")
    func portControl() throws {
        var bench = bench { $0.services.portControl = PortControl.Limits() }
        let host = Endpoint("192.168.1.2:5350")!
        try bench.send(.lan, host, Endpoint(.v4(Self.lan), 5351), [0, 1, 0, 0, 0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 120])
        let answer = try #require(try bench.datagrams(.lan).first)
        #expect(answer.destination == host)
        #expect(answer.payload == [0, 129, 0, 0, 0, 0, 0, 0, 0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 120])
        #expect(bench.router.serviceStatus.openPorts == 1)
        try bench.send(.wan, Endpoint("203.0.113.66:7")!, Endpoint(.v4(RouterBench.wan), 5060), [1])
        #expect(try bench.datagrams(.lan).map(\.destination) == [Endpoint("192.168.1.2:5060")!])
        bench.run(to: 120_000)
        #expect(bench.router.serviceStatus.openPorts == 0)
        // From outside, and where it is off: nothing.
        try bench.send(.wan, Endpoint("203.0.113.66:7")!, Endpoint(.v4(RouterBench.wan), 5351), [0, 0])
        #expect(try bench.datagrams(.wan).isEmpty)
        bench = self.bench()
        try bench.send(.lan, host, Endpoint(.v4(Self.lan), 5351), [0, 0])
        #expect(bench.traces.contains(.dropped(.notSpoken, .lan)))
    }

    @Test("RFC 9293 3.10.7.1: names over TCP are refused by a RST at once; from outside there is nothing")
    func nameOverTCP() throws {
        var bench = bench()
        let syn = TCPSegment(
            from: RouterBench.phone, to: Endpoint(.v4(Self.lan), 53), sequence: 1000, flags: .syn, maximumSegmentSize: 1460)
        bench.feed(.packet(.lan, try syn.packet()))
        let bytes = try #require(bench.sent.first).bytes
        let packet = try IPPacket(bytes)
        try packet.verifyChecksums(bytes)
        guard case .tcp(let tcp) = packet.transport else {
            Issue.record("no TCP")
            return
        }
        #expect(tcp.flags == [.rst, .ack] && tcp.acknowledgment == 1001 && tcp.source == 53)
        bench.sent = []
        let outside = TCPSegment(
            from: RouterBench.server, to: Endpoint(.v4(RouterBench.wan), 53), sequence: 1000, flags: .syn)
        bench.feed(.packet(.wan, try outside.packet()))
        #expect(bench.sent.isEmpty)
    }

    @Test(
        "frame by frame: a phone's DISCOVER in, the offer straight to its MAC without a question; later it is asked for as anybody"
    )
    func frames() throws {
        let routerMAC = try #require(MACAddress("02:00:00:00:00:01"))
        var bench = bench()
        var port = EthernetPort(
            .init(mac: routerMAC, addresses: [InterfaceAddress(address: .v4(Self.lan), prefixLength: 24)]), at: bench.now)
        var frames: [[UInt8]] = []
        /// As an edge does it: outputs of one are inputs of the other, in their order.
        func exchange(_ input: EthernetPort.Input) {
            frames = []
            port.receive(input, at: bench.now)
            while let output = port.nextOutput() {
                switch output {
                case .frame(let bytes): frames.append(bytes)
                case .unreachable: Issue.record("unreachable")
                case .packet(let bytes):
                    bench.router.receive(.packet(.lan, bytes), at: bench.now)
                    while let answer = bench.router.nextOutput() {
                        switch answer {
                        case .packet(.lan, let bytes): port.receive(.packet(bytes), at: bench.now)
                        case .neighbour(.lan, let address, let mac?): port.receive(.neighbour(address, mac), at: bench.now)
                        case .neighbour(.lan, let address, nil): port.receive(.forget(address), at: bench.now)
                        case .packet, .neighbour, .text, .outside: break
                        }
                    }
                }
            }
        }
        func frame(_ packet: [UInt8], to mac: MACAddress) -> [UInt8] { mac.octets + Self.mac.octets + [8, 0] + packet }
        exchange(.forget(.v4(.any)))
        let discover = DHCPMessage(.discover, isReply: false, transaction: 1, mac: Self.mac)
        let packet = try IPPacket.bytes(of: Datagram(from: Self.nobody, to: Self.everybody, discover.bytes))
        exchange(.frame(frame(packet, to: .broadcast)))
        #expect(frames.count == 1)
        let offered = try #require(frames.first)
        #expect(Array(offered.prefix(14)) == Self.mac.octets + routerMAC.octets + [8, 0])
        let offer = try DHCPMessage(try #require(try datagram(Array(offered.dropFirst(14)))).payload)
        #expect(offer.type == .offer)
        #expect(port.neighbours.isEmpty)
        // A question for a name from the address: the answer waits for ARP.
        let question = Datagram(
            from: Endpoint(.v4(offer.yourAddress), 40_000), to: Endpoint(.v4(Self.lan), 53), try query("router.home.arpa"))
        exchange(.frame(frame(try IPPacket.bytes(of: question), to: routerMAC)))
        #expect(frames.count == 1 && frames[0][12...13] == [8, 6])
        #expect(port.waitingCount == 1)
    }

    @Test("RFC 1812 5.2.7.1: who sent what its link cannot deliver hears Host Unreachable, through the NAT, about his own packet")
    func undeliverable() throws {
        var bench = bench()
        func quoted(_ bytes: [UInt8]) throws -> (destination: IPAddress, source: Endpoint, remote: Endpoint) {
            let packet = try IPPacket(bytes)
            try packet.verifyChecksums(bytes)
            guard case .icmp(let icmp) = packet.transport, icmp.meaning == .unreachable else {
                Issue.record("no ICMP error")
                return (packet.destination, RouterBench.phone, RouterBench.phone)
            }
            let quote = try IPPacket(quotedIn: bytes, icmp.payload)
            let ports = try #require(quote.ports(bytes))
            return (packet.destination, Endpoint(quote.source, ports.source), Endpoint(quote.destination, ports.destination))
        }
        try bench.send(.lan, RouterBench.phone, RouterBench.server, [1])
        let out = try #require(bench.sent.first).bytes
        let mapped = try #require(try datagram(out)).source
        bench.sent = []
        bench.feed(.unreachable(.wan, out))
        #expect(bench.sent.map(\.interface) == [.lan])
        var heard = try quoted(try #require(bench.sent.first).bytes)
        #expect(
            heard.destination == RouterBench.phone.address && heard.source == RouterBench.phone
                && heard.remote == RouterBench.server)
        bench.sent = []
        try bench.send(.wan, RouterBench.server, mapped, [2])
        let delivered = try #require(bench.sent.first).bytes
        bench.sent = []
        bench.feed(.unreachable(.lan, delivered))
        #expect(bench.sent.map(\.interface) == [.wan])
        heard = try quoted(try #require(bench.sent.first).bytes)
        #expect(heard.destination == RouterBench.server.address && heard.source == RouterBench.server && heard.remote == mapped)
        // Its own packets, and what is none, draw nothing.
        bench.sent = []
        bench.feed(
            .unreachable(.lan, try IPPacket.bytes(of: Datagram(from: Endpoint(.v4(Self.lan), 53), to: RouterBench.phone, [1]))))
        bench.feed(.unreachable(.wan, [1, 2, 3]))
        #expect(bench.sent.isEmpty)
    }
}
