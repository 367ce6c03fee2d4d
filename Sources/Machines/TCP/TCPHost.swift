import Base
import Packet

/// A host's TCP (RFC 9293): its listeners and connections. Segments go in and out whole; the IP layer carries them.
///
/// Small on purpose; `TCPConnection` lists what it does without. Ports and initial sequence numbers are drawn from the host's own
/// entropy (RFC 6056, RFC 6528).
public struct TCPHost: Machine {
    public enum Input: Hashable, Sendable {
        case command(TCPCommand)
        /// With a right checksum, for an address of ours.
        case segment(TCPSegment)
        /// ICMP about a segment of ours; `sequence`: the one it quotes, nil where the quotation is too short.
        case unreachable(local: Endpoint, remote: Endpoint, sequence: UInt32?, Unreachable)
    }

    public enum Output: Hashable, Sendable {
        case segment(TCPSegment)
        case event(TCPEvent)
    }

    public enum Unreachable: Hashable, Sendable {
        /// Nobody is there: ends a connection that is being opened, and means little to one that stands (RFC 5461).
        case destination
        /// Octets.
        case tooBig(mtu: Int)
    }

    struct Pair: Hashable, Sendable {
        var local: Endpoint
        var remote: Endpoint
    }

    public let settings: TCPSettings
    private var listeners: Set<UInt16> = []
    private var connections: [TCPConnectionID: TCPConnection] = [:]
    private var pairs: [Pair: TCPConnectionID] = [:]
    private var halfOpen: [TCPConnectionID] = []
    private var deadlines = DeadlineQueue<TCPConnectionID>()
    private var accepted = TCPConnectionID.firstAccepted
    private var entropy: Entropy
    private var outbox = Outbox<Output>()
    public var traces = TraceBox<TCPTrace>()

    public init(_ settings: TCPSettings = TCPSettings(), entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
    }

    // MARK: Looking

    /// Connections there are, those still closing included.
    public var count: Int { connections.count }
    public func state(of id: TCPConnectionID) -> TCPState? { connections[id]?.name }
    /// Octets that wait to be sent or acknowledged.
    public func unsent(of id: TCPConnectionID) -> Int { connections[id]?.unsent.count ?? 0 }

    // MARK: Machine

    public var nextDeadline: Instant? { deadlines.nextDeadline }
    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> TCPTrace? { traces.next() }

