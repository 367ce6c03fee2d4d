public import Base

/// An application level gateway for SIP: reads and rewrites the messages inside the packets a NAT translates (RFC 2663 2.9).
///
/// It translates no packet itself. The router asks it, in this order: by which mapping a datagram leaves (`mapping`), what becomes of
/// its payload once the flow is known (`process`), and what it wants of the NAT (`nextRequest`). It acts by its profile alone.
public struct ApplicationGateway: Sendable {
    public let profile: ALGProfile
    public let limits: ALGLimits
    var flows: [ALGFlow: ALGFlowState] = [:]
    var flowDeadlines = DeadlineQueue<ALGFlow>()
    var pinholes = ALGPinholeTable()
    var slots: [Endpoint: [ALGSlot]] = [:]
    var slotDeadlines = DeadlineQueue<ALGSlotID>()
    var slotCount: UInt64 = 0
    /// Which mapping a request from outside came to.
    var inboundTransactions: [ALGTransaction: Endpoint] = [:]
    var transactionDeadlines = DeadlineQueue<ALGTransaction>()
    var requests = Outbox<ALGRequest>()
    var traces: ALGNotes

    public init(profile: ALGProfile, limits: ALGLimits = ALGLimits(), isTracing: Bool = true) {
        self.profile = profile
        self.limits = limits
        traces = ALGNotes(isOn: isTracing)
    }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// What it did so far.
    public var statistics: ALGStatistics { traces.statistics }

    /// Shorter payloads are no message.
    static let shortest = 11

    // MARK: Payloads

    /// What becomes of a payload that crosses on `flow`. Datagrams hold one message; a segment of a stream as many as end in it.
    ///
    /// - Parameter isTaken: whether the NAT cannot give an external endpoint to an inside one.
    public mutating func process(
        _ payload: [UInt8], _ direction: ALGDirection, on flow: ALGFlow, at now: Instant,
        isTaken: (SIPTransport, _ external: Endpoint, _ inside: Endpoint) -> Bool = { _, _, _ in false }
    ) -> ALGVerdict {
        guard !profile.isIdle else { return .pass(ALGPassage(bytes: payload)) }
        traces.now = now
        switch flow.transport {
        case .udp:
            noteUse(of: flow, at: now)
            guard payload.count >= Self.shortest else { return .pass(ALGPassage(bytes: payload)) }
            var message = ALGMessage(payload, flow, direction)
            if let reason = process(&message, at: now, isTaken) { return drop(reason, flow, direction) }
            return verdict(message, at: now)
        case .tcp, .tls, .ws, .wss:
            guard profile.streams == .wholeMessages else { return .pass(ALGPassage(bytes: payload)) }
            noteUse(of: flow, at: now)
            return processSegment(payload, direction, flow, now, isTaken)
        }
    }

    private mutating func verdict(_ message: ALGMessage, at now: Instant) -> ALGVerdict {
        var passage = ALGPassage(bytes: message.text.bytes, rewrites: message.rewrites)
        note(message)
        if let port = redirection(message.flow, message.direction) {
            var destination = message.direction == .inbound ? message.flow.inside : message.flow.remote
            destination.port = port
            passage.destination = destination
            traces.note(.redirected(to: destination, message.flow))
        }
        guard let hold = holdTime(message) else { return .pass(passage) }
        let until = now + hold
        traces.note(.held(until: until, message.flow))
        return .hold(passage, until: until)
    }

    /// The Via's port, in the direction opposite to the one in which the flow began.
    private func redirection(_ flow: ALGFlow, _ direction: ALGDirection) -> UInt16? {
        guard flow.isTranslated, let state = flows[flow], let port = state.forcedPort else { return nil }
        return direction == (state.isExpected ? .outbound : .inbound) ? port : nil
    }

    private func holdTime(_ message: ALGMessage) -> Duration? {
        for hold in profile.holds {
            switch hold {
            case .inboundResponses(let time):
                if message.direction == .inbound, message.isResponse { return time }
            }
        }
        return nil
    }

    private mutating func note(_ message: ALGMessage) {
        for rewrite in message.rewrites { traces.note(.rewrote(rewrite, message.flow, message.direction)) }
    }

    private mutating func drop(_ reason: ALGDropReason, _ flow: ALGFlow, _ direction: ALGDirection) -> ALGVerdict {
        traces.note(.dropped(reason, flow, direction))
        return .drop(reason)
    }

