import Base

/// Puts IP fragments together again (RFC 791 3.2, RFC 8200 4.5), within bounds of time, count and memory.
public struct Reassembler: Sendable {
    /// What to do when a fragment overlaps another with other data. Exact repetitions are always harmless.
    public enum OverlapPolicy: Sendable {
        /// Drop the whole datagram, and what still comes of it (RFC 5722: the only choice for IPv6).
        case discardDatagram
        /// Keep what came first; IPv4 only.
        case firstWins
    }

    public struct Limits: Sendable {
        public var datagrams: Int
        /// Octets held, over all datagrams.
        public var octets: Int
        public var fragmentsPerDatagram: Int
        /// Counted from the first fragment to arrive (RFC 8200 4.5: 60 s).
        public var time: Duration

        public init(
            datagrams: Int = 256, octets: Int = 4 << 20, fragmentsPerDatagram: Int = 128, time: Duration = .seconds(60)
        ) {
            self.datagrams = datagrams
            self.octets = octets
            self.fragmentsPerDatagram = fragmentsPerDatagram
            self.time = time
        }
    }

    public enum Drop: Hashable, Sendable {
        /// One datagram alone is larger than all that may be held, or in more pieces than one may be.
        case tooManyOctets, tooManyFragments
        case overlap
        /// Two last fragments that disagree, or data past the last one.
        case inconsistentEnd
        case malformed(PacketError)
    }

    public enum Outcome: Hashable, Sendable {
        /// Not a fragment, or the last missing piece: the whole packet.
        case whole([UInt8])
        case waiting
        case dropped(Drop)
    }

    struct Key: Hashable, Sendable {
        var source: IPAddress
        var destination: IPAddress
        var protocolNumber: IPProtocol
        var identification: UInt32
    }

    struct Piece: Sendable {
        var range: Range<Int>
        var data: [UInt8]
    }

    struct Partial: Sendable {
        /// Ordered by place, never overlapping.
        var pieces: [Piece] = []
        /// IP header of the fragment at offset 0, ready to take the whole payload.
        var header: [UInt8]?
        /// The first fragment as it came, to be quoted when time is up.
        var first: [UInt8]?
        var end: Int?
        var octets = 0
        /// Counts up from one datagram to the next.
        var order: UInt64 = 0
        /// An overlap condemned it; kept so that stragglers are dropped too.
        var condemned = false
    }

    public let limits: Limits
    public let overlapV4: OverlapPolicy
    /// Octets held now.
    public private(set) var octets = 0
    public private(set) var droppedCount: UInt64 = 0
    /// Datagrams that gave way before their time, as newer ones needed their place.
    public private(set) var evictedCount: UInt64 = 0
    private var orders: UInt64 = 0
    private var partials: [Key: Partial] = [:]
    private var deadlines = DeadlineQueue<Key>()

    public init(limits: Limits = Limits(), overlapV4: OverlapPolicy = .discardDatagram) {
        self.limits = limits
        self.overlapV4 = overlapV4
    }

    public var nextDeadline: Instant? { deadlines.nextDeadline }
    /// How many datagrams are incomplete.
    public var count: Int { partials.count }

    /// Takes in one packet, a fragment or not.
    public mutating func receive(_ packet: [UInt8], at now: Instant) -> Outcome {
        let parsed: IPPacket
        do { parsed = try IPPacket(packet) } catch { return drop(.malformed(error)) }
        return receive(packet, parsed, at: now)
    }

    /// The same for a packet already parsed.
    public mutating func receive(_ packet: [UInt8], _ parsed: IPPacket, at now: Instant) -> Outcome {
        guard let fragment = parsed.fragment else { return .whole(packet) }
        if case .v6(let header) = parsed.header, fragment.offset == 0, !fragment.more {
            // An atomic fragment stands alone (RFC 6946).
            return .whole(Self.whole(header: Self.plainHeader(packet, header), payload: Array(packet[Self.cut(parsed)])))
        }
        let key = Key(
            source: parsed.source, destination: parsed.destination,
            protocolNumber: parsed.source.isIPv6 ? .fragment : parsed.protocolNumber, identification: fragment.identification)
        var partial: Partial
        if let known = partials.removeValue(forKey: key) {
            partial = known
        } else {
            while partials.count >= max(limits.datagrams, 1) { evict() }
            deadlines.set(key, to: now + limits.time)
            orders &+= 1
            partial = Partial(order: orders)
        }
        while octets + Self.cut(parsed).count > limits.octets, !partials.isEmpty { evict() }
        let before = partial.octets
        let failure = add(packet, parsed, fragment, to: &partial)
        if let failure {
            if failure == .overlap || failure == .inconsistentEnd {
                octets -= before
                partial = Partial(order: partial.order, condemned: true)
            }
            partials[key] = partial
            return drop(failure)
        }
        octets += partial.octets - before
        guard let end = partial.end, let header = partial.header, partial.octets == end else {
            partials[key] = partial
            return .waiting
        }
        octets -= partial.octets
        deadlines.set(key, to: nil)
        var payload: [UInt8] = []
        payload.reserveCapacity(end)
        for piece in partial.pieces { payload.append(contentsOf: piece.data) }
        guard header.count + end <= (header[0] >> 4 == 4 ? 65_535 : 65_575) else {
            return drop(.malformed(PacketError(.fragment, at: 0)))
        }
        return .whole(Self.whole(header: header, payload: payload))
    }

