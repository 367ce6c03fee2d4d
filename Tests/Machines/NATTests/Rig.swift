import Base
import NAT
import Packet
import Testing

/// What became of a packet, in a form that a test row can state.
enum Seen: Hashable, CustomStringConvertible {
    /// Went on to the other side, from and to these endpoints (for an ICMP query: address and identifier).
    case through(String, String)
    /// Came back inside.
    case hairpin(String, String)
    case dropped(NATDropReason)
    /// The sender gets ICMP with this type and code.
    case icmp(UInt8, UInt8)
    case held(NATHold)

    var description: String {
        switch self {
        case .through(let from, let to): "through \(from) > \(to)"
        case .hairpin(let from, let to): "hairpin \(from) > \(to)"
        case .dropped(let reason): "dropped \(reason)"
        case .icmp(let type, let code): "icmp \(type)/\(code)"
        case .held(let what): "held \(what)"
        }
    }
}

let external = IPv4Address(192, 0, 2, 1)

/// An endpoint of a literal.
func at(_ text: String) -> Endpoint { Endpoint(text)! }

/// A NAT with a clock. Every packet it lets through has its checksums verified by full recomputation.
final class Rig {
    var nat: AddressTranslator
    var now = Instant(seconds: 1_000_000)

    init(_ settings: NATSettings, seed: UInt64 = 1) {
        nat = AddressTranslator(settings: settings, entropy: Entropy(labSeed: seed))
    }

    convenience init(
        _ mapping: Dependence = .endpointIndependent, _ filtering: Dependence = .endpointIndependent,
        _ change: (inout NATSettings) -> Void = { _ in }
    ) {
        var settings = NATSettings(external, mapping: mapping, filtering: filtering)
        settings.insideAddress = IPv4Address(192, 168, 1, 254)
        change(&settings)
        self.init(settings)
    }

    func wait(_ seconds: Double) { now += .nanoseconds(Int64(seconds * 1e9)) }

    // MARK: Packets in, what is seen out

    func out(_ from: String, _ to: String, via: MappingID? = nil) -> Seen { send(udp(from, to), via: via) }

    func back(_ from: String, _ to: String) -> Seen { receive(udp(from, to)) }

    func tcpOut(_ from: String, _ to: String, _ flags: TCPHeader.Flags) -> Seen { send(tcp(from, to, flags)) }

    func tcpBack(_ from: String, _ to: String, _ flags: TCPHeader.Flags) -> Seen { receive(tcp(from, to, flags)) }

    func send(_ packet: [UInt8], via: MappingID? = nil) -> Seen { see(outbound(packet, via: via)) }

    func receive(_ packet: [UInt8]) -> Seen { see(inbound(packet)) }

    func outbound(_ packet: [UInt8], via: MappingID? = nil) -> Outcome {
        var bytes = packet
        let verdict = nat.outbound(&bytes, via: via, at: now)
        return Outcome(verdict: verdict, bytes: bytes)
    }

    func inbound(_ packet: [UInt8]) -> Outcome {
        var bytes = packet
        let verdict = nat.inbound(&bytes, at: now)
        return Outcome(verdict: verdict, bytes: bytes)
    }

    /// The external endpoint a UDP packet leaves from; nil if it does not.
    func outside(_ from: String, _ to: String) -> Endpoint? {
        if case .through(let outside, _) = out(from, to) { Endpoint(outside) } else { nil }
    }

    /// The packet as it goes on; nil if it does not.
    func sent(_ packet: [UInt8], via: MappingID? = nil) -> [UInt8]? { outbound(packet, via: via).packet }

    func received(_ packet: [UInt8]) -> [UInt8]? { inbound(packet).packet }

    func reserve(exactly external: String) -> Bool { nat.reservePort(.udp, exactly: at(external)) }

    func remove(_ id: MappingID) -> Bool { nat.remove(id, at: now) }

    func setIdle(_ id: MappingID, _ seconds: Int) -> Bool { nat.setIdle(of: id, to: .seconds(seconds), at: now) }