    /// Rewrites the whole messages at the segment's start; what follows passes as it is.
    private mutating func processSegment(
        _ payload: [UInt8], _ direction: ALGDirection, _ flow: ALGFlow, _ now: Instant,
        _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGVerdict {
        guard payload.count >= Self.shortest else { return .pass(ALGPassage(bytes: payload)) }
        var rest = payload[...]
        var done: [UInt8] = []
        var rewrites: [ALGRewrite] = []
        while !rest.isEmpty {
            let text = SIPText(Array(rest), isIPv6: flow.inside.address.isIPv6)
            guard let length = text.streamedLength else {
                traces.note(.splitMessage(flow, direction))
                break
            }
            var message = ALGMessage(Array(text.bytes[..<length]), flow, direction)
            if let reason = process(&message, at: now, isTaken) { return drop(reason, flow, direction) }
            note(message)
            done += message.text.bytes
            rewrites += message.rewrites
            rest = rest.dropFirst(length)
        }
        return .pass(ALGPassage(bytes: done + rest, rewrites: rewrites))
    }

    // MARK: Life of flows

    private mutating func noteUse(of flow: ALGFlow, at now: Instant) {
        if flows[flow] == nil {
            if flows.count >= limits.flows, let oldest = flowDeadlines.popDue(at: .distantFuture) {
                endFlow(oldest)
                traces.note(.evicted(.flows))
            }
            flows[flow] = ALGFlowState()
        }
        flowDeadlines.set(flow, to: now + (profile.signallingIdle ?? .seconds(3600)))
    }

    /// Whether messages were seen on it, or it came through a signalling pinhole.
    public func isFollowing(_ flow: ALGFlow) -> Bool { flows[flow] != nil }

    private mutating func endFlow(_ flow: ALGFlow) {
        for id in flows[flow]?.pinholes ?? [] { closePinhole(id, .flushed) }
        flows[flow] = nil
    }

    /// A flow that a signalling pinhole let in.
    public mutating func expected(_ flow: ALGFlow, at now: Instant) {
        noteUse(of: flow, at: now)
        flows[flow]?.isExpected = true
        traces.statistics.noteSignallingPinholeUsed()
    }

    /// Flows for which `isOut` is true are no longer followed, and their pinholes close.
    public mutating func stopFollowing(where isOut: (ALGFlow) -> Bool) {
        for flow in flows.keys.filter(isOut) {
            endFlow(flow)
            flowDeadlines.set(flow, to: nil)
        }
    }

    // MARK: Time and queues

    public var nextDeadline: Instant? {
        [flowDeadlines.nextDeadline, pinholes.nextDeadline, slotDeadlines.nextDeadline, transactionDeadlines.nextDeadline]
            .compactMap { $0 }.min()
    }

    public mutating func advance(to now: Instant) {
        traces.now = now
        while let id = pinholes.deadlines.popDue(at: now) { closePinhole(id, .expired) }
        while let flow = flowDeadlines.popDue(at: now) { endFlow(flow) }
        while let id = slotDeadlines.popDue(at: now) { remove(id) }
        while let transaction = transactionDeadlines.popDue(at: now) { inboundTransactions[transaction] = nil }
    }

    public mutating func nextRequest() -> ALGRequest? { requests.next() }

    public mutating func nextTrace() -> ALGTrace? { traces.next() }

    /// Forgets everything but what it counted, as after a power cut.
    public mutating func reset() {
        let notes = traces
        self = ApplicationGateway(profile: profile, limits: limits, isTracing: isTracing)
        traces = notes
    }
}

extension ALGProfile {
    /// Nothing it would ever do.
    var isIdle: Bool {
        rewrites.isEmpty && sessionDescription == nil && drops.isEmpty && signallingPinhole == nil && holds.isEmpty
            && mapping == .ordinary && responsePort == .asMapped
    }
}

extension SIPText {
    /// Octets of the message at the start, by its Content-Length; nil if it does not end here or says no length.
    var streamedLength: Int? {
        guard case .found(let digits) = header(.contentLength, from: 0) else { return nil }
        var at = digits.upperBound
        let blank: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a]
        while at + 4 <= end, !has(blank, at: at) { at += 1 }
        guard at + 4 <= end else { return nil }
        let length = UInt64(at + 4) + number(at: digits.lowerBound)
        return length <= UInt64(end) ? Int(length) : nil
    }
}