    /// Gives up the earliest datagram whose time is over by `now`. `first` is its first fragment, if that came: the packet an
    /// ICMP Time Exceeded quotes. nil when none is due.
    public mutating func expire(at now: Instant) -> (first: [UInt8]?, condemned: Bool)? {
        guard let key = deadlines.popDue(at: now), let partial = partials.removeValue(forKey: key) else { return nil }
        octets -= partial.octets
        return (partial.first, partial.condemned)
    }

    /// The oldest datagram of whoever holds the most of them gives way: who sends lone fragments takes his own places, not others'.
    private mutating func evict() {
        var held: [IPAddress: (count: Int, oldest: Key, order: UInt64)] = [:]
        for (key, partial) in partials {
            guard let known = held[key.source] else {
                held[key.source] = (1, key, partial.order)
                continue
            }
            held[key.source] =
                partial.order < known.order ? (known.count + 1, key, partial.order) : (known.count + 1, known.oldest, known.order)
        }
        guard let victim = held.values.max(by: { ($0.count, $1.order) < ($1.count, $0.order) }),
            let partial = partials.removeValue(forKey: victim.oldest)
        else { return }
        octets -= partial.octets
        deadlines.set(victim.oldest, to: nil)
        evictedCount &+= 1
    }

    private mutating func drop(_ reason: Drop) -> Outcome {
        droppedCount &+= 1
        return .dropped(reason)
    }

    private func add(_ packet: [UInt8], _ parsed: IPPacket, _ fragment: IPPacket.Fragment, to partial: inout Partial) -> Drop? {
        if partial.condemned { return .overlap }
        guard partial.pieces.count < limits.fragmentsPerDatagram else { return .tooManyFragments }
        let cut = Self.cut(parsed)
        guard !cut.isEmpty else { return nil }
        guard octets + cut.count <= limits.octets else { return .tooManyOctets }
        let range = fragment.offset..<(fragment.offset + cut.count)
        if !fragment.more {
            if let end = partial.end, end != range.upperBound { return .inconsistentEnd }
            if let last = partial.pieces.last, last.range.upperBound > range.upperBound { return .inconsistentEnd }
            partial.end = range.upperBound
        } else if let end = partial.end, range.upperBound > end {
            return .inconsistentEnd
        }
        var free = [range]
        for piece in partial.pieces where piece.range.overlaps(range) {
            if piece.range == range, piece.data[...] == packet[cut] { return nil }
            guard !parsed.source.isIPv6, overlapV4 == .firstWins else { return .overlap }
            free = free.flatMap { part -> [Range<Int>] in
                let left = part.lowerBound..<max(part.lowerBound, min(part.upperBound, piece.range.lowerBound))
                let right = min(part.upperBound, max(part.lowerBound, piece.range.upperBound))..<part.upperBound
                return [left, right].filter { !$0.isEmpty }
            }
        }
        for part in free {
            let start = cut.lowerBound + part.lowerBound - range.lowerBound
            let place = partial.pieces.firstIndex { $0.range.lowerBound > part.lowerBound } ?? partial.pieces.count
            partial.pieces.insert(Piece(range: part, data: Array(packet[start..<(start + part.count)])), at: place)
            partial.octets += part.count
        }
        if fragment.offset == 0, partial.header == nil {
            partial.first = packet
            switch parsed.header {
            case .v4(let header): partial.header = Array(packet[header.range])
            case .v6(let header): partial.header = Self.plainHeader(packet, header)
            }
        }
        return nil
    }

    /// The part of a fragment that belongs to the fragmentable payload.
    private static func cut(_ parsed: IPPacket) -> Range<Int> {
        if case .v6(let header) = parsed.header, let fragment = header.fragment {
            return fragment.range.upperBound..<parsed.range.upperBound
        }
        return parsed.payload
    }

    /// The headers before the Fragment header, naming what the Fragment header named.
    private static func plainHeader(_ packet: [UInt8], _ header: IPv6Header) -> [UInt8] {
        guard let fragment = header.fragment else { return Array(packet[header.range]) }
        let start = header.range.lowerBound
        var bytes = Array(packet[start..<fragment.range.lowerBound])
        let extensions = header.extensions(packet)
        let place = extensions.firstIndex { $0.kind == .fragment } ?? 0
        let nextAt = place == 0 ? IPv6Header.Offset.nextHeader : extensions[place - 1].range.lowerBound - start
        bytes[nextAt] = packet[fragment.range.lowerBound]
        return bytes
    }

    private static func whole(header: [UInt8], payload: [UInt8]) -> [UInt8] {
        var bytes = header
        bytes.append(contentsOf: payload)
        if header[0] >> 4 == 4 {
            bytes.replace(at: IPv4Header.Offset.totalLength, bigEndian: UInt16(clamping: bytes.count))
            let flags = bytes.uint16(at: IPv4Header.Offset.flags) & 0x4000
            bytes.replace(at: IPv4Header.Offset.flags, bigEndian: flags)
            bytes.replace(at: IPv4Header.Offset.checksum, bigEndian: 0)
            bytes.replace(at: IPv4Header.Offset.checksum, bigEndian: InternetChecksum.of(bytes, in: 0..<header.count))
        } else {
            bytes.replace(at: IPv6Header.Offset.payloadLength, bigEndian: UInt16(clamping: bytes.count - 40))
        }
        return bytes
    }
}
