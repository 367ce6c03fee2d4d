import ALG
import Base
import NAT
import PhoneNode
import RouterNode
import ServerNode
import VirtualNetwork

/// What was seen in one cell, and the line of plain words that follows from it.
struct MatrixEvidence {
    /// Where a packet towards the phone ended.
    enum Loss: Hashable {
        /// The NAT refused it: to which of its ports, why, and whether the port belongs to a mapping of the phone's SIP socket.
        case nat(NATDropReason, to: Endpoint)
        /// Nobody on the Internet has that address.
        case nowhere(IPAddress)
        case alg(ALGDropReason)
        case lost
    }

    /// The first request that did not get through.
    struct Missed {
        var silence: Duration
        /// nil: there was no binding to try.
        var outcome: ProbeOutcome?
        var losses: [Loss]
    }

    let alg: Matrix.ALGChoice
    var missed: Missed?
    /// Packets lost while the phone first registered.
    var early: [Loss] = []
    var mappingSurprises = 0
    /// The last surprise: what the Contact said, what was seen instead.
    var surprise: (contact: Endpoint, seen: Endpoint)?
    var moves = Set<Endpoint>()
    /// The idle times of the mappings there were while the phone first registered, by external port.
    var idle: [UInt16: Duration] = [:]
    /// Those of the phone; nil: it sends none.
    var phoneKeepalive: Duration?

    mutating func take(_ records: [LabRecord]) {
        for record in records {
            switch record.trace {
            case .phone(.decided(.registers(_, _, _, .mappingChanged(let from, let to, _)))):
                mappingSurprises += 1
                surprise = (from, to)
            case .status(let status): if let seen = status.mapping.registrar { moves.insert(seen) }
            case .router, .network: if let loss = Self.loss(record.trace), !early.contains(loss) { early.append(loss) }
            case .phone, .server, .host, .text, .probed, .stunAnswered, .nameAnswered, .did, .call, .recorded, .media,
                .mediaDropped:
                break
            }
        }
    }

    static func losses(in records: [LabRecord], of world: LabWorld, _ router: BoxID) -> [Loss] {
        var losses: [Loss] = []
        for record in records { if let loss = loss(record.trace), !losses.contains(loss) { losses.append(loss) } }
        return losses
    }

    private static func loss(_ trace: LabTrace) -> Loss? {
        switch trace {
        case .router(.nat(.dropped(let reason, .inbound, _, _, let to))): .nat(reason, to: to)
        case .router(.dropped(.alg(let reason), _)): .alg(reason)
        case .network(.dropped(_, _, .noNeighbour(let address), _)): .nowhere(address)
        case .network(.dropped(_, _, .lost, _)): .lost
        case .phone, .server, .router, .host, .network, .status, .text, .probed, .stunAnswered, .nameAnswered, .did, .call,
            .recorded, .media,
            .mediaDropped:
            nil
        }
    }

    // MARK: In words

    func reason(
        _ cell: MatrixCell, isRegistered: Bool, isFlapping: Bool, reach: [MatrixResult.Reach], status: PhoneStatus?,
        stale: UInt64,
        keepalive: Duration?
    ) -> String {
        if !isRegistered { return failure(cell, status, stale) }
        let isMissed = reach.contains { $0.isReached == false }
        if isFlapping {
            let why = disagreement(cell)
            let calls = isMissed ? "; " + absence(cell, keepalive) : ""
            return "STUN and the server see different ports, \(why): the phone registered anew \(mappingSurprises) times\(calls)"
        }
        if isMissed { return absence(cell, keepalive) }
        if reach.allSatisfy({ $0.isReached == nil }) { return "registered, but never silent long enough to be tried" }
        return presence(cell, keepalive)
    }

