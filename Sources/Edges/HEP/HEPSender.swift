import Base
import Capture
import Foundation
import LinuxEdge
import Synchronization

/// How often each thing happened to what was to be sent to the collector.
public struct HEPCounters: Hashable, Sendable {
    public var sip: UInt64 = 0
    public var rtcp: UInt64 = 0
    public var verdicts: UInt64 = 0
    /// Lost, as too much waited: the thread or the name server was slow.
    public var queueFull: UInt64 = 0
    /// Lost, as the kernel's buffer was full.
    public var bufferFull: UInt64 = 0
    /// Lost, as the collector has no address, or the kernel would not send.
    public var unsent: UInt64 = 0
    /// ICMP said that nobody listens there: what was sent before is lost.
    public var refused: UInt64 = 0
    /// Longer than a packet can be.
    public var tooLarge: UInt64 = 0

    public init() {}
}

/// The one thread that tells a collector what the server hears and says (HEPv3 over UDP). Whoever posts never waits: what finds no room is
/// lost and counted.
///
/// The collector's name is asked for here, at the start, and again after it was gone, at most every 30 s.
public final class HEPSender: Sendable {
    public enum Report: Sendable {
        /// Said once until it works again.
        case trouble(String)
        case relief(String)
    }

    /// Items that may wait, and octets they may hold.
    public static let most = (items: 8_192, octets: 8 << 20)
    /// How long nobody must have refused before the collector is believed to be there again, and how long a name's address is believed
    /// where it is not.
    static let calm = Duration.seconds(10)
    static let retry = Duration.seconds(30)

    private struct Queue: Sendable {
        var items: [HEPItem] = []
        var octets = 0
        var isStopping = false
        var counters = HEPCounters()
    }

    private let settings: HEPSettings
    private let clock: RealTime
    private let report: @Sendable (Report) -> Void
    private let queue = Mutex(Queue())
    private let signal = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// `report` is called on the sender's thread.
    public init(_ settings: HEPSettings, clock: RealTime, report: @escaping @Sendable (Report) -> Void) {
        self.settings = settings
        self.clock = clock
        self.report = report
    }

    public func start() { Thread.detachNewThread { [self] in run() } }

    /// Sends what waits, as far as it can be sent at once, then ends. Blocks until it has, two seconds at most, as a search for the collector's name may
    /// hang; only after `start`.
    public func stop() {
        queue.withLock { $0.isStopping = true }
        signal.signal()
        _ = ended.wait(timeout: .now() + 2)
    }

    public func post(_ item: HEPItem) {
        let isFirst = queue.withLock { queue in
            guard queue.items.count < Self.most.items, queue.octets + item.octets <= Self.most.octets else {
                queue.counters.queueFull &+= 1
                return false
            }
            queue.items.append(item)
            queue.octets += item.octets
            return queue.items.count == 1
        }
        if isFirst { signal.signal() }
    }

    public var counters: HEPCounters { queue.withLock { $0.counters } }
    /// Items that wait.
    public var waiting: Int { queue.withLock { $0.items.count } }

    private func run() {
        var link = CollectorLink(settings, retry: Self.retry, calm: Self.calm, report: report)
        var isLast = false
        while !isLast {
            signal.wait()
            // Asked before the queue is emptied: what was posted before `stop` is sent.
            let items = queue.withLock { queue in
                isLast = queue.isStopping
                defer { (queue.items, queue.octets) = ([], 0) }
                return queue.items
            }
            var counters = HEPCounters()
            for item in items { send(item, &link, &counters) }
            queue.withLock { $0.counters.add(counters) }
        }
        ended.signal()
    }

    private func send(_ item: HEPItem, _ link: inout CollectorLink, _ counters: inout HEPCounters) {
        for payload in HEPPayload.all(of: item, showsSecrets: settings.showsSecrets) {
            let packet = HEPPacket.bytes(
                payload.bytes, from: item.source, to: item.destination, ipProtocol: item.isStream ? 6 : 17, at: item.time,
                kind: payload.kind, agent: settings.captureID, password: settings.password, correlation: payload.correlation)
            // What UDP over IPv4 can carry.
            guard let packet, packet.count <= 65_507 else {
                counters.tooLarge &+= 1
                continue
            }
            switch link.send(packet, at: clock.now) {
            case .sent:
                switch item.payload {
                case .sip: counters.sip &+= 1
                case .rtcp: counters.rtcp &+= 1
                case .verdict: counters.verdicts &+= 1
                }
            case .full: counters.bufferFull &+= 1
            case .unsent: counters.unsent &+= 1
            }
            counters.refused &+= link.takeRefusals()
        }
    }
}

extension HEPItem {
    /// About what it takes.
    fileprivate var octets: Int {
        switch payload {
        case .sip(let bytes), .rtcp(let bytes, _): bytes.count + 128
        case .verdict(let verdict): verdict.text.utf8.count + 512
        }
    }
}

extension HEPCounters {
    fileprivate mutating func add(_ other: HEPCounters) {
        sip &+= other.sip
        rtcp &+= other.rtcp
        verdicts &+= other.verdicts
        queueFull &+= other.queueFull
        bufferFull &+= other.bufferFull
        unsent &+= other.unsent
        refused &+= other.refused
        tooLarge &+= other.tooLarge
    }
}
