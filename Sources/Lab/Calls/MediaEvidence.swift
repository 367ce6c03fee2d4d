import ALG
import Base
import NAT
import Packet
import PhoneNode
import Relay
import RouterNode
import VirtualNetwork

/// Where packets ended, drawn from a world's records: what is looked up when a phone did not hear another.
struct MediaEvidence: Sendable {
    /// Why packets to one endpoint went no further.
    enum End: Hashable, Sendable {
        case nowhere
        case noMapping(BoxID)
        case filtered(BoxID, from: Endpoint)
        case refused(BoxID, String)
        case down
    }

    private struct Drop: Sendable {
        var at: Instant
        var to: Endpoint
        var end: End
    }

    private struct Refusal: Sendable {
        var at: Instant
        var box: BoxID
        var reason: String
        /// A server's port; 0 at phones.
        var port: UInt16
    }

    private var drops: [Drop] = []
    private var refusals: [Refusal] = []
    private var losses: [Instant] = []
    private var closed: Set<Place> = []
    private var expired: [Place: Duration] = [:]
    private var madeFor: [Place: Endpoint] = [:]

    private struct Place: Hashable, Sendable {
        var router: BoxID
        var external: Endpoint
    }

    init(_ world: LabWorld, _ records: [LabRecord]) {
        for record in records {
            switch record.trace {
            case .network(.dropped(_, _, let drop, let packet)): note(drop, packet, record.at)
            case .router(let trace): if let box = record.box { note(trace, box, record.at) }
            case .phone(.dropped(_, let reason)):
                if let box = record.box { refusals.append(Refusal(at: record.at, box: box, reason: reason, port: 0)) }
            case .mediaDropped(let drop, _, let port):
                if let box = record.box { refusals.append(Refusal(at: record.at, box: box, reason: drop.reason, port: port)) }
            default: break
            }
        }
    }

    private mutating func note(_ drop: NetworkDrop, _ packet: [UInt8], _ at: Instant) {
        guard let parsed = try? IPPacket(packet), parsed.protocolNumber == .udp, let ports = parsed.ports(packet) else { return }
        let to = Endpoint(parsed.destination, ports.destination)
        switch drop {
        case .noNeighbour: drops.append(Drop(at: at, to: to, end: .nowhere))
        case .linkDown, .cut: drops.append(Drop(at: at, to: to, end: .down))
        case .lost, .capacity, .tooBig: losses.append(at)
        case .malformed: break
        }
    }

    private mutating func note(_ trace: RouterTrace, _ box: BoxID, _ at: Instant) {
        switch trace {
        case .nat(.dropped(let reason, _, IPProtocol.udp.rawValue, let from, let to)):
            let end: End =
                switch reason {
                case .noMapping: .noMapping(box)
                case .filtered: .filtered(box, from: from)
                default: .refused(box, "\(reason)")
                }
            drops.append(Drop(at: at, to: to, end: end))
        case .nat(.ended(let mapping, _)):
            expired[Place(router: box, external: mapping.external)] = mapping.idle
        case .nat(.created(let mapping)):
            expired[Place(router: box, external: mapping.external)] = nil
            closed.remove(Place(router: box, external: mapping.external))
            madeFor[Place(router: box, external: mapping.external)] = mapping.remote
        case .alg(.opened(let pinhole)): closed.remove(Place(router: box, external: pinhole.external))
        case .alg(.closed(let pinhole, _)): closed.insert(Place(router: box, external: pinhole.external))
        default: break
        }
    }

    // MARK: Looking up

    /// How most packets to `place` ended that did not arrive; nil: none was seen to end.
    func end(of place: Endpoint, during span: ClosedRange<Instant>) -> End? {
        var counts: [End: Int] = [:]
        var order: [End] = []
        for drop in drops where drop.to == place && span.contains(drop.at) {
            if counts[drop.end] == nil { order.append(drop.end) }
            counts[drop.end, default: 0] += 1
        }
        // A phone that starts to speak a moment before the other's router is ready loses a packet or two, and nobody minds.
        return order.max { counts[$0, default: 0] < counts[$1, default: 0] }.flatMap { counts[$0, default: 0] >= 3 ? $0 : nil }
    }

    /// Why a phone did not take media.
    func refusal(at box: BoxID, during span: ClosedRange<Instant>) -> String? {
        refusals.last { $0.box == box && $0.port == 0 && span.contains($0.at) }?.reason
    }

    func refusal(onServerPort place: Endpoint, during span: ClosedRange<Instant>) -> String? {
        refusals.last { $0.port == place.port && $0.at <= span.upperBound }?.reason
    }

    func isLossy(during span: ClosedRange<Instant>) -> Bool { losses.contains { span.contains($0) } }

    func closedPinhole(_ router: BoxID, _ place: Endpoint) -> Bool { closed.contains(Place(router: router, external: place)) }

    /// For whom the mapping at `place` was made; nil: for whomever its host speaks to.
    func madeFor(_ router: BoxID, _ place: Endpoint) -> Endpoint? { madeFor[Place(router: router, external: place)] }

    func expired(_ router: BoxID, _ place: Endpoint) -> Duration? { expired[Place(router: router, external: place)] }
}

extension MediaDrop {
    /// For a sentence that says why the server threw a packet away.
    public var reason: String {
        switch self {
        case .noLeg: "no call has that port"
        case .notMedia, .malformed: "it is no RTP"
        case .payloadType: "nobody agreed to its payload type"
        case .stranger: "neither SIP nor SDP nor what came before says that the party sends from there"
        case .weighed: "its sender is not believed yet"
        case .notAuthentic: "its SRTP is not genuine"
        case .flood: "there is too much of it"
        case .noPeer: "there is nobody on the other side yet"
        case .notReceiving: "the other side does not receive, or where is not known"
        case .unproven: "the address it would go to never answered"
        case .ownPort: "it would go to a media port of the server itself"
        case .looped: "it is the server's own echo"
        case .badCheck: "its connectivity check proves nothing"
        }
    }
}