    private func failure(_ cell: MatrixCell, _ status: PhoneStatus?, _ stale: UInt64) -> String {
        guard let status else { return "the phone was never switched on" }
        if status.isRegistered { return "the phone believes it is registered, but the server's binding is gone" }
        if stale > 0 {
            let places = moves.count > 1 ? "\(moves.count) ports" : "several ports"
            return
                "the ALG spread the REGISTERs over \(places) and held answers back, so the phone answered a challenge the server"
                + " had already replaced: right password, stale nonce (\(stale) times)"
        }
        if let loss = early.first { return "no answer found its way back: \(text(loss, cell))" }
        return status.explanation
    }

    private func disagreement(_ cell: MatrixCell) -> String {
        if cell.routerALG {
            return alg == .speedtouch780
                ? "as the ALG gives SIP mappings of its own" : "as the ALG treats SIP apart from the rest"
        }
        if cell.mapping != .endpointIndependent { return "as the NAT maps each destination for itself" }
        return "as the mapping dies after \(cell.udpTimer.wholeSeconds) s and comes back on another port"
    }

    private func absence(_ cell: MatrixCell, _ keepalive: Duration?) -> String {
        guard let missed else { return "requests do not reach the phone" }
        guard let outcome = missed.outcome else { return "the server holds no binding to send requests to" }
        switch outcome.result {
        case .unreachable:
            let wrong = cell.phoneUsesSTUN ? "that is the port STUN reported, not the one SIP uses" : "nothing was let in there"
            return "the server gave up \(outcome.flow.remote) as its keepalives there drew no answer: "
                + (early.isEmpty ? wrong : text(early[early.count - 1], cell))
        case .unroutable: return "the Contact \(outcome.contact) leads nowhere"
        case .refused: return "the server had too many probes under way"
        case .timedOut, .answered:
            if let loss = missed.losses.first { return text(loss, cell, after: missed.silence, keepalive) }
            return "requests to \(outcome.flow.remote) went unanswered"
        }
    }

    private func text(_ loss: Loss, _ cell: MatrixCell, after silence: Duration? = nil, _ keepalive: Duration? = nil) -> String {
        switch loss {
        case .nowhere(let address):
            return address.isPrivate
                ? "the server sends to the private address \(address), which leads nowhere on the Internet"
                : "the server sends to \(address), which nobody has"
        case .nat(.noMapping, let to):
            guard let silence else { return "the NAT has no mapping at port \(to.port)" }
            let care = keepalive == nil ? "no keepalive is configured" : "the server's OPTIONS there do not refresh it"
            let timer = idle[to.port] ?? cell.udpTimer
            let owner = timer == cell.udpTimer ? "UDP timer" : "the ALG's own timer"
            return "after \(silence.wholeSeconds) s of silence the NAT had no mapping at port \(to.port) any more (\(owner)"
                + " \(timer.wholeSeconds) s; \(care))"
        case .nat(.filtered, let to):
            return "requests reach port \(to.port), whose filter (\(cell.filtering.name)) does not let the server in"
                + (cell.phoneUsesSTUN ? ": that mapping was made for the STUN server" : "")
        case .nat(let reason, let to): return "the NAT refused packets to port \(to.port): \(reason)"
        case .alg(let reason): return "the ALG threw messages away: \(reason.text)"
        case .lost: return "packets were lost on the way"
        }
    }

    private func presence(_ cell: MatrixCell, _ keepalive: Duration?) -> String {
        let timer = "keep the mapping (UDP timer \(cell.udpTimer.wholeSeconds) s) alive"
        switch (phoneKeepalive, keepalive) {
        case (let own?, let others?):
            return
                "the phone's keepalives every \(own.wholeSeconds) s and the server's OPTIONS every"
                + " \(others.wholeSeconds) s \(timer)"
        case (let own?, nil): return "the phone's keepalives every \(own.wholeSeconds) s \(timer)"
        case (nil, let others?): return "the server's OPTIONS every \(others.wholeSeconds) s \(timer)"
        case (nil, nil): return "no keepalive is configured; the mapping outlived every silence tried"
        }
    }
}
