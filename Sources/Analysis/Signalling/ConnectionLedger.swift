import Base
import Capture

/// TCP connections that SIP needed and did not get: refused, never answered, or reset under a request.
struct ConnectionLedger: Sendable {
    /// One client's attempts at one server's port, in one source.
    struct Attempts: Sendable {
        var first: EvidencePlace
        var firstTime: Int64
        var lastTime: Int64
        var client: PackedEndpoint
        var opened = 0
        var refused = 0
        /// SYNs, by connection.
        var tried = 0
        /// SYNs sent again, before and after the capture showed an answer.
        var repeats = 0
        var unheard = 0
        /// It carried TLS.
        var stands = false
    }

    struct Key: Hashable, Sendable {
        var file: UInt16
        var client: PackedAddress
        var server: PackedEndpoint
    }

    /// A request whose connection was reset before any answer.
    struct Reset: Sendable {
        var place: EvidencePlace
        var time: Int64
        var dialog: Int
        var request: EvidencePlace
        var by: PackedEndpoint
        var waiting: Waiting
        /// When the dialog was answered over another connection.
        var back: Int64?
    }

    /// A segment that nobody acknowledges.
    struct Stall: Sendable {
        var place: EvidencePlace
        var flow: PackedFlow
        var since: Int64
        var until: Int64
        var octets: Int
        /// Of the longest that was acknowledged; 0 for none.
        var longest: Int
        var sends: Int
        var isForServer: Bool
        /// The other side has spoken since.
        var isAwaited: Bool
    }

    /// A request that waits for any answer.
    struct Waiting: Sendable {
        var dialog: Int
        var place: EvidencePlace
        var time: Int64
        var source: PackedEndpoint
        var destination: PackedEndpoint
        /// Octets.
        var size = 0
        /// Nanoseconds since the message before it on its connection; nil for the first.
        var idle: Int64?
        /// An alert of TLS came back.
        var meetsTLS = false
    }

    /// Ends that sent requests over a connection of their own, from a port that is not SIP's.
    private var callers: Set<PackedEndpoint> = []

    static let mostServers = 4_096
    static let mostPending = 65_536

    private(set) var attempts: [Key: Attempts] = [:]
    private(set) var resets: [Reset] = []
    /// By dialog: its reset that nothing made up for yet.
    private var awaited: [Int: Int] = [:]
    private(set) var stalls: [PackedFlow: Stall] = [:]
    /// By flow of the client: the request that is not answered yet.
    private(set) var pending: [PackedFlow: Waiting] = [:]
    /// When a connection carried its last message, by the flow that began.
    private var lastMessages: [PackedFlow: Int64] = [:]
    /// Requests whose connection the server closed instead of answering.
    private(set) var closed: [Waiting] = []
    /// Those whose sender closed it first, or went on with something else, when it had waited for so long that no server ponders.
    private(set) var abandoned: [Waiting] = []

    mutating func message(
        from source: PackedEndpoint, to destination: PackedEndpoint, dialog: Int, place: EvidencePlace, time: Int64,
        isRequest: Bool, size: Int = 0
    ) {
        let flow = PackedFlow(source: source.address, source.port, destination: destination.address, destination.port, .tcp)
        let before = lastMessages[flow] ?? lastMessages[flow.reversed]
        if before != nil || lastMessages.count < Self.mostPending {
            lastMessages[lastMessages[flow.reversed] == nil ? flow : flow.reversed] = time
        }
        if isRequest {
            if before == nil, !Self.isSIP(source.port), callers.count < Self.mostPending { callers.insert(source) }
            // Another one does not take the place of one that waits in vain.
            if let waiting = pending[flow] { giveUp(waiting, at: time) }
            if pending.count < Self.mostPending {
                pending[flow] = Waiting(
                    dialog: dialog, place: place, time: time, source: source, destination: destination,
                    size: size, idle: before.flatMap { elapsed($0, time) })
            }
        } else {
            if let waiting = pending.removeValue(forKey: flow.reversed), waiting.dialog != dialog { giveUp(waiting, at: time) }
            if let reset = awaited.removeValue(forKey: dialog) { resets[reset].back = time }
        }
    }

    /// It had waited for so long that no server ponders.
    private mutating func giveUp(_ waiting: Waiting, at time: Int64) {
        guard elapsed(waiting.time, time).map({ $0 > Judge.patience }) ?? false, abandoned.count < 1_000 else { return }
        abandoned.append(waiting)
    }

