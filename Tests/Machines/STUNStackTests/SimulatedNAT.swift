import Base
import STUN
import STUNStack

/// A NAT of any behaviour before a STUN server of four endpoints, just enough to ask RFC 5780's questions of it.
struct SimulatedNAT {
    var mapping: ObservedDependence?
    var filtering: ObservedDependence
    var hairpins = false
    var lifetime: Duration = .seconds(60)
    var server: STUNServer
    /// Server endpoints that nobody reaches.
    var dead: Set<Endpoint> = []

    private struct Key: Hashable {
        var inside: Endpoint
        var address: IPAddress?
        var port: UInt16?
    }

    private struct Mapping {
        var outside: Endpoint
        var peers: Set<Endpoint>
        var used: Instant
    }

    private var mappings: [Key: Mapping] = [:]
    private var nextPort: UInt16 = 40000
    static let outside = IPAddress.v4(IPv4Address(203, 0, 113, 5))

    init(mapping: ObservedDependence?, filtering: ObservedDependence, server: STUNServer) {
        self.mapping = mapping
        self.filtering = filtering
        self.server = server
    }

    /// What comes back to the inside for a datagram from the inside.
    mutating func send(_ datagram: Datagram, at now: Instant) -> [Datagram] {
        let key =
            switch mapping {
            case .endpointIndependent?, nil: Key(inside: datagram.source)
            case .addressDependent?: Key(inside: datagram.source, address: datagram.destination.address)
            case .addressAndPortDependent?:
                Key(inside: datagram.source, address: datagram.destination.address, port: datagram.destination.port)
            }
        var entry = mappings[key]
        if let old = entry, now - old.used >= lifetime { entry = nil }
        if entry == nil {
            nextPort += 1
            let outside = mapping == nil ? datagram.source : Endpoint(Self.outside, nextPort)
            entry = Mapping(outside: outside, peers: [], used: now)
        }
        entry?.peers.insert(datagram.destination)
        entry?.used = now
        mappings[key] = entry
        guard let outside = entry?.outside else { return [] }
        if datagram.destination.address == Self.outside {
            return hairpins ? arrive(Datagram(from: outside, to: datagram.destination, datagram.payload), at: now) : []
        }
        guard !dead.contains(datagram.destination) else { return [] }
        guard let answer = server.answer(datagram.payload, from: outside, to: datagram.destination) else { return [] }
        return arrive(answer.datagram, at: now)
    }

    private func arrive(_ datagram: Datagram, at now: Instant) -> [Datagram] {
        for (key, entry) in mappings where entry.outside == datagram.destination && now - entry.used < lifetime {
            let passes =
                switch filtering {
                case .endpointIndependent: true
                case .addressDependent: entry.peers.contains { $0.address == datagram.source.address }
                case .addressAndPortDependent: entry.peers.contains(datagram.source)
                }
            if passes { return [Datagram(from: datagram.source, to: key.inside, datagram.payload)] }
        }
        return []
    }
}
