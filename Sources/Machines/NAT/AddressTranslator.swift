public import Base
public import Packet

/// A NAT44 as a value: it maps internal to external endpoints, filters what comes in, and rewrites headers (RFC 4787 for UDP,
/// RFC 5382 for TCP, RFC 5508 for ICMP). Payloads are not its business.
///
/// Give it each whole IPv4 packet with `outbound` or `inbound`; it edits the packet in place, and the verdict says what becomes of
/// it. Then fetch `nextOutput` until nil, and call `advance` at `nextDeadline`. Time to Live and routing are the router's.
public struct AddressTranslator: Sendable {
    enum Timer: Hashable, Sendable {
        case mapping(Int)
        case session(Int)
        case expectation(UInt64)
    }

    public internal(set) var settings: NATSettings
    public internal(set) var counters = NATCounters()
    /// Whether each refresh is traced as well; off, as they are as many as packets.
    public var tracesRefreshes = false
    /// Whether anything is traced.
    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// The expectation that the last packet from outside met; nil: none.
    public internal(set) var metExpectation: ExpectationID?

    var policy: FlowPolicy
    var ports: PortAllocator
    var table = MappingTable()
    var sessions = SessionTable()
    var expectationTable: ExpectationTable
    var reserved: Set<SideKey> = []
    var fragments: AgingTable<FragmentKey, FragmentState>
    var fragmentOctets = 0
    var heldSYNs: AgingTable<SessionKey, [UInt8]>
    var timers = DeadlineQueue<Timer>()
    var outputs = Outbox<NATOutput>()
    var traces = TraceBox<NATTrace>()

    public init(settings: NATSettings, entropy: Entropy) {
        precondition(!settings.externalAddresses.isEmpty, "a NAT needs an external address")
        self.settings = settings
        policy = FlowPolicy(settings)
        ports = PortAllocator(addresses: settings.externalAddresses, assignment: settings.ports, entropy: entropy)
        expectationTable = ExpectationTable(capacity: settings.limits.expectations)
        fragments = AgingTable(capacity: max(1, settings.limits.fragmentedDatagrams))
        heldSYNs = AgingTable(capacity: settings.limits.heldSYNs)
    }

    // MARK: Packets

    /// A packet from inside, parsed, at the start of `bytes`; what follows it there (link padding) is cut off. `via`: the mapping to
    /// send it through, which must belong to its source; nil: the one that the NAT's mapping behaviour calls for, made if there is none.
    public mutating func outbound(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, via: MappingID? = nil, at now: Instant
    ) -> NATVerdict {
        counters.outbound &+= 1
        advance(to: now)
        return translate(&bytes, &packet, .outbound, via, now)
    }

    /// A packet from outside, parsed, at the start of `bytes`.
    public mutating func inbound(_ bytes: inout [UInt8], _ packet: inout IPPacket, at now: Instant) -> NATVerdict {
        counters.inbound &+= 1
        metExpectation = nil
        advance(to: now)
        return translate(&bytes, &packet, .inbound, nil, now)
    }

    /// A packet from inside that nobody has parsed yet; dropped with the reason if it is none.
    public mutating func outbound(_ bytes: inout [UInt8], via: MappingID? = nil, at now: Instant) -> NATVerdict {
        do {
            var packet = try IPPacket(bytes)
            return outbound(&bytes, &packet, via: via, at: now)
        } catch {
            counters.outbound &+= 1
            return drop(PacketWork.reason(error, bytes), .outbound)
        }
    }

    /// A packet from outside that nobody has parsed yet.
    public mutating func inbound(_ bytes: inout [UInt8], at now: Instant) -> NATVerdict {
        do {
            var packet = try IPPacket(bytes)
            return inbound(&bytes, &packet, at: now)
        } catch {
            counters.inbound &+= 1
            return drop(PacketWork.reason(error, bytes), .inbound)
        }
    }

    private mutating func translate(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ direction: NATDirection, _ via: MappingID?, _ now: Instant
    ) -> NATVerdict {
        precondition(packet.range.lowerBound == 0, "a packet that is not at the start of its buffer")
        let work: PacketWork
        do {
            work = try PacketWork(packet, direction)
        } catch {
            return drop(error, direction)
        }
        if bytes.count > packet.range.upperBound { bytes.removeLast(bytes.count - packet.range.upperBound) }
        do throws(Refusal) {
            switch direction {
            case .outbound: return try translateOutbound(&bytes, &packet, work, via, now)
            case .inbound: return try translateInbound(&bytes, &packet, work, now)
            }
        } catch {
            noteRefusedFragment(packet, work, now)
            return refuse(error, bytes, packet, work, now)
        }
    }