    mutating func event(_ event: StreamEvent, file: UInt16) {
        let flow = event.flow
        let place = EvidencePlace(.frame, file: file, number: UInt32(clamping: event.frame))
        switch event.kind {
        case .opening: note(flow.source, flow.sourcePort, flow.destination, flow.destinationPort, place, event) { $0.tried += 1 }
        case .reopening(let isAnswered):
            note(flow.source, flow.sourcePort, flow.destination, flow.destinationPort, place, event) {
                if isAnswered { $0.unheard += 1 } else { $0.repeats += 1 }
            }
        case .opened: note(flow.source, flow.sourcePort, flow.destination, flow.destinationPort, place, event) { $0.opened += 1 }
        // The RST comes from the server, or the event names the client's flow: the side with the SIP port is the server.
        case .refused:
            note(flow.source, flow.sourcePort, flow.destination, flow.destinationPort, place, event) { $0.refused += 1 }
        case .reset:
            for side in [flow, flow.reversed] {
                guard let waiting = pending.removeValue(forKey: side), resets.count < 1_000 else { continue }
                awaited[waiting.dialog] = resets.count
                resets.append(
                    Reset(
                        place: place, time: event.time.nanoseconds, dialog: waiting.dialog, request: waiting.place,
                        by: PackedEndpoint(flow.source, flow.sourcePort), waiting: waiting))
            }
        case .closed:
            // Of the server: the client may close when it has waited long enough.
            if let waiting = pending.removeValue(forKey: flow) {
                giveUp(waiting, at: event.time.nanoseconds)
            } else if let waiting = pending.removeValue(forKey: flow.reversed), closed.count < 1_000 {
                closed.append(waiting)
            }
        case .stalled(let octets, let longest, let sends, let since, let isAwaited):
            guard Self.isSIP(flow.sourcePort) || Self.isSIP(flow.destinationPort),
                stalls[flow] != nil || stalls.count < Self.mostServers
            else { return }
            stalls[flow] = Stall(
                place: place, flow: flow, since: since.nanoseconds, until: event.time.nanoseconds, octets: octets,
                longest: longest,
                sends: sends, isForServer: Self.isSIP(flow.destinationPort), isAwaited: isAwaited)
        case .moved: stalls[flow] = nil
        case .tlsAlert:
            if var waiting = pending.removeValue(forKey: flow.reversed), closed.count < 1_000 {
                waiting.meetsTLS = true
                closed.append(waiting)
            }
        case .tls:
            let server = PackedEndpoint(flow.destination, flow.destinationPort)
            attempts[Key(file: file, client: flow.source, server: server)]?.stands = true
        case .gap, .tlsNoCertificate, .webSocket, .resynchronised: break
        }
    }

    private mutating func note(
        _ source: PackedAddress, _ sourcePort: UInt16, _ destination: PackedAddress, _ destinationPort: UInt16,
        _ place: EvidencePlace,
        _ event: StreamEvent, _ change: (inout Attempts) -> Void
    ) {
        let isBack = !Self.isSIP(destinationPort) && !Self.isSIP(sourcePort)
        let isForward = isBack ? callers.contains(PackedEndpoint(destination, destinationPort)) : Self.isSIP(destinationPort)
        guard isForward || (isBack ? callers.contains(PackedEndpoint(source, sourcePort)) : Self.isSIP(sourcePort)) else {
            return
        }
        let client = isForward ? PackedEndpoint(source, sourcePort) : PackedEndpoint(destination, destinationPort)
        let server = isForward ? PackedEndpoint(destination, destinationPort) : PackedEndpoint(source, sourcePort)
        let key = Key(file: place.file, client: client.address, server: server)
        if attempts[key] == nil {
            guard attempts.count < Self.mostServers else { return }
            attempts[key] = Attempts(
                first: place, firstTime: event.time.nanoseconds, lastTime: event.time.nanoseconds, client: client)
        }
        change(&attempts[key]!)
        attempts[key]!.lastTime = event.time.nanoseconds
    }

    /// What else goes over TCP is none of our business: the registered ports of SIP (RFC 3261 19.1.2).
    static func isSIP(_ port: UInt16) -> Bool { port == 5_060 || port == 5_061 }
}
