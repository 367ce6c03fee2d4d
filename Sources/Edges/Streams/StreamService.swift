import Base
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import SIP
import Synchronization

/// Why something could not be listened on.
public struct StreamError: Error, Hashable, Sendable, CustomStringConvertible {
    /// errno, where the system refused; 0 otherwise.
    public var code: Int32
    public var description: String
}

/// SIP over TCP, TLS and WebSocket on real sockets: listens and connects, cuts messages, and hands them over through an inbox.
///
/// Every method may be called from any thread. Messages go out in the order in which they were given.
public final class StreamService: Sendable {
    /// A flow without our own address, which a connecting node may not know.
    private struct Key: Hashable, Sendable {
        var transport: SIPTransport
        var remote: Endpoint
        var connection: UInt64

        init(_ flow: FlowID) {
            transport = flow.transport
            remote = flow.remote
            connection = flow.connection
        }
    }

    private struct State: Sendable {
        var connections: [Key: StreamConnection] = [:]
        /// Those that came to us, by number.
        var accepted: [UInt64: StreamConnection] = [:]
        var room: ConnectionRoom
        var listeners: [any Channel] = []
        /// What is to be sent over connections of ours that are not there yet.
        var unsent: [Key: [[UInt8]]] = [:]
        var lastNumber: UInt64
        var counters = StreamCounters()
        var origins: Set<String>
        /// Of the certificate that handshakes show from now on.
        var context: NIOSSLContext?
        /// Nothing is accepted until a connection closes.
        var isPaused = false
        var isStopped = false

        init(_ settings: StreamSettings) {
            room = ConnectionRoom(room: settings.connections, perSource: settings.connectionsPerAddress)
            lastNumber = settings.firstConnection &- 1
            origins = settings.origins
        }
    }

    public let settings: StreamSettings
    let inbox: StreamInbox
    private let group: MultiThreadedEventLoopGroup
    private let state: Mutex<State>

