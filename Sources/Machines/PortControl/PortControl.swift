public import Base

/// A server of NAT-PMP (RFC 6886) and of PCP's MAP and ANNOUNCE (RFC 6887) on port 5351: hosts open ports for themselves, and for nobody else.
///
/// Whoever owns it opens and closes the NAT's ports: it is asked by `.open` and answers `.granted` or `.refused` before anything else comes in.
public struct PortControl: Machine {
    public typealias Trace = PortControlTrace

    public static let port: UInt16 = 5351

    public enum Input: Sendable {
        case request(Datagram)
        case granted(external: Endpoint)
        case refused(PortControlResult)
        /// The outside address, or that there is none now. Mappings to the old one are gone.
        case outside(IPv4Address?)
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        case open(PortWish)
        /// The same inside endpoint again, for longer or shorter.
        case extend(external: Endpoint, PortWish)
        case close(external: Endpoint, SIPTransport)
    }

    public struct Limits: Hashable, Sendable {
        public var mappings = 512
        public var perHost = 64
        /// Shorter and longer wishes are brought within (RFC 6887 15).
        public var shortest: Duration = .seconds(120)
        public var longest: Duration = .seconds(86_400)

        public init() {}
    }

    struct Key: Hashable, Sendable {
        let transport: SIPTransport
        let inside: Endpoint
    }

    struct Mapping: Sendable {
        var external: Endpoint
        var nonce: [UInt8]
        var until: Instant
    }

    enum Dialect: Sendable {
        case natPMP
        /// The request without its options.
        case pcp([UInt8])
    }

    struct Pending: Sendable {
        let request: Datagram
        let dialect: Dialect
        let wish: PortWish
        let nonce: [UInt8]
        let lifetime: Int64
    }

    public let limits: Limits
    var outsideAddress: IPv4Address?
    /// Since when the state below is whole: clients see by it that it was lost (RFC 6887 8.5).
    var epoch: Instant?
    private var mappings: [Key: Mapping] = [:]
    private var perHost: [IPAddress: Int] = [:]
    private var deadlines = DeadlineQueue<Key>()
    private var pending: Pending?
    public internal(set) var refusals: UInt64 = 0
    var outputs = Outbox<Output>()
    var traces = TraceBox<PortControlTrace>()

    public init(outside: IPv4Address?, limits: Limits = Limits()) {
        outsideAddress = outside
        self.limits = limits
    }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    public var mappingCount: Int { mappings.count }

    // MARK: Machine

    public var nextDeadline: Instant? { deadlines.nextDeadline }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> PortControlTrace? { traces.next() }

    public mutating func advance(to now: Instant) {
        if epoch == nil { epoch = now }
        while let key = deadlines.popDue(at: now) { close(key) }
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        switch input {
        case .request(let datagram): request(datagram, now)
        case .granted(let external): granted(external, now)
        case .refused(let result):
            guard let pending else { return }
            self.pending = nil
            refuse(pending.request, pending.dialect, result, now)
        case .outside(let address):
            guard address != outsideAddress else { return }
            outsideAddress = address
            for key in mappings.keys { deadlines.set(key, to: nil) }
            mappings = [:]
            perHost = [:]
            epoch = now
        }
    }

    // MARK: Requests

    private mutating func request(_ datagram: Datagram, _ now: Instant) {
        let bytes = datagram.payload
        guard bytes.count >= 2, bytes[1] & 0x80 == 0 else {
            traces.note(.dropped(.malformed))
            return
        }
        switch bytes[0] {
        case 0: requestNATPMP(datagram, bytes, now)
        case 2 where bytes.count >= 24: requestPCP(datagram, bytes, now)
        case 2: traces.note(.dropped(.malformed))
        default:
            // In the older protocol's form, which says which versions there are (RFC 6887 9).
            refuse(datagram, .pcp(padded(bytes)), .unsupportedVersion, now)
        }
    }

    private mutating func requestNATPMP(_ datagram: Datagram, _ bytes: [UInt8], _ now: Instant) {
        switch bytes[1] {
        case 0:
            let isThere = outsideAddress != nil
            var answer = natPMPHead(0, isThere ? .success : .networkFailure, now)
            answer.append(bigEndian: outsideAddress?.bits ?? 0)
            send(answer, to: datagram)
        case 1, 2:
            guard bytes.count >= 12 else {
                traces.note(.dropped(.malformed))
                return
            }
            let transport: SIPTransport = bytes[1] == 1 ? .udp : .tcp
            wish(
                datagram, .natPMP, transport, port: bytes.uint16(at: 4), wanted: bytes.uint16(at: 6), onlyThat: false,
                lifetime: bytes.uint32(at: 8), nonce: [], now)
        default: refuse(datagram, .natPMP, .unsupportedOpcode, now)
        }
    }