    func setExpiry(_ id: ExpectationID, _ seconds: Int) -> Bool { nat.setExpiry(of: id, to: now + .seconds(seconds)) }

    func cancel(_ id: ExpectationID) -> Bool { nat.cancel(id) }

    func flush(_ purpose: ExpectationPurpose, owner: UInt64? = nil) -> Int { nat.flush(purpose, owner: owner) }

    func outputs() -> [NATOutput] {
        var all: [NATOutput] = []
        while let output = nat.nextOutput() { all.append(output) }
        return all
    }

    func traces() -> [NATTrace] {
        var all: [NATTrace] = []
        while let trace = nat.nextTrace() { all.append(trace) }
        return all
    }

    private func see(_ outcome: Outcome) -> Seen {
        switch outcome.verdict {
        case .forward:
            let (from, to) = ends(outcome.bytes)
            return .through(from, to)
        case .hairpin:
            let (from, to) = ends(outcome.bytes)
            return .hairpin(from, to)
        case .dropped(let reason): return .dropped(reason)
        case .icmp(let bytes, _):
            verify(bytes)
            guard let parsed = try? IPPacket(bytes), case .icmp(let icmp) = parsed.transport else { return .icmp(255, 255) }
            return .icmp(icmp.type, icmp.code)
        case .held(let what): return .held(what)
        }
    }
}

/// Recomputes every checksum of a packet.
func verify(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(throws: Never.self, sourceLocation: sourceLocation) { try IPPacket(bytes).verifyChecksums(bytes) }
}

/// Both ends of a packet, its checksums verified.
func ends(_ bytes: [UInt8]) -> (String, String) {
    verify(bytes)
    guard let parsed = try? IPPacket(bytes) else { return ("?", "?") }
    switch parsed.transport {
    case .udp(let udp):
        return ("\(parsed.source):\(udp.source)", "\(parsed.destination):\(udp.destination)")
    case .tcp(let tcp):
        return ("\(parsed.source):\(tcp.source)", "\(parsed.destination):\(tcp.destination)")
    case .icmp(let icmp):
        return ("\(parsed.source):\(icmp.identifier)", "\(parsed.destination):\(icmp.identifier)")
    case .other, .laterFragment: return ("\(parsed.source)", "\(parsed.destination)")
    }
}

func udp(_ from: String, _ to: String, _ payload: [UInt8] = [1, 2, 3], _ options: IPOptions = IPOptions()) -> [UInt8] {
    try! IPPacket.bytes(of: Datagram(from: at(from), to: at(to), payload), options)
}

func tcp(_ from: String, _ to: String, _ flags: TCPHeader.Flags, _ payload: [UInt8] = []) -> [UInt8] {
    try! TCPSegment(from: at(from), to: at(to), sequence: 7, acknowledgment: 9, flags: flags, payload: payload).packet()
}

func ping(_ from: String, _ to: String, _ identifier: UInt16) -> [UInt8] {
    try! ICMPMessage.echoRequest(identifier: identifier, sequence: 1, data: [5, 6, 7])
        .packet(from: IPAddress(from)!, to: IPAddress(to)!)
}

func pong(_ from: String, _ to: String, _ identifier: UInt16) -> [UInt8] {
    try! ICMPMessage.echoReply(identifier: identifier, sequence: 1, data: [5, 6, 7])
        .packet(from: IPAddress(from)!, to: IPAddress(to)!)
}

/// A verdict, and the buffer as the NAT left it.
struct Outcome {
    var verdict: NATVerdict
    var bytes: [UInt8]

    /// The packet that goes on, if one does.
    var packet: [UInt8]? {
        switch verdict {
        case .forward, .hairpin: bytes
        case .dropped, .icmp, .held: nil
        }
    }

    var mapping: MappingID? {
        switch verdict {
        case .forward(let id), .hairpin(let id, _): id
        case .dropped, .icmp, .held: nil
        }
    }
}