    public mutating func advance(to now: Instant) {
        while let id = deadlines.popDue(at: now) { change(id) { $0.advance(to: now) } }
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .command(let command): carryOut(command, at: now)
        case .segment(let segment): take(segment, at: now)
        case .unreachable(let local, let remote, let sequence, let kind):
            guard let id = pairs[Pair(local: local, remote: remote)] else { return }
            change(id) { connection in
                // Somebody who guesses ports does not know the sequence numbers as well (RFC 5927 4.1).
                if let sequence {
                    let number = SequenceNumber(sequence)
                    guard !number.isBefore(connection.una), number.isBefore(connection.highest) else { return }
                }
                switch kind {
                case .destination: if connection.isOpening { connection.finish(.unreachable) }
                case .tooBig(let mtu): connection.narrow(toMTU: mtu, at: now)
                }
            }
        }
    }

    // MARK: Commands

    private mutating func carryOut(_ command: TCPCommand, at now: Instant) {
        switch command {
        case .listen(let port): listeners.insert(port)
        case .unlisten(let port): listeners.remove(port)
        case .connect(let id, let local, let remote): connect(id, from: local, to: remote, at: now)
        case .send(let id, let bytes): if !bytes.isEmpty { change(id) { $0.send(bytes, at: now) } }
        case .close(let id): change(id) { $0.close(at: now) }
        case .abort(let id):
            guard var connection = connections[id], !connection.isHalfOpen else { return }
            connection.abort(nil)
            while let event = connection.events.next() {
                if case .segment(let segment) = event { outbox.append(.segment(segment)) }
            }
            forget(connection)
        case .hold(let id): change(id) { $0.hold(true, at: now) }
        case .release(let id): change(id) { $0.hold(false, at: now) }
        }
    }

    private mutating func connect(_ id: TCPConnectionID, from local: Endpoint, to remote: Endpoint, at now: Instant) {
        guard connections[id] == nil, id < .firstAccepted else {
            traces.note(.dropped(from: remote, to: local, .numberInUse))
            return
        }
        guard connections.count < settings.mostConnections, let port = port(from: local, to: remote) else {
            outbox.append(.event(.closed(id, .noRoom)))
            return
        }
        let iss = SequenceNumber(UInt32(truncatingIfNeeded: entropy.next()))
        let connection = TCPConnection(
            opening: id, from: Endpoint(local.address, port), to: remote, settings, iss: iss, at: now)
        pairs[Pair(local: connection.local, remote: remote)] = id
        keep(connection)
    }

    /// A port that no other connection to `remote` has; nil: there is none.
    private mutating func port(from local: Endpoint, to remote: Endpoint) -> UInt16? {
        func isFree(_ port: UInt16) -> Bool { pairs[Pair(local: Endpoint(local.address, port), remote: remote)] == nil }
        guard local.port == 0 else { return isFree(local.port) ? local.port : nil }
        let start = UInt16(truncatingIfNeeded: entropy.next() % 16_384)
        for step in 0..<UInt16(16_384) {
            let port = 49_152 + (start &+ step) % 16_384
            if isFree(port), !listeners.contains(port) { return port }
        }
        return nil
    }

    // MARK: Segments

    private mutating func take(_ segment: TCPSegment, at now: Instant) {
        let pair = Pair(local: segment.destination, remote: segment.source)
        if let id = pairs[pair], let connection = connections[id] {
            guard isReopening(connection, segment) else { return change(id) { $0.receive(segment, at: now) } }
            change(id) { $0.finish(.closed) }
        }
        let opens = segment.flags.contains(.syn) && segment.flags.isDisjoint(with: [.ack, .rst, .fin])
        guard opens, listeners.contains(segment.destination.port) else { return refuse(segment) }
        guard connections.count < settings.mostConnections else {
            traces.note(.dropped(from: segment.source, to: segment.destination, .noRoom))
            return refuse(segment)
        }
        if halfOpen.count >= max(settings.mostHalfOpen, 1), let oldest = halfOpen.first.flatMap({ connections[$0] }) {
            traces.note(.dropped(from: oldest.remote, to: oldest.local, .halfOpenOverflow))
            forget(oldest)
        }
        accepted.value += 1
        let iss = SequenceNumber(UInt32(truncatingIfNeeded: entropy.next()))
        let connection = TCPConnection(answering: segment, as: accepted, settings, iss: iss, at: now)
        pairs[pair] = accepted
        halfOpen.append(accepted)
        keep(connection)
    }

    /// RFC 9293 3.10.7.4: a new SYN may end a TIME-WAIT early, if its numbers cannot be old ones.
    private func isReopening(_ connection: TCPConnection, _ segment: TCPSegment) -> Bool {
        guard case .timeWait = connection.state else { return false }
        return segment.flags.contains(.syn) && segment.flags.isDisjoint(with: [.ack, .rst])
            && SequenceNumber(segment.sequence).isAfter(connection.reception.next)
    }

    /// RFC 9293 3.10.7.1: a segment for nobody.
    private mutating func refuse(_ segment: TCPSegment) {
        traces.note(.stray(from: segment.source, to: segment.destination))
        guard !segment.flags.contains(.rst) else { return }
        let hasACK = segment.flags.contains(.ack)
        outbox.append(
            .segment(
                TCPSegment(
                    from: segment.destination, to: segment.source, sequence: hasACK ? segment.acknowledgment : 0,
                    acknowledgment: hasACK ? 0 : segment.sequence &+ UInt32(truncatingIfNeeded: segment.length),
                    flags: hasACK ? .rst : [.rst, .ack], window: 0)))
    }

    // MARK: The table

    private mutating func change(_ id: TCPConnectionID, _ body: (inout TCPConnection) -> Void) {
        guard var connection = connections.removeValue(forKey: id) else { return }
        body(&connection)
        keep(connection)
    }

    /// Fetches what a connection has to say, and keeps it unless that was its last.
    private mutating func keep(_ connection: TCPConnection) {
        var connection = connection
        let id = connection.id
        while let event = connection.events.next() {
            switch event {
            case .segment(let segment): outbox.append(.segment(segment))
            case .opened:
                if let place = halfOpen.firstIndex(of: id) {
                    halfOpen.remove(at: place)
                    outbox.append(.event(.accepted(id, local: connection.local, remote: connection.remote)))
                } else {
                    outbox.append(.event(.connected(id, local: connection.local, remote: connection.remote)))
                }
            case .received(let bytes): outbox.append(.event(.received(id, bytes)))
            case .ended: outbox.append(.event(.ended(id)))
            case .closed(let end):
                // A handshake that came to nothing was never told of.
                if !halfOpen.contains(id) { outbox.append(.event(.closed(id, end))) }
            case .note(let trace): traces.note(trace)
            }
        }
        if connection.isClosed { return forget(connection) }
        connections[id] = connection
        deadlines.set(id, to: connection.nextDeadline)
    }

    private mutating func forget(_ connection: TCPConnection) {
        connections[connection.id] = nil
        pairs[Pair(local: connection.local, remote: connection.remote)] = nil
        deadlines.set(connection.id, to: nil)
        halfOpen.removeAll { $0 == connection.id }
    }
}
