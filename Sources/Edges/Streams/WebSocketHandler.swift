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
            connection.expectNothing()
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

/// Answers whatever HTTP comes instead of a WebSocket upgrade for SIP, and keeps account of the connection until then.
final class WebSocketRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connection: StreamConnection

    init(_ connection: StreamConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head = Self.unwrapInboundIn(data) else { return }
        let text = "This port speaks SIP over WebSocket (RFC 7118): upgrade with Sec-WebSocket-Protocol: sip\n"
        let headers: HTTPHeaders = [
            "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "sip", "Connection": "close",
            "Content-Type": "text/plain", "Content-Length": "\(text.utf8.count)",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .upgradeRequired, headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: text)))), promise: nil)
        let connection = connection
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).whenComplete { _ in
            connection.end(.webSocket("an HTTP request that is no upgrade to the subprotocol sip"))
        }
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
    func awaitWebSocket(limits: SIPLimits) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: limits.messageBytes, automaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                let offered = head.headers[canonicalForm: "Sec-WebSocket-Protocol"]
                let speaksSIP = offered.contains { $0.lowercased() == "sip" }
                return channel.eventLoop.makeSucceededFuture(speaksSIP ? ["Sec-WebSocket-Protocol": "sip"] : nil)
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
        let refusal = WebSocketRefusal(self)
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
