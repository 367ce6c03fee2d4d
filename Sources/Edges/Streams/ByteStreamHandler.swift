import Base
import NIOCore
import NIOSSL
import NIOTLS
import SIP

/// The end of a TCP or TLS connection's pipeline: bytes to messages.
final class ByteStreamHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let connection: StreamConnection
    /// nil: bytes are handed on as they come.
    private var framer: StreamFramer?
    private let isSecure: Bool
    /// The host name the peer's certificate must be valid for; nil asks for none beyond what TLS checked.
    private let serverName: String?
    private var owesRead = false

    init(_ connection: StreamConnection, framer: StreamFramer?, serverName: String? = nil) {
        self.connection = connection
        self.serverName = serverName
        self.framer = framer
        isSecure = connection.flow.transport.isSecure
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connection.readOn = { [unowned self] in
            deliver()
            guard owesRead, !connection.isPaused else { return }
            owesRead = false
            context.read()
        }
        connection.write = { bytes, written in
            context.write(Self.wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: written)
        }
        if context.channel.isActive, !isSecure { connection.opened() }
    }

    func channelActive(context: ChannelHandlerContext) {
        if !isSecure { connection.opened() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            if let serverName, !isValid(for: serverName, context) {
                connection.end(.tls("the certificate is not valid for \(serverName)"))
            } else {
                connection.opened()
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data).readableBytesView
        guard framer != nil else { return connection.deliver(Array(bytes)) }
        framer?.append(bytes)
        deliver()
    }

    func read(context: ChannelHandlerContext) {
        if connection.isPaused { owesRead = true } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.failed(StreamCloseReason(error)) }

    /// TLS itself was content with the address connected to; who asked for a name wants that name (RFC 5922 7.2).
    private func isValid(for name: String, _ context: ChannelHandlerContext) -> Bool {
        guard let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self),
            let bytes = try? handler.peerCertificate?.toDERBytes()
        else { return false }
        return ServerName.isNamed(name, inCertificate: bytes)
    }

    private func deliver() {
        guard framer != nil else { return }
        var hasMessage = false
        while !connection.isPaused {
            do throws(SIPParseError) {
                guard let message = try framer?.next() else { break }
                hasMessage = true
                connection.deliver(message)
            } catch {
                return connection.end(.framing(error))
            }
        }
        guard !connection.isPaused else { return }
        // What came after the message a deadline was for gets a deadline of its own.
        if hasMessage { connection.expectNothing() }
        if framer?.isPartial == true { connection.expectRest() }
    }
}

extension StreamCloseReason {
    /// What a channel reports before it closes.
    init(_ error: any Error) {
        switch error {
        case let error as NIOSSLError:
            switch error {
            case .handshakeFailed(let reason): self = .tls("handshake failed: \(reason)")
            case .uncleanShutdown: self = .peer
            default: self = .tls("\(error)")
            }
        case let error as BoringSSLError: self = .tls("\(error)")
        case let error as NIOSSLExtraError: self = .tls("\(error)")
        case let error as IOError: self = .broken(error.description)
        default: self = .broken("\(error)")
        }
    }
}