    public init(settings: StreamSettings = StreamSettings(), inbox: StreamInbox) {
        self.settings = settings
        self.inbox = inbox
        state = Mutex(State(settings))
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, settings.threads))
    }

    // MARK: Listening

    /// Accepts connections on `endpoint`; port 0 takes any free one. Returns the endpoint as bound. `identity` is for TLS and WSS.
    ///
    /// Throws the system's reason; an occupied port is EADDRINUSE.
    public func listen(_ transport: SIPTransport, at endpoint: Endpoint, identity: TLSIdentity? = nil) throws(StreamError)
        -> Endpoint
    {
        precondition(transport.isReliable, "streams do not carry UDP")
        do {
            if transport.isSecure {
                guard let identity else { throw StreamError(code: 0, description: "\(transport.viaToken) needs a certificate") }
                try renew(identity)
            }
            var bootstrap = ServerBootstrap(group: group)
                .serverChannelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptGate(self))
                    }
                }
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(Self.userTimeout, value: Int(clamping: settings.unacknowledgedFor.wholeMilliseconds))
                .childChannelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture { try self.accept(channel, transport) }
                }
            if endpoint.address.isIPv6 {
                bootstrap = bootstrap.serverChannelOption(
                    ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
            }
            let channel = try bootstrap.bind(to: endpoint.socketAddress()).wait()
            let isStopped = state.withLock { state in
                state.listeners.append(channel)
                return state.isStopped
            }
            if isStopped { channel.close(promise: nil) }
            return channel.localAddress.flatMap(Endpoint.init) ?? endpoint
        } catch let error as StreamError {
            throw error
        } catch let error as IOError {
            throw StreamError(code: error.errnoCode, description: error.description)
        } catch {
            throw StreamError(code: 0, description: "\(error)")
        }
    }

    /// Every handshake from now on shows this certificate; connections that stand keep theirs.
    public func renew(_ identity: TLSIdentity) throws(StreamError) {
        let context = try identity.serverContext()
        state.withLock { $0.context = context }
    }

    /// Whether it listens with a certificate.
    public var isSecure: Bool { state.withLock { $0.context != nil } }

    /// From where pages may open WebSocket connections from now on; empty: from anywhere.
    public func allow(origins: Set<String>) { state.withLock { $0.origins = origins } }

    private static let userTimeout = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT))

    private func accept(_ channel: any Channel, _ transport: SIPTransport) throws {
        guard let remote = channel.remoteAddress.flatMap(Endpoint.init), let local = channel.localAddress.flatMap(Endpoint.init)
        else { return channel.close(promise: nil) }
        let (flow, leaver) = state.withLock { state -> (FlowID?, StreamConnection?) in
            guard !state.isStopped else { return (nil, nil) }
            let flow = FlowID(transport, local: local, remote: remote, connection: state.lastNumber &+ 1)
            switch state.room.admit(flow.connection, flow, at: .now) {
            case .full: state.counters.refusedFull &+= 1
            case .sourceFull: state.counters.refusedAddress &+= 1
            case .admitted(let number):
                state.counters.accepted &+= 1
                state.lastNumber &+= 1
                return (flow, number.flatMap { state.accepted[$0] })
            }
            return (nil, nil)
        }
        leaver?.close(.gaveWay)
        guard let flow else { return channel.close(promise: nil) }
        let connection = StreamConnection(flow, channel, isAccepted: true, service: self)
        remember(connection)
        let pipeline = channel.pipeline.syncOperations
        let (context, origins) = state.withLock { ($0.context, $0.origins) }
        if transport.isSecure, let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
        switch transport {
        case .tcp, .tls: try pipeline.addHandler(ByteStreamHandler(connection, framer: StreamFramer(limits: settings.limits)))
        case .ws, .wss: try connection.awaitWebSocket(limits: settings.limits, origins: origins)
        case .udp: break
        }
    }

    // MARK: Connecting

    /// What an outgoing connection hands over.
    public enum Framing: Sendable {
        /// Whole SIP messages.
        case messages
        /// Bytes as they come, for a node that frames by itself.
        case raw
    }

    /// Connects to `flow.remote`; ends in `.opened` or `.closed`. `flow.connection` is the caller's own number. A specified
    /// `flow.local` address is bound to, any port.
    ///
    /// `serverName` is what the certificate must be valid for, and SNI (RFC 5922); nil: the address connected to.
    public func connect(
        _ flow: FlowID, framing: Framing = .messages, serverName: String? = nil, trust: TLSTrust = .system
    ) {
        precondition(flow.transport == .tcp || flow.transport == .tls, "outgoing streams are TCP and TLS")
        let isTaken = state.withLock { state in
            guard !state.isStopped, state.connections[Key(flow)] == nil, state.unsent[Key(flow)] == nil else { return true }
            state.unsent[Key(flow)] = []
            return false
        }
        guard !isTaken else { return inbox.postAlways(.closed(flow, .unreachable("the flow is in use"))) }
        do {
            let context = flow.transport == .tls ? try NIOSSLContext(configuration: trust.configuration) : nil
            let name = serverName.flatMap { IPAddress($0) == nil ? $0 : nil }
            var bootstrap = ClientBootstrap(group: group)
                .connectTimeout(.nanoseconds(settings.connectWithin.wholeNanoseconds))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(Self.userTimeout, value: Int(clamping: settings.unacknowledgedFor.wholeMilliseconds))
                .channelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = StreamConnection(flow, channel, isAccepted: false, service: self)
                        remember(connection)
                        let pipeline = channel.pipeline.syncOperations
                        if let context { try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: name)) }
                        let framer = framing == .messages ? StreamFramer(limits: settings.limits) : nil
                        let wanted = trust == .anyone ? nil : name
                        try pipeline.addHandler(ByteStreamHandler(connection, framer: framer, serverName: wanted))
                    }
                }
            if !flow.local.address.isUnspecified {
                bootstrap = bootstrap.bind(to: try Endpoint(flow.local.address, 0).socketAddress())
            }
            bootstrap.connect(to: try flow.remote.socketAddress()).whenFailure { [self] (error: any Error) in
                let reason = StreamCloseReason.unreachable((error as? IOError)?.description ?? "\(error)")
                guard let connection = state.withLock({ $0.connections[Key(flow)] }) else { return abandon(flow, reason) }
                connection.channel.eventLoop.execute {
                    connection.failed(reason)
                    connection.ended()
                }
            }
        } catch {
            abandon(flow, .tls("\(error)"))
        }
    }

    /// A connection of ours ended before it was one.
    private func abandon(_ flow: FlowID, _ reason: StreamCloseReason) {
        guard state.withLock({ $0.unsent.removeValue(forKey: Key(flow)) }) != nil else { return }
        inbox.postAlways(.closed(flow, reason))
    }

    /// Messages that may wait for a connection which the event loop has not begun yet.
    private static let mostUnsent = 64

    // MARK: Sending, closing

    /// Sends a whole message, over a connection of ours as soon as it stands. False: the connection is gone.
    @discardableResult
    public func send(_ bytes: [UInt8], on flow: FlowID) -> Bool {
        let (connection, isTaken) = state.withLock { state -> (StreamConnection?, Bool) in
            if let connection = state.connections[Key(flow)] { return (connection, true) }
            // The connection itself holds what comes next; it will be there at once.
            if let place = state.unsent.index(forKey: Key(flow)) {
                let waiting = state.unsent.values[place]
                let octets = waiting.reduce(bytes.count) { $0 + $1.count }
                if waiting.count < Self.mostUnsent, octets <= settings.unsentBytes {
                    state.unsent.values[place].append(bytes)
                    return (nil, true)
                }
            }
            state.counters.unsendable &+= 1
            return (nil, false)
        }
        connection?.send(bytes)
        return isTaken
    }

    /// Somebody proved himself over an accepted connection, or it carries a call: it may stay as long as it likes. `isAccount`: an account did,
    /// so that its source is known from now on.
    public func prove(_ flow: FlowID, isAccount: Bool) {
        let connection = state.withLock { state -> StreamConnection? in
            guard let connection = state.connections[Key(flow)], connection.isAccepted else { return nil }
            state.room.prove(flow.connection, isAccount: isAccount, at: .now)
            return connection
        }
        connection?.proved()
    }

    /// Closes a connection; `.closed(_, .local)` follows.
    public func close(_ flow: FlowID) {
        state.withLock { $0.connections[Key(flow)] }?.close(.local)
    }

    /// Stops listening and closes everything. Blocks until it has; nothing works afterwards.
    public func stop() {
        let (listeners, connections) = state.withLock { state in
            state.isStopped = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.connections.values))
        }
        for listener in listeners { listener.close(promise: nil) }
        for connection in connections { connection.close(.local) }
        try? group.syncShutdownGracefully()
    }

    // MARK: Looking

    public var counters: StreamCounters { state.withLock { $0.counters } }

    /// Connections there are, handshakes included.
    public var connectionCount: Int { state.withLock { $0.connections.count } }

    // MARK: From connections

    func count(_ change: @Sendable (inout StreamCounters) -> Void) { state.withLock { change(&$0.counters) } }

    private func remember(_ connection: StreamConnection) {
        state.withLock { state in
            state.connections[Key(connection.flow)] = connection
            if connection.isAccepted { state.accepted[connection.flow.connection] = connection }
            // Under the lock, so that nothing sent later comes before it; it is never too much for the connection.
            for bytes in state.unsent.removeValue(forKey: Key(connection.flow)) ?? [] { connection.send(bytes) }
        }
    }

    func forget(_ connection: StreamConnection) {
        state.withLock { state in
            if state.connections.removeValue(forKey: Key(connection.flow)) != nil, connection.isAccepted {
                state.accepted[connection.flow.connection] = nil
                state.room.leave(connection.flow.connection)
            }
        }
        acceptAgain()
    }

    /// No descriptor is left for another connection: nothing is accepted until one has closed, or some time has passed. The oldest that proved
    /// nothing gives way.
    package func exhausted(_ why: String) {
        let (isNew, isFirst, leaver) = state.withLock { state -> (Bool, Bool, StreamConnection?) in
            guard !state.isPaused, !state.listeners.isEmpty else { return (false, false, nil) }
            state.isPaused = true
            state.counters.acceptPauses &+= 1
            return (true, state.counters.acceptPauses == 1, state.room.makeRoom().flatMap { state.accepted[$0] })
        }
        guard isNew else { return }
        followPause()
        if isFirst { inbox.postAlways(.exhausted(why)) }
        leaver?.close(.gaveWay)
        let patience = TimeAmount.nanoseconds(settings.acceptAgainAfter.wholeNanoseconds)
        group.any().scheduleTask(in: patience) { [weak self] in self?.acceptAgain() }
    }

    private func acceptAgain() {
        let isNew = state.withLock { state in
            defer { state.isPaused = false }
            return state.isPaused
        }
        if isNew { followPause() }
    }

    /// Each listener does as the state says when its loop comes to it: whichever of two changes comes there last, it knows both.
    private func followPause() {
        for listener in state.withLock({ $0.listeners }) {
            listener.eventLoop.execute { [weak self] in
                guard let isPaused = self?.state.withLock({ $0.isPaused }) else { return }
                listener.setOption(.autoRead, value: !isPaused).whenFailure { _ in }
            }
        }
    }
}
