import Base
import CoreMetrics
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// What whoever looks at a server's metrics may cost; whatever goes beyond is refused or closed, and counted.
public struct MetricsServerSettings: Sendable {
    /// Octets of a request's line and headers.
    public var headOctets = 8 << 10
    /// From the connection to the whole head.
    public var headWithin = Duration.seconds(5)
    /// From the head until the answer is sent and the connection closed.
    public var answerWithin = Duration.seconds(5)
    /// How long the server itself may take to say how it is.
    public var askedWithin = Duration.seconds(2)
    /// Beyond them the oldest one that has not said what it wants gives way.
    public var connections = 16

    public init() {}
}

/// The page of metrics and the two questions of whoever watches over processes, over HTTP/1 (RFC 9112): GET, one request a connection.
///
/// It knows nothing of what it tells: it asks, and where nobody answers in time it says 503.
public final class MetricsServer: Sendable {
    public enum Page: String, Sendable, CaseIterable {
        case metrics = "/metrics"
        /// Is it alive?
        case health = "/healthz"
        /// May it be sent work?
        case readiness = "/readyz"
    }

    public struct Answer: Sendable {
        public var isGood: Bool
        public var contentType: String
        public var body: [UInt8]

        /// `isGood`: 200, else 503.
        public init(isGood: Bool, contentType: String = "text/plain; charset=utf-8", _ body: [UInt8]) {
            self.isGood = isGood
            self.contentType = contentType
            self.body = body
        }
    }

    /// Calls `answer` once, on whatever thread; later calls than `askedWithin` change nothing. What it hands over is made into the page on the
    /// server's own thread.
    public typealias Ask =
        @Sendable (_ page: Page, _ answer: @escaping @Sendable (_ render: @escaping @Sendable () -> Answer) -> Void) -> Void

    /// Why a request or connection got no page.
    enum Refusal: String, CaseIterable {
        case badRequest = "bad-request"
        case method
        case notFound = "not-found"
        case headTooLarge = "head-too-large"
        case slowHead = "slow-head"
        case slowReader = "slow-reader"
        case gaveWay = "gave-way"
        case tooManyConnections = "too-many-connections"
        case noAnswer = "no-answer"
    }

    let settings: MetricsServerSettings
    let ask: Ask
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private struct Open: Sendable {
        var count = 0
        /// Those whose head is awaited, the oldest first.
        var silent: [any Channel] = []
    }

    private let open = Mutex(Open())
    private let served: [Page: Counter]
    private let refused: [Refusal: Counter]

    public init(_ settings: MetricsServerSettings = MetricsServerSettings(), registry: MetricsRegistry, ask: @escaping Ask) {
        self.settings = settings
        self.ask = ask
        registry.describe("pinhole_metrics_requests_total", "Requests for metrics and health that were answered, by page.")
        registry.describe(
            "pinhole_metrics_refused_total", "Requests and connections to the metrics port that got no page, by reason.")
        served = Dictionary(
            uniqueKeysWithValues: Page.allCases.map {
                ($0, Counter(label: "pinhole_metrics_requests_total", dimensions: [("page", $0.rawValue)], factory: registry))
            })
        refused = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.map {
                ($0, Counter(label: "pinhole_metrics_refused_total", dimensions: [("reason", $0.rawValue)], factory: registry))
            })
    }

    /// Listens; port 0 takes any. Returns where. Throws the kernel's errno with its words. Blocks; not for an event loop's thread.
    public func listen(at endpoint: Endpoint) throws(MetricsServerError) -> Endpoint {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptPause()) }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { [self] channel in
                guard enter(channel) else { return channel.eventLoop.makeFailedFuture(ChannelError.alreadyClosed) }
                channel.closeFuture.whenComplete { [self] _ in
                    headIsThere(channel)
                    open.withLock { $0.count -= 1 }
                }
                return channel.eventLoop.makeCompletedFuture { [self] in
                    let exchange = MetricsExchange(self)
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HeadGuard(exchange, most: settings.headOctets))
                    try pipeline.addHandler(HTTPResponseEncoder())
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
                    try pipeline.addHandler(exchange)
                }
            }
        do {
            let channel = try bootstrap.bind(host: "\(endpoint.address)", port: Int(endpoint.port)).wait()
            return Endpoint(endpoint.address, UInt16(channel.localAddress?.port ?? 0))
        } catch {
            let error = error as? IOError
            throw MetricsServerError(code: error?.errnoCode ?? 0, description: error?.description ?? "it cannot be opened")
        }
    }

    /// Closes everything; nothing works afterwards. Blocks until it has.
    public func stop() { try? group.syncShutdownGracefully() }

    /// False: there is no room, as everybody waits for an answer.
    private func enter(_ channel: any Channel) -> Bool {
        let (isTaken, silent) = open.withLock { open -> (Bool, (any Channel)?) in
            let isFull = open.count >= settings.connections
            if isFull, open.silent.isEmpty { return (false, nil) }
            let silent = isFull ? open.silent.removeFirst() : nil
            open.count += 1
            open.silent.append(channel)
            return (true, silent)
        }
        if let silent {
            count(.gaveWay)
            silent.close(promise: nil)
        }
        if !isTaken { count(.tooManyConnections) }
        return isTaken
    }

    /// It gives way to nobody any more.
    func headIsThere(_ channel: any Channel) { open.withLock { $0.silent.removeAll { $0 === channel } } }

    func count(_ refusal: Refusal) { refused[refusal]?.increment() }
    func count(_ page: Page) { served[page]?.increment() }
}

/// Why the port could not be opened; `code` as in errno.h, 0 for none.
public struct MetricsServerError: Error, Sendable {
    public var code: Int32
    public var description: String
}
