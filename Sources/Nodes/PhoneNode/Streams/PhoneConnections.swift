import Base
import SIP

/// The phone's connections over TCP or TLS, one a peer: opened when there is something to send, framed, kept alive by pings
/// (RFC 3261 18, RFC 5626 4.4.1), and given up when a ping is not answered.
struct PhoneConnections: Sendable {
    enum Event: Hashable, Sendable {
        case connect(FlowID)
        case send(FlowID, [UInt8])
        case disconnect(FlowID)
        /// A whole message.
        case message(FlowID, [UInt8])
        case pinged(FlowID)
        /// The connection is gone, or never came to be. `livedFor` counts from when it was open.
        case failed(FlowID, reason: String, livedFor: Duration?)
    }

    private enum State: Sendable {
        /// `waiting`: whole messages, sent once it is open.
        case connecting(waiting: [[UInt8]], until: Instant)
        /// `pongBy`: a ping is out; nil where none is.
        case open(since: Instant, buffer: [UInt8], nextPing: Instant?, pongBy: Instant?)
    }

    private struct Connection: Sendable {
        var flow: FlowID
        var state: State
    }

    /// Connections at once; what would need one more fails.
    static let cap = 64
    /// Bytes that wait for one connection to open; beyond it the connection is given up.
    static let waitingCap = 262_144
    static let connectPatience = Duration.seconds(10)
    /// RFC 5626 4.4.1: a pong is due within 10 s.
    static let pongPatience = Duration.seconds(10)

    private let transport: SIPTransport
    /// nil: no pings.
    private let pingInterval: Duration?
    private var connections: [UInt64: Connection] = [:]
    private var peers: [Endpoint: UInt64] = [:]
    private var deadlines = DeadlineQueue<UInt64>()
    private var lastNumber: UInt64 = 0
    private var entropy: Entropy
    private var events = Outbox<Event>()

    init(transport: SIPTransport, pingInterval: Duration?, entropy: Entropy) {
        self.transport = transport
        self.pingInterval = pingInterval.map { max($0, .seconds(1)) }
        self.entropy = entropy
    }

    var nextDeadline: Instant? { deadlines.nextDeadline }

    mutating func nextEvent() -> Event? { events.next() }

    /// The connection to `remote`, opened where there is none.
    mutating func flow(from local: IPAddress, to remote: Endpoint, at now: Instant) -> FlowID {
        if let number = peers[remote], let connection = connections[number] { return connection.flow }
        lastNumber += 1
        let flow = FlowID(transport, local: Endpoint(local, 0), remote: remote, connection: lastNumber)
        guard connections.count < Self.cap else {
            events.append(.failed(flow, reason: "\(Self.cap) connections are open already", livedFor: nil))
            return flow
        }
        let until = now + Self.connectPatience
        connections[lastNumber] = Connection(flow: flow, state: .connecting(waiting: [], until: until))
        peers[remote] = lastNumber
        deadlines.set(lastNumber, to: until)
        events.append(.connect(flow))
        return flow
    }

    /// A whole message, or a ping, over a connection that `flow` names; where that is gone, over the one to the same peer.
    mutating func send(_ bytes: [UInt8], over flow: FlowID, at now: Instant) {
        let number: UInt64
        if connections[flow.connection] != nil {
            number = flow.connection
        } else {
            number = self.flow(from: flow.local.address, to: flow.remote, at: now).connection
        }
        guard var connection = connections[number] else { return }
        switch connection.state {
        case .connecting(var waiting, let until):
            guard waiting.reduce(bytes.count, { $0 + $1.count }) <= Self.waitingCap else {
                fail(number, "too much waits for the connection", tellsPeer: true, at: now)
                return
            }
            waiting.append(bytes)
            connection.state = .connecting(waiting: waiting, until: until)
            connections[number] = connection
        case .open: events.append(.send(connection.flow, bytes))
        }
    }

    mutating func connected(_ flow: FlowID, at now: Instant) {
        guard var connection = connections[flow.connection], case .connecting(let waiting, _) = connection.state else { return }
        connection.flow.local = flow.local
        let ping = pingAfter(now)
        connection.state = .open(since: now, buffer: [], nextPing: ping, pongBy: nil)
        connections[flow.connection] = connection
        deadlines.set(flow.connection, to: ping)
        for bytes in waiting { events.append(.send(connection.flow, bytes)) }
    }

