import Base
import Packet
import TCP

let start = Instant(seconds: 1_000)
let clientAddress = IPAddress("192.0.2.1")!
let server = Endpoint("198.51.100.5:5060")!

/// Two hosts and the wire between them; what befalls a segment is a test's choice.
struct Wire {
    enum Fate {
        case deliver
        case lose
        case twice
        case late(Duration)
    }

    struct Flight {
        var at: Instant
        var order: Int
        var isToServer: Bool
        var segment: TCPSegment
    }

    var now = start
    var client: TCPHost
    var host: TCPHost
    var latency = Duration.milliseconds(10)
    var flights: [Flight] = []
    /// Every segment sent, in order, with its time.
    var log: [(at: Instant, isToServer: Bool, segment: TCPSegment)] = []
    var clientEvents: [TCPEvent] = []
    var hostEvents: [TCPEvent] = []
    /// Asked for each segment, counted from 1.
    var fate: (Int, TCPSegment) -> Fate = { _, _ in .deliver }
    private var orders = 0

    init(client: TCPSettings = TCPSettings(), server: TCPSettings = TCPSettings(), seed: UInt64 = 1) {
        var entropy = Entropy(labSeed: seed)
        self.client = TCPHost(client, entropy: entropy.fork())
        host = TCPHost(server, entropy: entropy.fork())
        host.receive(.command(.listen(5060)), at: now)
    }

    static let id = TCPConnectionID(1)

    mutating func connect() {
        client.receive(.command(.connect(Self.id, from: Endpoint(clientAddress, 0), to: server)), at: now)
        collect()
    }

    mutating func command(_ command: TCPCommand) {
        client.receive(.command(command), at: now)
        collect()
    }

    mutating func hostCommand(_ command: TCPCommand) {
        host.receive(.command(command), at: now)
        collect()
    }

    /// The server's name for the one connection it has accepted.
    var accepted: TCPConnectionID {
        for case .accepted(let id, _, _) in hostEvents { return id }
        return TCPConnectionID(0)
    }

    var toHost: [UInt8] { bytes(hostEvents) }
    var toClient: [UInt8] { bytes(clientEvents) }

    private func bytes(_ events: [TCPEvent]) -> [UInt8] {
        events.flatMap { if case .received(_, let bytes) = $0 { bytes } else { [UInt8]() } }
    }

    var clientEnd: TCPEnd? { end(clientEvents) }
    var hostEnd: TCPEnd? { end(hostEvents) }

    private func end(_ events: [TCPEvent]) -> TCPEnd? {
        for case .closed(_, let end) in events { return end }
        return nil
    }

    mutating func collect() {
        while let output = client.nextOutput() {
            switch output {
            case .segment(let segment): send(segment, isToServer: true)
            case .event(let event): clientEvents.append(event)
            }
        }
        while let output = host.nextOutput() {
            switch output {
            case .segment(let segment): send(segment, isToServer: false)
            case .event(let event): hostEvents.append(event)
            }
        }
    }

    private mutating func send(_ segment: TCPSegment, isToServer: Bool) {
        log.append((now, isToServer, segment))
        let fate = fate(log.count, segment)
        func fly(_ extra: Duration) {
            orders += 1
            flights.append(Flight(at: now + latency + extra, order: orders, isToServer: isToServer, segment: segment))
        }
        switch fate {
        case .deliver: fly(.zero)
        case .lose: break
        case .twice:
            fly(.zero)
            fly(.zero)
        case .late(let extra): fly(extra)
        }
    }

    /// Lets time pass.
    mutating func run(_ span: Duration) {
        let end = now + span
        while true {
            let flight = flights.indices.min { (flights[$0].at, flights[$0].order) < (flights[$1].at, flights[$1].order) }
            let deadlines = [client.nextDeadline, host.nextDeadline, flight.map { flights[$0].at }].compactMap { $0 }
            guard let next = deadlines.min(), next <= end else { break }
            now = max(now, next)
            if let flight, flights[flight].at <= now {
                let arrived = flights.remove(at: flight)
                // Through real octets, as on a link.
                let packet = try! arrived.segment.packet()
                let segment = TCPSegment(try! IPPacket(packet), in: packet)!
                if arrived.isToServer {
                    host.receive(.segment(segment), at: now)
                } else {
                    client.receive(.segment(segment), at: now)
                }
            } else {
                client.advance(to: now)
                host.advance(to: now)
            }
            collect()
        }
        now = end
    }

    /// `SYN`, `FIN ACK` and so on, with `>` towards the server, and the length of the data.
    var shapes: [String] {
        log.map { entry in
            let flags = entry.segment.flags
            var words: [String] = []
            if flags.contains(.syn) { words.append("SYN") }
            if flags.contains(.fin) { words.append("FIN") }
            if flags.contains(.rst) { words.append("RST") }
            if flags.contains(.ack) { words.append("ACK") }
            let count = entry.segment.payload.count
            return (entry.isToServer ? "> " : "< ") + words.joined(separator: " ") + (count > 0 ? " \(count)" : "")
        }
    }
}

func pattern(_ count: Int, from first: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 + first) &* 31 >> 3) }
}
