import Base
import NIOCore
import NIOHTTP1
import NIOWebSocket
import SIP

/// The end of a WebSocket connection's pipeline (RFC 7118): one message a frame; frames were joined before.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = Never
    typealias OutboundOut = WebSocketFrame

    private let connection: StreamConnection
    private let limits: SIPLimits
    private var owesRead = false

    init(_ connection: StreamConnection, limits: SIPLimits) {
        self.connection = connection
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connection.readOn = { [unowned self] in
            guard owesRead, !connection.isPaused else { return }
            owesRead = false
            context.read()
        }
        connection.write = { bytes, written in
            let isText = String(validating: bytes, as: UTF8.self) != nil
            let frame = WebSocketFrame(
                fin: true, opcode: isText ? .text : .binary, data: context.channel.allocator.buffer(bytes: bytes))
            context.write(Self.wrapOutboundOut(frame), promise: written)
        }
        connection.opened()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = Self.unwrapInboundIn(data)
        let bytes = frame.unmaskedData.readableBytesView
        switch frame.opcode {
        case .text, .binary:
            guard bytes.count <= limits.messageBytes else {
                return refuse(context, .messageTooLarge, "a message of \(bytes.count) bytes")
            }
            connection.deliver(Array(bytes))
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(Self.wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            let answer = WebSocketFrame(fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            context.writeAndFlush(Self.wrapOutboundOut(answer), promise: nil)
            connection.end(.peer)
        case .pong: break
        default: refuse(context, .protocolError, "opcode \(frame.opcode)")
        }
    }

    func read(context: ChannelHandlerContext) {
        if connection.isPaused { owesRead = true } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOWebSocketError:
            refuse(context, error == .invalidFrameLength ? .messageTooLarge : .protocolError, "\(error)")
        case is UnmaskedFrame: refuse(context, .protocolError, "a client's frame was not masked (RFC 6455 5.1)")
        case is NIOWebSocketFrameAggregator.Error: refuse(context, .messageTooLarge, "\(error)")
        default: connection.failed(StreamCloseReason(error))
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode, _ why: String) {
        var body = context.channel.allocator.buffer(capacity: 2)
        body.write(webSocketErrorCode: code)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: body)
        context.writeAndFlush(Self.wrapOutboundOut(frame), promise: nil)
        connection.end(.webSocket(why))
    }
}

private struct UnmaskedFrame: Error {}

/// Lets masked frames pass, as clients must send them (RFC 6455 5.1). It stands before frames are joined, which unmasks them.
private final class MaskCheck: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard Self.unwrapInboundIn(data).maskKey != nil else { return context.fireErrorCaught(UnmaskedFrame()) }
        context.fireChannelRead(data)
    }
}

/// Whom an HTTP request asks to be, and from where it comes.
extension HTTPRequestHead {
    fileprivate var asksForSIP: Bool {
        headers[canonicalForm: "Sec-WebSocket-Protocol"].contains { $0.lowercased() == "sip" }
    }

    /// RFC 6455 10.2: a browser says which page opens the connection, and pages cannot forge it.
    fileprivate func isFrom(_ origins: Set<String>) -> Bool {
        guard !origins.isEmpty else { return true }
        let named = headers["Origin"]
        return named.count == 1 && origins.contains(named[0].lowercased())
    }
}

/// Answers whatever HTTP comes instead of a WebSocket upgrade for SIP, and keeps account of the connection until then.
final class WebSocketRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connection: StreamConnection
    private let origins: Set<String>

    init(_ connection: StreamConnection, origins: Set<String>) {
        self.connection = connection
        self.origins = origins
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let request) = Self.unwrapInboundIn(data) else { return }
        if request.asksForSIP, !request.isFrom(origins) {
            return refuse(context, .forbidden, [:], "Only pages of this server's own may connect here\n", .foreignOrigin)
        }
        refuse(
            context, .upgradeRequired,
            ["Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "sip"],
            "This port speaks SIP over WebSocket (RFC 7118): upgrade with Sec-WebSocket-Protocol: sip\n",
            .webSocket("an HTTP request that is no upgrade to the subprotocol sip"))
    }

    private func refuse(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ text: String,
        _ why: StreamCloseReason
    ) {
        var headers = headers
        headers.add(name: "Connection", value: "close")
        headers.add(name: "Content-Type", value: "text/plain")
        headers.add(name: "Content-Length", value: "\(text.utf8.count)")
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: text)))), promise: nil)
        let connection = connection
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).whenComplete { _ in connection.end(why) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The request itself follows, and its answer.
        if error is NIOWebSocketUpgradeError { return }
        connection.failed(StreamCloseReason(error))
    }
}

extension StreamConnection {
    /// Puts the HTTP upgrade (RFC 6455 4.2) and what follows it on an accepted channel.
    func awaitWebSocket(limits: SIPLimits, origins: Set<String>) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: limits.messageBytes, automaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                let isWelcome = head.asksForSIP && head.isFrom(origins)
                return channel.eventLoop.makeSucceededFuture(isWelcome ? ["Sec-WebSocket-Protocol": "sip"] : nil)
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        MaskCheck(),
                        // Browsers may cut a message as they like; a flood of tiny pieces may not pile up.
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1_024,
                            maxAccumulatedFrameSize: limits.messageBytes),
                        WebSocketHandler(self, limits: limits),
                    ])
                }
            })
        let refusal = WebSocketRefusal(self, origins: origins)
        let bound = NIOLoopBound(refusal, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.syncOperations.removeHandler(bound.value, promise: nil)
                }
            ))
        try channel.pipeline.syncOperations.addHandler(refusal)
    }
}
