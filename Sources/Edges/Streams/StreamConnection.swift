import Base
import NIOCore
import Synchronization

/// One connection: what both its framings share.
///
/// Invariant for `@unchecked Sendable`: `outgoing` is locked; every other variable is touched on the channel's event loop only.
final class StreamConnection: @unchecked Sendable {
    private struct Outgoing: Sendable {
        var messages: [[UInt8]] = []
        /// Of `messages` and of what the channel has not written yet.
        var bytes = 0
        var isOpen = true
    }

    let flow: FlowID
    let channel: any Channel
    /// True for a connection that came to us.
    let isAccepted: Bool
    private let service: StreamService
    private let outgoing = Mutex(Outgoing())

    /// Set by the framing handler; called when there is room again.
    var readOn: (() -> Void)?
    /// How one message is written; set by the framing handler.
    var write: (([UInt8], EventLoopPromise<Void>) -> Void)?
    private(set) var isPaused = false
    private var held: [[UInt8]] = []
    private var isOpened = false
    private var hasEnded = false
    private var closeReason: StreamCloseReason?
    private var deadline: Scheduled<Void>?
    /// Until somebody proves himself over an accepted connection.
    private var proofDeadline: Scheduled<Void>?

    init(_ flow: FlowID, _ channel: any Channel, isAccepted: Bool, service: StreamService) {
        self.flow = flow
        self.channel = channel
        self.isAccepted = isAccepted
        self.service = service
        if isAccepted { expectProof() } else { expect(within: service.settings.connectWithin) }
    }

    // MARK: From any thread

    func send(_ bytes: [UInt8]) {
        enum Step { case nothing, flush, tooMuch }
        let step = outgoing.withLock { outgoing -> Step in
            guard outgoing.isOpen else { return .nothing }
            guard outgoing.bytes + bytes.count <= service.settings.unsentBytes || outgoing.bytes == 0 else {
                outgoing.isOpen = false
                outgoing.messages = []
                return .tooMuch
            }
            outgoing.bytes += bytes.count
            outgoing.messages.append(bytes)
            return outgoing.messages.count == 1 ? .flush : .nothing
        }
        switch step {
        case .nothing: break
        case .flush: channel.eventLoop.execute { self.flush() }
        case .tooMuch:
            service.count { $0.slowReaders &+= 1 }
            close(.slowReader)
        }
    }

    func close(_ reason: StreamCloseReason) {
        channel.eventLoop.execute { self.end(reason) }
    }

    /// Somebody proved himself over it: it may stay.
    func proved() {
        channel.eventLoop.execute { self.expectNoProof() }
    }

    /// There is room again.
    func resume() {
        channel.eventLoop.execute {
            self.isPaused = false
            var waiting: [[UInt8]] = []
            swap(&waiting, &self.held)
            for message in waiting { self.deliver(message) }
            guard !self.isPaused, !self.hasEnded else { return }
            self.readOn?()
        }
    }

    // MARK: On the event loop

    /// The handshakes are done.
    func opened() {
        guard !isOpened, !hasEnded else { return }
        isOpened = true
        if !isAccepted { expectNothing() }
        let local = channel.localAddress.flatMap(Endpoint.init) ?? flow.local
        service.inbox.postAlways(.opened(flow, local: local))
        flush()
    }

    /// A whole message; where the box is full it waits here, and reading stops.
    func deliver(_ message: [UInt8]) {
        guard !isPaused else { return held.append(message) }
        guard !service.inbox.post(message, from: self) else { return }
        held.append(message)
        isPaused = true
        service.count { $0.pauses &+= 1 }
    }

    /// Ends the connection unless what is awaited arrives in time; an earlier such deadline stays.
    func expectRest() {
        if deadline == nil { expect(within: service.settings.messageWithin) }
    }

    func expectNothing() {
        deadline?.cancel()
        deadline = nil
    }

    /// Ends the connection, for a reason of ours.
    func end(_ reason: StreamCloseReason) {
        guard !hasEnded else { return }
        if closeReason == nil { closeReason = reason }
        switch reason {
        case .tls, .framing, .webSocket: service.count { $0.unintelligible &+= 1 }
        case .tooSlow: service.count { $0.tooSlow &+= 1 }
        case .foreignOrigin: service.count { $0.foreignOrigins &+= 1 }
        case .unproved: service.count { $0.unproved &+= 1 }
        case .gaveWay: service.count { $0.gaveWay &+= 1 }
        case .peer, .broken, .unreachable, .slowReader, .local: break
        }
        channel.close(mode: .all, promise: nil)
    }

    /// The connection failed on its own; it ends when the channel does.
    func failed(_ reason: StreamCloseReason) {
        guard closeReason == nil else { return }
        end(reason)
    }

    /// The channel is closed.
    func ended() {
        guard !hasEnded else { return }
        hasEnded = true
        expectNothing()
        expectNoProof()
        outgoing.withLock { outgoing in
            outgoing.isOpen = false
            outgoing.messages = []
        }
        readOn = nil
        write = nil
        if isOpened {
            for message in held { service.inbox.postAlways(.received(on: flow, message)) }
        }
        held = []
        service.forget(self)
        if isOpened || !isAccepted { service.inbox.postAlways(.closed(flow, closeReason ?? .peer)) }
    }

    private func expectProof() {
        let time = service.settings.provedWithin
        proofDeadline = channel.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) { [weak self] in
            guard let self, !self.hasEnded else { return }
            self.end(.unproved)
        }
    }

    private func expectNoProof() {
        proofDeadline?.cancel()
        proofDeadline = nil
    }

    private func expect(within time: Duration) {
        deadline = channel.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) { [weak self] in
            guard let self, !self.hasEnded else { return }
            if self.isOpened {
                self.end(.tooSlow)
            } else {
                self.end(.unreachable("no answer within \(time.wholeSeconds) s"))
            }
        }
    }

    private func flush() {
        guard isOpened, let write else { return }
        let messages = outgoing.withLock { outgoing in
            defer { outgoing.messages.removeAll(keepingCapacity: true) }
            return outgoing.messages
        }
        guard !messages.isEmpty else { return }
        for message in messages {
            let count = message.count
            let written = channel.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenComplete { _ in self.outgoing.withLock { $0.bytes -= count } }
            write(message, written)
        }
        channel.flush()
    }
}
