import Base
import Capture

/// Media inside TURN (RFC 8656): which client has which relayed address, and what its ChannelData and indications carry.
///
/// A tap at the TURN server sees audio twice, inside TURN and outside; what it saw first of a flow counts, the rest is tallied.
struct RelayTunnels: Sendable {
    /// A client's path to its TURN server, in one source.
    struct Path: Hashable, Sendable {
        var file: UInt16
        var client: MediaPlace
        var server: MediaPlace

        var outer: MediaFlow { MediaFlow(file: file, source: client, destination: server) }
    }

    /// How a packet of a flow was seen.
    enum Carriage: Sendable {
        case plain
        /// From the client, and to it, inside TURN.
        case up, down
    }

    struct Tally: Sendable {
        let first: Carriage
        var plain = 0
        var up = 0
        var down = 0

        mutating func count(_ carriage: Carriage) {
            switch carriage {
            case .plain: plain += 1
            case .up: up += 1
            case .down: down += 1
            }
        }
    }

    /// What a TURN message carries, as the relay sends or gets it.
    struct Inner {
        var flow: MediaFlow
        var carriage: Carriage
        var octets: Range<Int>
    }

    private struct Channel: Hashable, Sendable {
        var path: Path
        var number: UInt16
    }

    private struct Permission: Hashable, Sendable {
        var path: Path
        var peer: PackedAddress
    }

    static let most = 8_192

    /// Relayed addresses, and whose they are.
    private var relayed: [Path: MediaPlace] = [:]
    private var owners: [MediaJudge.FilePlace: Path] = [:]
    private var channels: [Channel: MediaPlace] = [:]
    private var permissions: Set<Permission> = []
    private var tallies: [MediaFlow: Tally] = [:]

    var isEmpty: Bool { relayed.isEmpty }

    /// Reads one STUN message; what it carries, if it is an indication with data.
    mutating func message(_ p: Bytes, _ record: PayloadRecord, file: UInt16) -> Inner? {
        guard p.count >= 20 else { return nil }
        let here = MediaPlace(record.source, record.sourcePort)
        let there = MediaPlace(record.destination, record.destinationPort)
        let up = Path(file: file, client: here, server: there)
        let down = Path(file: file, client: there, server: here)
        switch UInt16(p[0]) << 8 | UInt16(p[1]) {
        case 0x0103:
            guard let place = Self.place(0x0016, p), relayed[down] != nil || relayed.count < Self.most else { return nil }
            relayed[down] = place
            owners[MediaJudge.FilePlace(file: file, place: place)] = down
        case 0x0008:
            if let peer = Self.place(0x0012, p), permissions.count < Self.most {
                permissions.insert(Permission(path: up, peer: peer.address))
            }
        case 0x0009:
            guard let peer = Self.place(0x0012, p), let value = STUNLedger.value(0x000c, p), value.count >= 2,
                channels.count < Self.most
            else { return nil }
            channels[Channel(path: up, number: UInt16(p[value.lowerBound]) << 8 | UInt16(p[value.lowerBound + 1]))] = peer
            if permissions.count < Self.most { permissions.insert(Permission(path: up, peer: peer.address)) }
        case 0x0016:
            guard let data = STUNLedger.value(0x0013, p), let peer = Self.place(0x0012, p), let own = relayed[up] else {
                return nil
            }
            return Inner(flow: MediaFlow(file: file, source: own, destination: peer), carriage: .up, octets: data)
        case 0x0017:
            guard let data = STUNLedger.value(0x0013, p), let peer = Self.place(0x0012, p), let own = relayed[down] else {
                return nil
            }
            return Inner(flow: MediaFlow(file: file, source: peer, destination: own), carriage: .down, octets: data)
        default: break
        }
        return nil
    }

    /// What ChannelData carries (RFC 8656 12.4); nil where its channel is not known.
    func channelData(_ p: Bytes, _ record: PayloadRecord, file: UInt16) -> Inner? {
        guard p.count > 4 else { return nil }
        let number = UInt16(p[0]) << 8 | UInt16(p[1])
        let octets = 4..<min(p.count, 4 + (Int(p[2]) << 8 | Int(p[3])))
        let here = MediaPlace(record.source, record.sourcePort)
        let there = MediaPlace(record.destination, record.destinationPort)
        let up = Path(file: file, client: here, server: there)
        if let own = relayed[up], let peer = channels[Channel(path: up, number: number)] {
            return Inner(flow: MediaFlow(file: file, source: own, destination: peer), carriage: .up, octets: octets)
        }
        let down = Path(file: file, client: there, server: here)
        guard let own = relayed[down], let peer = channels[Channel(path: down, number: number)] else { return nil }
        return Inner(flow: MediaFlow(file: file, source: peer, destination: own), carriage: .down, octets: octets)
    }

    /// Whether a packet counts, or was counted before the relay passed it on.
    mutating func admits(_ flow: MediaFlow, _ carriage: Carriage) -> Bool {
        guard owner(of: flow.destination, flow.file) != nil || owner(of: flow.source, flow.file) != nil else { return true }
        if tallies[flow] == nil {
            guard tallies.count < Self.most else { return carriage == .plain }
            tallies[flow] = Tally(first: carriage)
        }
        tallies[flow]?.count(carriage)
        return tallies[flow]?.first == carriage
    }

    /// Who got that relayed address.
    func owner(of place: MediaPlace, _ file: UInt16) -> Path? { owners[MediaJudge.FilePlace(file: file, place: place)] }

    func tally(_ flow: MediaFlow) -> Tally? { tallies[flow] }

    /// The client let that address send to it through the relay.
    func permits(_ path: Path, _ peer: PackedAddress) -> Bool { permissions.contains(Permission(path: path, peer: peer)) }

    /// The flow of packets that really carried a flow, where it was seen inside TURN.
    func outer(_ flow: MediaFlow) -> MediaFlow? {
        guard let tally = tallies[flow] else { return nil }
        switch tally.first {
        case .plain: return nil
        case .up: return owner(of: flow.source, flow.file)?.outer
        case .down: return owner(of: flow.destination, flow.file)?.outer.reversed
        }
    }

    private static func place(_ attribute: UInt16, _ p: Bytes) -> MediaPlace? {
        STUNLedger.endpoint(attribute, p).map { MediaPlace($0.address, $0.port) }
    }
}

extension MediaAnalysis {
    /// A STUN message of a TURN client or server; whether media was inside.
    mutating func relay(_ payload: Bytes, _ record: PayloadRecord, file: UInt16) -> Bool {
        guard let inner = tunnels.message(payload, record, file: file) else { return false }
        return carried(inner, payload, record, file: file)
    }

    /// One payload that looks like ChannelData; whether media was inside.
    mutating func channelData(_ payload: Bytes, _ record: PayloadRecord, file: UInt16) -> Bool {
        guard !tunnels.isEmpty, let inner = tunnels.channelData(payload, record, file: file) else { return false }
        return carried(inner, payload, record, file: file)
    }

    private mutating func carried(_ inner: RelayTunnels.Inner, _ payload: Bytes, _ record: PayloadRecord, file: UInt16) -> Bool {
        let octets = Bytes(rebasing: payload[inner.octets])
        let content = ContentGuess(octets)
        guard content == .rtp || content == .rtcp else { return false }
        var record = record
        record.content = content
        (record.source, record.sourcePort) = (inner.flow.source.address, inner.flow.source.port)
        (record.destination, record.destinationPort) = (inner.flow.destination.address, inner.flow.destination.port)
        packet(record, file: file, octets, inner.carriage)
        return true
    }
}
