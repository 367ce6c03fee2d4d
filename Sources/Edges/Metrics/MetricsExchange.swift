import NIOCore
import NIOHTTP1
import Synchronization

/// One connection: a request's head, its answer, the end.
final class MetricsExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case reading
        /// The head is there; the server is asked.
        case asking
        case writing
        /// All is sent; the peer is to close.
        case sent
    }

    private let server: MetricsServer
    private var state = State.reading
    private var deadline: Scheduled<Void>?
    private var patience: Scheduled<Void>?

    init(_ server: MetricsServer) { self.server = server }

    /// What comes from now on is of no use.
    var isHeadComplete: Bool { if case .reading = state { false } else { true } }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard deadline == nil else { return }
        limit(server.settings.headWithin, .slowHead, context)
    }

    /// Closes after so long, and counts why unless all was sent by then.
    private func limit(_ time: Duration, _ refusal: MetricsServer.Refusal, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { [self] in
            if case .sent = state {} else { server.count(refusal) }
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = Self.unwrapInboundIn(data), !isHeadComplete else { return }
        let path = head.uri.prefix { $0 != "?" }
        guard head.method == .GET else { return refuse(.method, .methodNotAllowed, "only GET is taken here", context) }
        guard let page = MetricsServer.Page(rawValue: String(path)) else {
            let pages = MetricsServer.Page.allCases.map(\.rawValue).joined(separator: ", ")
            return refuse(.notFound, .notFound, "there are \(pages)", context)
        }
        ask(page, context)
    }

    private func ask(_ page: MetricsServer.Page, _ context: ChannelHandlerContext) {
        state = .asking
        server.headIsThere(context.channel)
        limit(server.settings.answerWithin, .slowReader, context)
        let me = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        patience = loop.assumeIsolated().scheduleTask(in: TimeAmount(server.settings.askedWithin)) { [self] in
            guard case .asking = state else { return }
            server.count(.noAnswer)
            let seconds = server.settings.askedWithin
            answer(.init(isGood: false, Array("the signalling thread did not answer within \(seconds)\n".utf8)), context)
        }
        server.ask(page) { render in
            loop.execute {
                let (exchange, context) = me.value
                guard case .asking = exchange.state else { return }
                exchange.server.count(page)
                exchange.answer(render(), context)
            }
        }
    }

    private func answer(_ answer: MetricsServer.Answer, _ context: ChannelHandlerContext) {
        write(answer.isGood ? .ok : .serviceUnavailable, answer.contentType, answer.body, context)
    }

    func refuseLongHead(_ context: ChannelHandlerContext) {
        let most = server.settings.headOctets
        refuse(.headTooLarge, .requestHeaderFieldsTooLarge, "a head may have \(most) octets", context)
    }

    private func refuse(
        _ refusal: MetricsServer.Refusal, _ status: HTTPResponseStatus, _ text: String, _ context: ChannelHandlerContext
    ) {
        server.count(refusal)
        server.headIsThere(context.channel)
        limit(server.settings.answerWithin, .slowReader, context)
        write(status, "text/plain; charset=utf-8", Array("\(text)\n".utf8), context)
    }

    private func write(
        _ status: HTTPResponseStatus, _ contentType: String, _ body: [UInt8], _ context: ChannelHandlerContext
    ) {
        state = .writing
        patience?.cancel()
        var headers: HTTPHeaders = [
            "Content-Type": contentType, "Content-Length": "\(body.count)", "Cache-Control": "no-store", "Connection": "close",
        ]
        if status == .methodNotAllowed { headers.add(name: "Allow", value: "GET") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: body)))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { [self] result in
            guard case .success = result else { return context.close(promise: nil) }
            state = .sent
            // What the peer still sends is read and dropped, so that no reset overtakes the answer (RFC 9112 9.6).
            context.close(mode: .output, promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        switch state {
        case .reading, .sent: context.close(promise: nil)
        case .asking, .writing: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        patience?.cancel()
        state = .sent
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, !isHeadComplete else { return context.close(promise: nil) }
        refuse(.badRequest, .badRequest, "this is no HTTP/1 request", context)
    }
}

/// Hands on so many octets until a head is complete, and drops what comes after it.
final class HeadGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let exchange: MetricsExchange
    private var left: Int

    init(_ exchange: MetricsExchange, most: Int) {
        self.exchange = exchange
        left = most
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !exchange.isHeadComplete else { return }
        var bytes = Self.unwrapInboundIn(data)
        let isTooMuch = bytes.readableBytes > left
        guard let begin = bytes.readSlice(length: min(left, bytes.readableBytes)) else { return }
        left -= begin.readableBytes
        context.fireChannelRead(Self.wrapInboundOut(begin))
        guard isTooMuch, !exchange.isHeadComplete, let last = try? context.pipeline.syncOperations.context(handler: exchange)
        else { return }
        exchange.refuseLongHead(last)
    }
}

/// Stands in the listener's pipeline: where no descriptor is left for another connection, none is accepted for a second. Left to itself the
/// listener asks again at once, for ever.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return }
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenFailure { _ in }
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.setOption(.autoRead, value: true).whenFailure { _ in } }
    }
}