    mutating func received(_ bytes: [UInt8], on flow: FlowID, at now: Instant) {
        guard var connection = connections[flow.connection],
            case .open(let since, var buffer, let nextPing, let pongBy) = connection.state
        else { return }
        buffer += bytes
        var offset = 0
        var fault: SIPParseError?
        var messages: [[UInt8]] = []
        framing: while offset < buffer.count {
            do throws(SIPParseError) {
                // A lone CRLF is the pong that is waited for, or else the first half of a ping.
                let isPong = pongBy != nil && offset == 0 && buffer.count == 2
                switch try SIPFraming.next(in: buffer, from: offset, isQuiet: isPong) {
                case .incomplete: break framing
                case .ping:
                    events.append(.send(connection.flow, [0x0D, 0x0A]))
                    events.append(.pinged(connection.flow))
                    offset += 4
                case .pong: offset += 2
                case .message(let length):
                    messages.append(Array(buffer[offset..<(offset + length)]))
                    offset += length
                }
            } catch {
                fault = error
                break framing
            }
        }
        buffer.removeFirst(offset)
        // Whatever comes shows that the connection lives, as a pong would.
        connection.state = .open(since: since, buffer: buffer, nextPing: nextPing, pongBy: nil)
        connections[flow.connection] = connection
        deadlines.set(flow.connection, to: nextPing)
        for message in messages { events.append(.message(connection.flow, message)) }
        if let fault { fail(flow.connection, "the stream cannot be followed: \(fault)", tellsPeer: true, at: now) }
    }

    mutating func closed(_ flow: FlowID, _ reason: String, at now: Instant) {
        fail(flow.connection, reason, tellsPeer: false, at: now)
    }

    mutating func closeAll() {
        for number in connections.keys.sorted() {
            if let connection = connections[number] { events.append(.disconnect(connection.flow)) }
        }
        connections.removeAll()
        peers.removeAll()
        deadlines = DeadlineQueue()
    }

    mutating func advance(to now: Instant) {
        while let number = deadlines.popDue(at: now) {
            guard var connection = connections[number] else { continue }
            switch connection.state {
            case .connecting(_, let until):
                if until <= now {
                    fail(number, "the connection could not be made in time", tellsPeer: true, at: now)
                } else {
                    deadlines.set(number, to: until)
                }
            case .open(let since, let buffer, let nextPing, let pongBy):
                if let pongBy, pongBy <= now {
                    fail(number, "a ping was not answered", tellsPeer: true, at: now)
                } else if let nextPing, nextPing <= now, pongBy == nil {
                    let pong = now + Self.pongPatience
                    let following = pingAfter(now)
                    connection.state = .open(since: since, buffer: buffer, nextPing: following, pongBy: pong)
                    connections[number] = connection
                    deadlines.set(number, to: following.map { min($0, pong) } ?? pong)
                    events.append(.send(connection.flow, [0x0D, 0x0A, 0x0D, 0x0A]))
                } else {
                    deadlines.set(number, to: [nextPing, pongBy].compactMap { $0 }.filter { $0 > now }.min())
                }
            }
        }
    }

    private mutating func fail(_ number: UInt64, _ reason: String, tellsPeer: Bool, at now: Instant) {
        guard let connection = connections.removeValue(forKey: number) else { return }
        if peers[connection.flow.remote] == number { peers[connection.flow.remote] = nil }
        deadlines.set(number, to: nil)
        if tellsPeer { events.append(.disconnect(connection.flow)) }
        switch connection.state {
        case .connecting: events.append(.failed(connection.flow, reason: reason, livedFor: nil))
        case .open(let since, _, _, _): events.append(.failed(connection.flow, reason: reason, livedFor: now - since))
        }
    }

    /// 80 to 100 per cent of the interval (RFC 5626 4.4.1).
    private mutating func pingAfter(_ now: Instant) -> Instant? {
        guard let pingInterval else { return nil }
        return now + pingInterval * Int64(800 + entropy.next() % 201) / 1000
    }
}
