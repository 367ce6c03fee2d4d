import Base
import DHCP
import DNS
import Ethernet
import Testing

@Suite("DHCP server")
struct DHCPServerTests {
    static let server = IPv4Address(192, 168, 1, 1)
    static let mac = MACAddress("00:0e:08:aa:bb:cc")!
    static let all = Endpoint(.v4(IPv4Address(bits: .max)), 68)

    struct Bench {
        var server: DHCPServer
        var now = Instant(seconds: 1_000_000)
        var leased: [DHCPLease] = []
        var ended: [DHCPLease] = []
        var sent: [(Datagram, MACAddress?)] = []
        var traces: [DHCPServerTrace] = []

        init(_ change: (inout DHCPServerSettings) -> Void = { _ in }) {
            var settings = DHCPServerSettings(
                address: DHCPServerTests.server, prefixLength: 24,
                pool: IPv4Address(192, 168, 1, 64)...IPv4Address(192, 168, 1, 253))
            change(&settings)
            server = DHCPServer(settings)
        }

        /// The answer and where it goes.
        mutating func send(_ message: DHCPMessage) throws -> DHCPMessage? {
            sent = []
            receive(message.bytes)
            guard let (datagram, _) = sent.first else { return nil }
            #expect(sent.count == 1)
            return try DHCPMessage(datagram.payload)
        }

        mutating func receive(_ bytes: [UInt8]) {
            server.receive(
                .datagram(Datagram(from: Endpoint(.v4(.any), 68), to: Endpoint(.v4(IPv4Address(bits: .max)), 67), bytes)), at: now
            )
            collect()
        }

        mutating func advance(_ time: Duration) {
            now += time
            server.advance(to: now)
            collect()
        }

        private mutating func collect() {
            while let output = server.nextOutput() {
                switch output {
                case .send(let datagram, let mac): sent.append((datagram, mac))
                case .leased(let lease): leased.append(lease)
                case .ended(let lease): ended.append(lease)
                }
            }
            while let trace = server.nextTrace() { traces.append(trace) }
        }

        /// DISCOVER and REQUEST as a phone does them.
        mutating func boot(_ mac: MACAddress = DHCPServerTests.mac, name: String = "") throws -> DHCPMessage? {
            var discover = message(.discover, mac)
            if !name.isEmpty { discover.add(DHCPOption.hostName, Array(name.utf8)) }
            guard let offer = try send(discover) else { return nil }
            var request = message(.request, mac)
            request.add(DHCPOption.requestedAddress, [offer.yourAddress])
            request.add(DHCPOption.server, [DHCPServerTests.server])
            if !name.isEmpty { request.add(DHCPOption.hostName, Array(name.utf8)) }
            return try send(request)
        }
    }

    static func message(_ type: DHCPMessageType, _ mac: MACAddress = mac) -> DHCPMessage {
        DHCPMessage(type, isReply: false, transaction: 0x3903_f326, mac: mac)
    }

    @Test(
        "RFC 2131 3.1: discover, offer, request, acknowledgement; to the address to be, at the MAC address, as there is no other way yet"
    )
    func fourMessages() throws {
        var bench = Bench()
        let offer = try #require(try bench.send(Self.message(.discover)))
        #expect(offer.type == .offer && offer.isReply && offer.transaction == 0x3903_f326)
        #expect(offer.address(DHCPOption.server) == Self.server)
        #expect(bench.sent[0].0.source == Endpoint(.v4(Self.server), 67))
        #expect(bench.sent[0].0.destination == Endpoint(.v4(offer.yourAddress), 68))
        #expect(bench.sent[0].1 == Self.mac)
        let ack = try #require(try bench.boot())
        #expect(ack.type == .ack && ack.yourAddress == offer.yourAddress)
        #expect(ack.seconds(DHCPOption.leaseTime) == 86_400)
        #expect(ack.seconds(DHCPOption.renewal) == 43_200)
        #expect(ack.seconds(DHCPOption.rebinding) == 75_600)
        #expect(ack[DHCPOption.subnetMask] == [255, 255, 255, 0])
        #expect(ack.addresses(DHCPOption.router) == [Self.server])
        #expect(ack.addresses(DHCPOption.nameServers) == [Self.server])
        #expect(bench.server.leases.map(\.address) == [ack.yourAddress])
        #expect(bench.leased.count == 1)
    }

