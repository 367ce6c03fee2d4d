import Base
import Glibc

/// The way to the collector: found, lost and found again, each said once.
package struct CollectorLink: ~Copyable {
    package enum Outcome {
        case sent, full, unsent
    }

    private let settings: HEPSettings
    private let retry: Duration
    private let calm: Duration
    private let report: @Sendable (HEPSender.Report) -> Void
    private var socket: CollectorSocket?
    private var nextSearch = Instant.epoch
    /// What the last search found, which of them is used, and how many of them were found silent in a row.
    private var addresses: [CollectorAddress] = []
    private var address = 0
    private var silent = 0
    /// When it was refused last; nil: never, or it was found again.
    private var lastRefusal: Instant?
    private var isTroubled = false
    private var refusals: UInt64 = 0

    package init(
        _ settings: HEPSettings, retry: Duration, calm: Duration, report: @escaping @Sendable (HEPSender.Report) -> Void
    ) {
        self.settings = settings
        self.retry = retry
        self.calm = calm
        self.report = report
        socket = nil
    }

    /// How often ICMP said since this was asked last that what was sent did not arrive.
    package mutating func takeRefusals() -> UInt64 {
        defer { refusals = 0 }
        return refusals
    }

    package mutating func send(_ packet: [UInt8], at now: Instant) -> Outcome {
        findIfDue(at: now)
        // A refusal is about what was sent before: this one is tried once more, or at the name's next address.
        for _ in 0..<4 {
            let outcome = trySending(packet)
            switch outcome {
            case nil: return .unsent
            case .sent?:
                if let last = lastRefusal, now >= last + calm { works() }
                return .sent
            case .full?: return .full
            case .refused(let code)?:
                refusals &+= 1
                lastRefusal = now
                if takeNextAddress() { continue }
                tell("\(String(cString: strerror(code)))")
            }
        }
        return .unsent
    }

    private borrowing func trySending(_ packet: [UInt8]) -> CollectorSocket.Outcome? {
        switch socket {
        case .some(let socket): socket.send(packet)
        case .none: nil
        }
    }

    /// At the start, and where it is gone, now and then: its name may have moved.
    private mutating func findIfDue(at now: Instant) {
        let isMissing = socket == nil
        guard now >= nextSearch, isMissing || lastRefusal != nil else { return }
        nextSearch = now + retry
        do throws(CollectorError) {
            addresses = try CollectorAddress.all(of: settings.host, settings.port)
            socket = try CollectorSocket(addresses, from: address)
            if isMissing, isTroubled, lastRefusal == nil { works() }
        } catch {
            tell(error.description)
        }
    }

    /// Nobody listens at this one. False: nor at the others, as far as was tried.
    private mutating func takeNextAddress() -> Bool {
        silent += 1
        guard silent < addresses.count, let next = try? CollectorSocket(addresses, from: address + 1) else {
            silent = 0
            return false
        }
        address += 1
        socket = consume next
        return true
    }

    private mutating func tell(_ why: String) {
        guard !isTroubled else { return }
        isTroubled = true
        report(
            .trouble(
                "HEP collector \(settings.host):\(settings.port): \(why). Is it running, and does hep.collector name it? What is sent there "
                    + "is lost and counted until it works again; this is said once"))
    }

    private mutating func works() {
        lastRefusal = nil
        silent = 0
        guard isTroubled else { return }
        isTroubled = false
        report(.relief("the HEP collector \(settings.host):\(settings.port) takes packets again"))
    }
}