    /// What a refused packet's sender hears.
    private mutating func refuse(
        _ refusal: Refusal, _ bytes: [UInt8], _ packet: IPPacket, _ work: PacketWork, _ now: Instant
    ) -> NATVerdict {
        let from = work.source.endpoint
        let to = work.destination.endpoint
        let proto = work.proto
        var answer: [UInt8]?
        switch refusal.answer {
        case .none: break
        case .prohibited:
            if settings.reportsRefusals, let inside = settings.insideAddress, ICMPMessage.mayAnswer(packet) {
                answer = try? ICMPMessage.prohibited(quoting: bytes).packet(from: .v4(inside), to: packet.source)
            }
        case .unsolicited:
            if settings.unsolicited == .portUnreachable, ICMPMessage.mayAnswer(packet) {
                answer = try? ICMPMessage.portUnreachable(quoting: bytes)
                    .packet(from: packet.destination, to: packet.source)
            }
        case .holdSYN(let key):
            guard !heldSYNs.isFull || heldSYNs[key] != nil else {
                return drop(.heldSYNLimit, work.direction, proto: proto, from: from, to: to)
            }
            if heldSYNs[key] == nil { heldSYNs.insert(bytes, for: key, until: now.later(by: policy.heldSYN)) }
            traces.note(.held(.unsolicitedSYN, work.direction, proto: proto, from: from, to: to))
            return .held(.unsolicitedSYN)
        }
        let dropped = drop(refusal.reason, work.direction, proto: proto, from: from, to: to)
        guard let answer else { return dropped }
        counters.icmpSent &+= 1
        return .icmp(answer, refusal.reason)
    }

    private mutating func drop(_ unfit: PacketWork.Unfit, _ direction: NATDirection) -> NATVerdict {
        drop(unfit.reason, direction, proto: unfit.proto, from: unfit.source, to: unfit.destination)
    }

    mutating func drop(
        _ reason: NATDropReason, _ direction: NATDirection, proto: UInt8, from: Endpoint, to: Endpoint
    ) -> NATVerdict {
        counters.dropped &+= 1
        counters.drops[reason.kind, default: 0] &+= 1
        traces.note(.dropped(reason, direction, proto: proto, from: from, to: to))
        return .dropped(reason)
    }

    // MARK: Time

    /// When `advance(to:)` next has work; may be too early, never too late.
    public var nextDeadline: Instant? {
        [timers.nextDeadline, fragments.nextDeadline, heldSYNs.nextDeadline].compactMap { $0 }.min()
    }

    public mutating func advance(to now: Instant) {
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .mapping(let index): mappingDue(index, now)
            case .session(let index): sessionDue(index, now)
            case .expectation(let number): endExpectation(ExpectationID(number), .expired)
            }
        }
        while fragments.isDue(at: now), let (key, state) = fragments.popDue(at: now) {
            fragmentsGone(key, state, .fragmentTimeout)
        }
        while heldSYNs.isDue(at: now), let (_, packet) = heldSYNs.popDue(at: now) { answerHeldSYN(packet) }
    }

    private mutating func answerHeldSYN(_ packet: [UInt8]) {
        guard let parsed = try? IPPacket(packet), ICMPMessage.mayAnswer(parsed),
            let answer = try? ICMPMessage.portUnreachable(quoting: packet).packet(from: parsed.destination, to: parsed.source)
        else { return }
        counters.icmpSent &+= 1
        outputs.append(.toExternal(answer))
    }

    /// What there is to send besides the verdicts; send it after the verdict's own packet.
    public mutating func nextOutput() -> NATOutput? { outputs.next() }

    public mutating func nextTrace() -> NATTrace? { traces.next() }

    /// Forgets everything: mappings, expectations, reservations, kept packets, and where the port order stood.
    public mutating func reboot(at now: Instant) {
        let lost = table.count
        let serial = table.lastSerial
        table = MappingTable(after: serial)
        sessions = SessionTable()
        expectationTable.removeAll()
        reserved = []
        fragments = AgingTable(capacity: fragments.capacity)
        fragmentOctets = 0
        heldSYNs = AgingTable(capacity: heldSYNs.capacity)
        timers = DeadlineQueue()
        outputs = Outbox()
        ports = PortAllocator(addresses: ports.addresses, assignment: ports.assignment, entropy: ports.entropy.fork())
        traces.note(.rebooted(mappingsLost: lost))
    }
}
