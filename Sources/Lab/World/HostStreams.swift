import Base
import SIP
import TCP

/// The streams of one host: between its TCP, whose connections have numbers, and its node, which thinks in flows.
///
/// A server's streams are cut into messages here, as the edge does for a real one (RFC 3261 18.3); a phone cuts its own.
struct HostStreams: Sendable {
    enum Step: Sendable {
        case command(TCPCommand)
        /// A connection of ours stands.
        case connected(FlowID)
        /// Octets as they come (phones), or one whole message or keepalive (servers).
        case received(FlowID, [UInt8])
        case closed(FlowID, String)
    }

    private struct Stream: Sendable {
        var flow: FlowID
        var tls: StandInTLS?
        /// Of a server: what is not yet a whole message.
        var buffer: [UInt8] = []
    }

    private let isServer: Bool
    /// What is spoken at each port that takes connections.
    let listeners: [UInt16: SIPTransport]
    private var streams: [TCPConnectionID: Stream] = [:]
    private var steps = Outbox<Step>()

    init(isServer: Bool, listeners: [UInt16: SIPTransport] = [:]) {
        self.isServer = isServer
        self.listeners = listeners
    }

    var count: Int { streams.count }

    mutating func nextStep() -> Step? { steps.next() }

    // MARK: The node's wishes

    /// `entropy` is drawn upon only where TLS is spoken.
    mutating func connect(_ flow: FlowID, entropy: inout Entropy) {
        let id = TCPConnectionID(flow.connection)
        let tls = flow.transport.isSecure ? StandInTLS(isClient: true, entropy: &entropy) : nil
        streams[id] = Stream(flow: flow, tls: tls)
        steps.append(.command(.connect(id, from: flow.local, to: flow.remote)))
    }

    /// False: there is no such stream any more.
    mutating func send(_ bytes: [UInt8], on flow: FlowID) -> Bool {
        let id = TCPConnectionID(flow.connection)
        guard let stream = streams[id] else { return false }
        guard stream.tls != nil else {
            steps.append(.command(.send(id, bytes)))
            return true
        }
        guard let sealed = streams[id]?.tls?.protect(bytes), !sealed.isEmpty else { return false }
        steps.append(.command(.send(id, sealed)))
        return true
    }

    mutating func disconnect(_ flow: FlowID) {
        let id = TCPConnectionID(flow.connection)
        guard streams.removeValue(forKey: id) != nil else { return }
        steps.append(.command(.close(id)))
    }

    // MARK: What TCP tells

    mutating func take(_ event: TCPEvent, entropy: inout Entropy) {
        switch event {
        case .accepted(let id, let local, let remote):
            guard let transport = listeners[local.port] else { return steps.append(.command(.abort(id))) }
            let flow = FlowID(transport, local: local, remote: remote, connection: id.value)
            streams[id] = Stream(
                flow: flow, tls: transport.isSecure ? StandInTLS(isClient: false, entropy: &entropy) : nil)
        case .connected(let id, let local, _):
            guard var stream = streams[id] else { return }
            stream.flow.local = local
            streams[id] = stream
            if let tls = stream.tls {
                steps.append(.command(.send(id, tls.hello)))
            } else {
                steps.append(.connected(stream.flow))
            }
        case .received(let id, let bytes): received(bytes, on: id)
        case .ended(let id):
            // Nobody has use for half a connection.
            lose(id, "closed by the other side")
            steps.append(.command(.close(id)))
        case .closed(let id, let end): lose(id, end.text)
        }
    }

    private mutating func lose(_ id: TCPConnectionID, _ reason: String) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        steps.append(.closed(stream.flow, reason))
    }

    private mutating func received(_ bytes: [UInt8], on id: TCPConnectionID) {
        guard let flow = streams[id]?.flow, let result = streams[id]?.tls?.receive(bytes) else { return deliver(bytes, on: id) }
        if !result.reply.isEmpty { steps.append(.command(.send(id, result.reply))) }
        if result.opened, !isServer { steps.append(.connected(flow)) }
        deliver(result.plain, on: id)
        if result.isBroken {
            lose(id, "a TLS record is not what was sent")
            steps.append(.command(.abort(id)))
        }
    }

    private mutating func deliver(_ bytes: [UInt8], on id: TCPConnectionID) {
        guard var stream = streams[id], !bytes.isEmpty else { return }
        guard isServer else { return steps.append(.received(stream.flow, bytes)) }
        stream.buffer += bytes
        var offset = 0
        do throws(SIPParseError) {
            framing: while offset < stream.buffer.count {
                let length: Int
                switch try SIPFraming.next(in: stream.buffer, from: offset) {
                case .incomplete: break framing
                case .ping: length = 4
                case .pong: length = 2
                case .message(let octets): length = octets
                }
                steps.append(.received(stream.flow, Array(stream.buffer[offset..<(offset + length)])))
                offset += length
            }
            stream.buffer.removeFirst(offset)
            streams[id] = stream
        } catch {
            lose(id, "the stream cannot be followed: \(error)")
            steps.append(.command(.abort(id)))
        }
    }
}
