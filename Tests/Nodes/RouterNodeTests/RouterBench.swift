import ALG
import Base
import DHCP
import Ethernet
import NAT
import Packet
import RouterNode
import Testing

/// A router between two hands: packets put in on one side, packets taken out on either, all at stated times.
struct RouterBench {
    struct Sent: Hashable {
        var at: Instant
        var interface: RouterInterface
        var bytes: [UInt8]
    }

    var router: RouterNode
    var sent: [Sent] = []
    var texts: [String] = []
    var neighbours: [(address: IPAddress, mac: MACAddress?)] = []
    var outside: [DHCPConfiguration?] = []
    var traces: [RouterTrace] = []
    var now = Instant(seconds: 1_000)

    static let start = Instant(seconds: 1_000)
    static let wan = IPv4Address(198, 51, 100, 7)
    static let phone = Endpoint("192.168.1.2:5060")!
    static let server = Endpoint("203.0.113.20:5060")!
    static let stun = Endpoint("203.0.113.30:3478")!

    init(_ settings: RouterSettings) {
        router = RouterNode(settings: settings, entropy: Entropy(labSeed: 1))
    }

    mutating func collect() {
        while let output = router.nextOutput() {
            switch output {
            case .packet(let interface, let bytes): sent.append(Sent(at: now, interface: interface, bytes: bytes))
            case .text(let text): texts.append(text)
            case .neighbour(_, let address, let mac): neighbours.append((address, mac))
            case .outside(let configuration): outside.append(configuration)
            }
        }
        while let trace = router.nextTrace() { traces.append(trace) }
    }

    /// Moves on to `milliseconds` after the start, stopping at each deadline in between.
    mutating func run(to milliseconds: Int) {
        let end = Self.start + .milliseconds(milliseconds)
        while let deadline = router.nextDeadline, deadline <= end {
            now = max(deadline, now)
            router.advance(to: now)
            collect()
        }
        now = end
        router.advance(to: now)
        collect()
    }

    mutating func feed(_ input: RouterInput) {
        router.receive(input, at: now)
        collect()
    }

    mutating func send(_ interface: RouterInterface, _ from: Endpoint, _ to: Endpoint, _ payload: [UInt8], ttl: UInt8 = 64) throws
    {
        feed(.packet(interface, try IPPacket.bytes(of: Datagram(from: from, to: to, payload), IPOptions(timeToLive: ttl))))
    }

    mutating func send(_ interface: RouterInterface, _ from: Endpoint, _ to: Endpoint, _ text: String) throws {
        try send(interface, from, to, Array(text.utf8))
    }

    /// What was sent since the last call, as datagrams; every checksum is verified.
    mutating func datagrams(_ interface: RouterInterface) throws -> [Datagram] {
        let found = sent.filter { $0.interface == interface }
        sent.removeAll { $0.interface == interface }
        return try found.compactMap { try datagram($0.bytes) }
    }

    mutating func command(_ line: String) -> String {
        texts = []
        feed(.command(line))
        return texts.joined()
    }
}

func datagram(_ bytes: [UInt8]) throws -> Datagram? {
    let packet = try IPPacket(bytes)
    try packet.verifyChecksums(bytes)
    guard case .udp(let udp) = packet.transport else { return nil }
    return Datagram(
        from: Endpoint(packet.source, udp.source), to: Endpoint(packet.destination, udp.destination), Array(bytes[udp.payload]))
}

extension Datagram {
    var text: String { String(decoding: payload, as: UTF8.self) }
}

/// Raw messages of a phone and its server.
enum Script {
    static func register(_ cseq: Int, contact: String, via: String = "192.168.1.2:5060", authorization: String? = nil) -> String {
        lines(
            [
                "REGISTER sip:example.net SIP/2.0", "Via: SIP/2.0/UDP \(via);branch=z9hG4bK-\(cseq);rport",
                "From: <sip:snom@example.net>;tag=a", "To: <sip:snom@example.net>", "Call-ID: 3c2670-seed@snom300",
                "CSeq: \(cseq) REGISTER", "Max-Forwards: 70", "Contact: <sip:snom@\(contact)>;expires=3600",
            ] + (authorization.map { ["Authorization: \($0)"] } ?? []) + ["Content-Length: 0"])
    }

    static func response(_ code: Int, _ cseq: Int, via: String, nonce: String? = nil) -> String {
        lines(
            [
                "SIP/2.0 \(code) \(code == 401 ? "Unauthorized" : "OK")", "Via: SIP/2.0/UDP \(via);branch=z9hG4bK-\(cseq);rport",
                "From: <sip:snom@example.net>;tag=a", "To: <sip:snom@example.net>;tag=b", "Call-ID: 3c2670-seed@snom300",
                "CSeq: \(cseq) REGISTER",
            ] + (nonce.map { ["WWW-Authenticate: Digest realm=\"asterisk\", nonce=\"\($0)\""] } ?? []) + ["Content-Length: 0"])
    }

    static func lines(_ lines: [String]) -> String { lines.map { $0 + "\r\n" }.joined() + "\r\n" }
}