    private mutating func requestPCP(_ datagram: Datagram, _ bytes: [UInt8], _ now: Instant) {
        let head = Array(bytes.prefix(60))
        let client = IPv6Address(
            high: UInt64(bytes.uint32(at: 8)) << 32 | UInt64(bytes.uint32(at: 12)),
            low: UInt64(bytes.uint32(at: 16)) << 32 | UInt64(bytes.uint32(at: 20)))
        // A NAT between host and server: nothing that is opened would reach the host (RFC 6887 8.2).
        guard client.mappedIPv4.map({ .v4($0) }) == datagram.source.address else {
            refuse(datagram, .pcp(head), .addressMismatch, now)
            return
        }
        switch bytes[1] {
        case 0:
            var answer = pcpHead(head, .success, lifetime: 0, now)
            answer.removeLast(answer.count - 24)
            send(answer, to: datagram)
        case 1:
            guard bytes.count >= 60, bytes.count % 4 == 0, let options = options(bytes, from: 60) else {
                refuse(datagram, .pcp(head), .malformedRequest, now)
                return
            }
            // Those below 128 may not be passed over; one of them is known: PREFER_FAILURE.
            guard !options.contains(where: { $0 < 128 && $0 != 2 }) else {
                refuse(datagram, .pcp(head), .unsupportedOption, now)
                return
            }
            guard bytes[36] == 6 || bytes[36] == 17 else {
                refuse(datagram, .pcp(head), .unsupportedProtocol, now)
                return
            }
            wish(
                datagram, .pcp(head), bytes[36] == 17 ? .udp : .tcp, port: bytes.uint16(at: 40), wanted: bytes.uint16(at: 42),
                onlyThat: options.contains(2), lifetime: bytes.uint32(at: 4), nonce: Array(bytes[24..<36]), now)
        default: refuse(datagram, .pcp(head), .unsupportedOpcode, now)
        }
    }

    /// Their codes; nil: one passes the end.
    private func options(_ bytes: [UInt8], from start: Int) -> [UInt8]? {
        var codes: [UInt8] = []
        var at = start
        while at < bytes.count {
            guard at + 4 <= bytes.count else { return nil }
            codes.append(bytes[at])
            at += 4 + (Int(bytes.uint16(at: at + 2)) + 3) / 4 * 4
        }
        return at == bytes.count ? codes : nil
    }

    private mutating func wish(
        _ datagram: Datagram, _ dialect: Dialect, _ transport: SIPTransport, port: UInt16, wanted: UInt16, onlyThat: Bool,
        lifetime: UInt32, nonce: [UInt8], _ now: Instant
    ) {
        let host = datagram.source.address
        let key = Key(transport: transport, inside: Endpoint(host, port))
        if let present = mappings[key], present.nonce != nonce {
            refuse(datagram, dialect, .notAuthorized, now)
            return
        }
        guard lifetime > 0 else {
            let gone = port == 0 ? mappings.keys.filter { $0.inside.address == host && $0.transport == transport } : [key]
            for key in gone where mappings[key]?.nonce == nonce { close(key) }
            succeed(datagram, dialect, Endpoint(.v4(outsideAddress ?? .any), 0), port, lifetime: 0, now)
            return
        }
        guard port != 0 else {
            refuse(datagram, dialect, .malformedRequest, now)
            return
        }
        guard outsideAddress != nil else {
            refuse(datagram, dialect, .networkFailure, now)
            return
        }
        let seconds = min(max(Int64(lifetime), limits.shortest.wholeSeconds), limits.longest.wholeSeconds)
        let wish = PortWish(
            transport: transport, inside: key.inside, port: wanted, onlyThat: onlyThat, until: now + .seconds(seconds))
        if let present = mappings[key] {
            mappings[key]?.until = wish.until
            deadlines.set(key, to: wish.until)
            outputs.append(.extend(external: present.external, wish))
            succeed(datagram, dialect, present.external, port, lifetime: seconds, now)
            return
        }
        guard mappings.count < limits.mappings, perHost[host, default: 0] < limits.perHost else {
            refuse(datagram, dialect, .quotaExceeded, now)
            return
        }
        pending = Pending(request: datagram, dialect: dialect, wish: wish, nonce: nonce, lifetime: seconds)
        outputs.append(.open(wish))
    }

    private mutating func granted(_ external: Endpoint, _ now: Instant) {
        guard let pending else { return }
        self.pending = nil
        let key = Key(transport: pending.wish.transport, inside: pending.wish.inside)
        mappings[key] = Mapping(external: external, nonce: pending.nonce, until: pending.wish.until)
        perHost[key.inside.address, default: 0] += 1
        deadlines.set(key, to: pending.wish.until)
        traces.note(.opened(external, for: key.inside, key.transport, until: pending.wish.until))
        succeed(pending.request, pending.dialect, external, key.inside.port, lifetime: pending.lifetime, now)
    }

    private mutating func close(_ key: Key) {
        deadlines.set(key, to: nil)
        guard let mapping = mappings.removeValue(forKey: key) else { return }
        let left = perHost[key.inside.address, default: 1] - 1
        perHost[key.inside.address] = left > 0 ? left : nil
        traces.note(.closed(mapping.external, for: key.inside, key.transport))
        outputs.append(.close(external: mapping.external, key.transport))
    }
}
