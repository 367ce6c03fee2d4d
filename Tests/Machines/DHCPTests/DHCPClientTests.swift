import Base
import DHCP
import Ethernet
import Testing

@Suite("DHCP client")
struct DHCPClientTests {
    static let mac = MACAddress("02:00:00:00:00:02")!

    /// A client and, unless it is away, a server on one link.
    struct Bench {
        var client = DHCPClient(mac: DHCPClientTests.mac, hostName: "router", entropy: Entropy(labSeed: 1))
        var server = DHCPServer(
            DHCPServerSettings(
                address: IPv4Address(198, 51, 100, 1), prefixLength: 24,
                pool: IPv4Address(198, 51, 100, 20)...IPv4Address(198, 51, 100, 30)))
        var isServerThere = true
        var now = Instant(seconds: 1_000_000)
        var sent: [(at: Instant, Datagram)] = []
        var outputs: [DHCPClient.Output] = []

        mutating func run(_ time: Duration) {
            let end = now + time
            carry()
            while let next = client.nextDeadline, next <= end {
                now = max(now, next)
                client.advance(to: now)
                carry()
            }
            now = end
        }

        private mutating func carry() {
            while let output = client.nextOutput() {
                guard case .send(let datagram) = output else {
                    outputs.append(output)
                    continue
                }
                sent.append((now, datagram))
                guard isServerThere else { continue }
                server.receive(.datagram(datagram), at: now)
                while let answer = server.nextOutput() {
                    if case .send(let datagram, _) = answer { client.receive(.datagram(datagram), at: now) }
                }
            }
        }
    }

    @Test("RFC 2131 4.4: it discovers, requests, has an address, renews at half time and keeps it")
    func life() throws {
        var bench = Bench()
        bench.client.receive(.start, at: bench.now)
        bench.run(.zero)
        let first = try #require(bench.client.configuration)
        #expect(first.prefixLength == 24 && first.gateway == IPv4Address(198, 51, 100, 1))
        #expect(first.nameServers == [IPv4Address(198, 51, 100, 1)])
        #expect(bench.sent.count == 2)
        bench.run(.seconds(43_200))
        #expect(bench.sent.count == 3)
        #expect(bench.sent[2].1.destination == Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 67))
        #expect(bench.sent[2].1.source.address == .v4(first.address))
        #expect(bench.client.configuration?.until == bench.now + .seconds(86_400))
        #expect(bench.outputs.allSatisfy { if case .configured = $0 { true } else { false } })
    }

    @Test("RFC 2131 4.1: with nobody there it asks after 4, 8, 16, 32, 64 seconds, give or take one, for ever")
    func silence() {
        var bench = Bench()
        bench.isServerThere = false
        bench.client.receive(.start, at: bench.now)
        bench.run(.seconds(400))
        let pauses = zip(bench.sent, bench.sent.dropFirst()).map { ($1.at - $0.at).wholeMilliseconds }
        for (pause, expected) in zip(pauses, [4, 8, 16, 32, 64, 64, 64]) { #expect(abs(pause - Int64(expected) * 1000) <= 1000) }
        #expect(pauses.count >= 7)
    }

    @Test("RFC 2131 4.4.5: a server that is gone is asked itself, then any, and at the end the address is lost")
    func expiry() throws {
        var bench = Bench()
        bench.client.receive(.start, at: bench.now)
        bench.run(.zero)
        bench.isServerThere = false
        let end = try #require(bench.client.configuration?.until)
        bench.run(.seconds(86_399))
        #expect(bench.client.configuration != nil)
        #expect(bench.sent.dropFirst(2).first?.1.destination.address == .v4(IPv4Address(198, 51, 100, 1)))
        #expect(bench.sent.last?.1.destination.address == .v4(IPv4Address(bits: .max)))
        bench.run(.seconds(1))
        #expect(bench.now == end && bench.client.configuration == nil)
        #expect(bench.outputs.last == .lost)
        bench.isServerThere = true
        bench.run(.seconds(10))
        #expect(bench.client.configuration != nil)
    }

    @Test("forged and mad replies change nothing: another transaction, another client, addresses that are none")
    func hostile() throws {
        var bench = Bench()
        bench.isServerThere = false
        bench.client.receive(.start, at: bench.now)
        bench.run(.zero)
        let discover = try DHCPMessage(try #require(bench.sent.first).1.payload)
        var offer = DHCPMessage(.offer, isReply: true, transaction: discover.transaction &+ 1, mac: Self.mac)
        offer.yourAddress = IPv4Address(198, 51, 100, 20)
        offer.add(DHCPOption.server, [IPv4Address(198, 51, 100, 1)])
        func send(_ message: DHCPMessage) {
            bench.client.receive(
                .datagram(Datagram(from: Endpoint(.v4(.any), 67), to: Endpoint(.v4(.any), 68), message.bytes)), at: bench.now)
        }
        send(offer)
        offer.transaction = discover.transaction
        offer.yourAddress = IPv4Address(127, 0, 0, 1)
        send(offer)
        offer.yourAddress = IPv4Address(198, 51, 100, 20)
        offer.add(DHCPOption.subnetMask, [IPv4Address(255, 0, 255, 0)])
        send(offer)
        #expect(bench.client.dropped == [.unasked: 1, .unusable: 2])
        #expect(bench.client.configuration == nil)
    }

    @Test("release gives the address back and it asks no more")
    func release() {
        var bench = Bench()
        bench.client.receive(.start, at: bench.now)
        bench.run(.zero)
        #expect(bench.server.leases.count == 1)
        bench.client.receive(.release, at: bench.now)
        bench.run(.seconds(1000))
        #expect(bench.server.leases.isEmpty && bench.client.nextDeadline == nil)
        #expect(bench.outputs.last == .lost)
    }
}