    @Test("a discover as a Cisco phone's bytes are: read, its broadcast flag heeded, its options given in its order")
    func vector() throws {
        var bytes: [UInt8] = [1, 1, 6, 0, 0x39, 3, 0xf3, 0x26, 0, 5, 0x80, 0] + Array(repeating: 0, count: 16)
        bytes += Self.mac.octets + Array(repeating: 0, count: 10 + 64 + 128)
        bytes += [0x63, 0x82, 0x53, 0x63, 53, 1, 1, 61, 7, 1] + Self.mac.octets
        bytes += [12, 6] + Array("SPA942".utf8) + [55, 6, 120, 1, 66, 42, 3, 6] + [255]
        var bench = Bench {
            $0.timeServers = [IPv4Address(192, 0, 2, 7)]
            $0.tftpServer = "http://prov.example.org/"
            $0.bootFile = "spa.cfg"
            $0.vendorSpecific = [1, 2, 3]
            $0.sipServers = .addresses([IPv4Address(198, 51, 100, 5)])
            $0.domain = DNSName("home.arpa")
        }
        bench.receive(bytes)
        let (datagram, mac) = try #require(bench.sent.first)
        #expect(datagram.destination == Self.all && mac == nil)
        let offer = try DHCPMessage(datagram.payload)
        #expect(offer[DHCPOption.sipServers] == [1, 198, 51, 100, 5])
        #expect(offer[DHCPOption.timeServers] == [192, 0, 2, 7])
        #expect(offer[DHCPOption.tftpServer] == Array("http://prov.example.org/".utf8))
        #expect(offer[DHCPOption.domain] == Array("home.arpa".utf8))
        #expect(offer[DHCPOption.clientID] == [1] + Self.mac.octets)
        // Not asked for.
        #expect(offer[DHCPOption.bootFile] == nil && offer[DHCPOption.vendorSpecific] == nil)
        #expect(offer.options.map(\.code) == [54, 51, 58, 59, 61, 1, 3, 6, 15, 120, 66, 42])
    }

    @Test("RFC 3361, RFC 3397: SIP servers by name and search lists are encoded as names are")
    func names() throws {
        var bench = Bench {
            $0.sipServers = .names([DNSName("sip.example.org")!])
            $0.search = [DNSName("home.arpa")!, DNSName("example.org")!]
            $0.bootFile = "x"
            $0.vendorSpecific = [9, 1, 0]
        }
        let offer = try #require(try bench.send(Self.message(.discover)))
        #expect(
            offer[DHCPOption.sipServers] == [0, 3] + Array("sip".utf8) + [7] + Array("example".utf8) + [3] + Array("org".utf8) + [
                0
            ])
        #expect(
            offer[DHCPOption.search] == [4] + Array("home".utf8) + [4] + Array("arpa".utf8) + [0, 7] + Array("example".utf8) + [3]
                + Array("org".utf8) + [0])
        #expect(offer[DHCPOption.bootFile] == [0x78] && offer[DHCPOption.vendorSpecific] == [9, 1, 0])
    }

    @Test("RFC 2131 4.3.2: renewing extends the lease, to the client's own address; a lease not renewed ends")
    func renewing() throws {
        var bench = Bench { $0.leaseTime = .seconds(600) }
        let address = try #require(try bench.boot()).yourAddress
        bench.advance(.seconds(300))
        var renewal = Self.message(.request)
        renewal.clientAddress = address
        #expect(try bench.send(renewal)?.type == .ack)
        #expect(bench.sent[0].0.destination == Endpoint(.v4(address), 68) && bench.sent[0].1 == nil)
        bench.advance(.seconds(599))
        #expect(bench.server.leases.count == 1)
        bench.advance(.seconds(1))
        #expect(bench.server.leases.isEmpty && bench.ended.map(\.address) == [address])
        #expect(bench.server.nextDeadline == nil)
    }

    @Test(
        "RFC 2131 4.3.2: after a reboot a client keeps what it had; on another link, or if it is taken, it hears No, by broadcast"
    )
    func initReboot() throws {
        var bench = Bench()
        let address = try #require(try bench.boot()).yourAddress
        var request = Self.message(.request)
        request.add(DHCPOption.requestedAddress, [address])
        #expect(try bench.send(request)?.type == .ack)
        // Another client wants the same.
        var thief = Self.message(.request, MACAddress("00:0e:08:00:00:66")!)
        thief.add(DHCPOption.requestedAddress, [address])
        #expect(try bench.send(thief)?.type == .nak)
        #expect(bench.sent[0].0.destination == Self.all)
        var elsewhere = Self.message(.request)
        elsewhere.add(DHCPOption.requestedAddress, [IPv4Address(10, 0, 0, 7)])
        #expect(try bench.send(elsewhere)?.type == .nak)
        // The server has forgotten: the only one of its link lets the client keep it, another says nothing.
        for isAuthoritative in [true, false] {
            var other = Bench { $0.isAuthoritative = isAuthoritative }
            #expect(try other.send(request)?.type == (isAuthoritative ? .ack : nil))
            #expect(other.server.leases.count == (isAuthoritative ? 1 : 0))
        }
    }

    @Test("RFC 2131 4.3.3-5: decline takes the address out, release frees it, inform draws options without a lease")
    func others() throws {
        var bench = Bench()
        let address = try #require(try bench.boot()).yourAddress
        var decline = Self.message(.decline)
        decline.add(DHCPOption.requestedAddress, [address])
        decline.add(DHCPOption.server, [Self.server])
        #expect(try bench.send(decline) == nil)
        #expect(bench.server.counters.declines == 1 && bench.ended.count == 1)
        let second = try #require(try bench.boot()).yourAddress
        #expect(second != address)
        // Somebody else's address is not his to give back.
        var release = Self.message(.release, MACAddress("00:0e:08:00:00:66")!)
        release.clientAddress = second
        #expect(try bench.send(release) == nil)
        #expect(bench.server.leases.count == 1 && bench.server.counters[.unknownClient] == 1)
        release = Self.message(.release)
        release.clientAddress = second
        #expect(try bench.send(release) == nil)
        #expect(bench.server.leases.isEmpty)
        var inform = Self.message(.inform)
        inform.clientAddress = IPv4Address(192, 168, 1, 20)
        let ack = try #require(try bench.send(inform))
        #expect(ack.type == .ack && ack.yourAddress == .any && ack.seconds(DHCPOption.leaseTime) == nil)
        #expect(bench.sent[0].0.destination == Endpoint(.v4(IPv4Address(192, 168, 1, 20)), 68))
    }

    @Test("reserved addresses are their clients' alone")
    func reserved() throws {
        let own = IPv4Address(192, 168, 1, 64)
        var bench = Bench {
            $0.pool = own...IPv4Address(192, 168, 1, 65)
            $0.reserved = [Self.mac: DHCPReservation(own, name: "desk")]
        }
        #expect(try bench.boot(MACAddress("00:0e:08:00:00:01")!)?.yourAddress == IPv4Address(192, 168, 1, 65))
        #expect(try bench.boot(MACAddress("00:0e:08:00:00:02")!) == nil)
        #expect(bench.server.counters[.exhausted] == 1)
        #expect(try bench.boot()?.yourAddress == own)
        #expect(bench.server.address(named: "desk") == own)
    }

    @Test("a flood of invented clients holds offers, which give way to whoever comes next; leases stay")
    func flood() throws {
        var bench = Bench { $0.pool = IPv4Address(192, 168, 1, 64)...IPv4Address(192, 168, 1, 71) }
        let phone = try #require(try bench.boot()).yourAddress
        for number in 1...1000 {
            _ = try bench.send(Self.message(.discover, MACAddress(bits: 0x0200_0000_0000 | UInt64(number))))
        }
        #expect(bench.server.leases.map(\.address) == [phone])
        #expect(try bench.boot(MACAddress("00:0e:08:00:00:01")!)?.type == .ack)
        #expect(bench.server.leases.count == 2)
        for number in 1...6 { _ = try bench.boot(MACAddress(bits: 0x0400_0000_0000 | UInt64(number))) }
        #expect(bench.server.leases.count == 8)
        #expect(try bench.boot(MACAddress("00:0e:08:00:00:02")!) == nil)
        #expect(bench.server.counters[.exhausted] == 1)
    }

    @Test("host names: the first to have one keeps it, and what is no label is none")
    func hostNames() throws {
        var bench = Bench()
        let desk = try #require(try bench.boot(name: "Desk.example.org")).yourAddress
        _ = try bench.boot(MACAddress("00:0e:08:00:00:01")!, name: "desk")
        _ = try bench.boot(MACAddress("00:0e:08:00:00:02")!, name: "-bad_name")
        #expect(bench.server.address(named: "desk") == desk)
        #expect(bench.server.leases.compactMap(\.name) == ["desk"])
    }

    @Test("replies, relays, other servers, short and mad messages: counted, nothing sent, nothing kept")
    func hostile() throws {
        var bench = Bench()
        bench.receive([])
        bench.receive(Array(repeating: 0, count: 300))
        #expect(bench.server.counters[.malformed] == 2)
        var relayed = Self.message(.discover)
        relayed.relay = IPv4Address(10, 0, 0, 1)
        _ = try bench.send(relayed)
        #expect(bench.server.counters[.relayed] == 1)
        _ = try bench.send(DHCPMessage(.offer, isReply: true, transaction: 1, mac: Self.mac))
        _ = try bench.send(Self.message(.offer))
        #expect(bench.server.counters[.notRequest] == 2)
        var other = Self.message(.request)
        other.add(DHCPOption.server, [IPv4Address(192, 168, 1, 9)])
        _ = try bench.send(other)
        #expect(bench.server.counters[.otherServer] == 1)
        #expect(bench.sent.isEmpty && bench.server.leases.isEmpty)
        var entropy = Entropy(labSeed: 3)
        let seed = Self.message(.discover).bytes
        for _ in 0..<10_000 {
            var bytes = seed
            for _ in 0..<3 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
            bytes[240 + Int(entropy.next() % 12)] = UInt8(truncatingIfNeeded: entropy.next())
            if entropy.next() % 4 == 0 { bytes.removeLast(Int(entropy.next() % UInt64(bytes.count))) }
            bench.receive(bytes)
        }
        #expect(bench.server.leases.count <= 190)
    }

    @Test("RFC 2132 9.3, RFC 3396: options in the file and server name fields are read, long ones are split and joined")
    func overload() throws {
        var message = Self.message(.discover)
        let long = (0..<600).map { UInt8(truncatingIfNeeded: $0) }
        message.add(DHCPOption.vendorSpecific, long)
        #expect(try DHCPMessage(message.bytes)[DHCPOption.vendorSpecific] == long)
        #expect(message.bytes(limit: 548).count <= 548)
        var bytes = Self.message(.discover).bytes
        bytes.replaceSubrange(243..<246, with: [52, 1, 3])
        bytes.replaceSubrange(246..<247, with: [255])
        bytes.replaceSubrange(240..<243, with: [53, 1, 1])
        bytes.replaceSubrange(108..<113, with: [12, 2, 0x61, 0x62, 255])
        bytes.replaceSubrange(44..<50, with: [60, 3, 1, 2, 3, 255])
        let read = try DHCPMessage(bytes)
        #expect(read[12] == [0x61, 0x62] && read[60] == [1, 2, 3])
    }
}
