public import Base
public import Ethernet

/// A DHCPv4 server for one link (RFC 2131, RFC 2132).
///
/// Offers hold their address for a while and give way, the oldest first, where none is left; leases never do.
public struct DHCPServer: Machine {
    public typealias Trace = DHCPServerTrace

    public enum Input: Sendable {
        /// A UDP datagram that came to port 67 on the link.
        case datagram(Datagram)
        /// From now on; leases stay until they end.
        case settings(DHCPServerSettings)
    }

    public enum Output: Hashable, Sendable {
        /// `at`: the MAC address to send it to, as the destination has no IP address yet; nil: as usual.
        case send(Datagram, at: MACAddress?)
        case leased(DHCPLease)
        case ended(DHCPLease)
    }

    /// Whose: option 61, or hardware type and address (RFC 2131 4.2).
    struct Client: Hashable, Sendable {
        let bytes: [UInt8]

        init(_ message: DHCPMessage) {
            if let id = message[DHCPOption.clientID], !id.isEmpty { bytes = [0] + id } else { bytes = [1] + message.mac.octets }
        }
    }

    enum Holding: Sendable {
        case offered(Client)
        case leased(Client, DHCPLease)
        case declined

        var client: Client? {
            switch self {
            case .offered(let client), .leased(let client, _): client
            case .declined: nil
            }
        }
    }

    public private(set) var settings: DHCPServerSettings
    public internal(set) var counters = DHCPServerCounters()
    var holdings: [IPv4Address: Holding] = [:]
    var addresses: [Client: IPv4Address] = [:]
    var names: [String: IPv4Address] = [:]
    var deadlines = DeadlineQueue<IPv4Address>()
    /// Offers and declined addresses alone: what gives way.
    var passing = DeadlineQueue<IPv4Address>()
    var outputs = Outbox<Output>()
    var traces = TraceBox<DHCPServerTrace>()

    public init(_ settings: DHCPServerSettings) { self.settings = settings }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// By address.
    public var leases: [DHCPLease] {
        holdings.values.compactMap { if case .leased(_, let lease) = $0 { lease } else { nil } }
            .sorted { $0.address < $1.address }
    }

    /// Who has that name in the local domain.
    public func address(named name: String) -> IPv4Address? { names[name] }

    // MARK: Machine

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        switch input {
        case .settings(let new): settings = new
        case .datagram(let datagram):
            let message: DHCPMessage
            do {
                message = try DHCPMessage(datagram.payload)
            } catch {
                drop(.malformed)
                return
            }
            receive(message, now)
        }
    }

    public var nextDeadline: Instant? { deadlines.nextDeadline }

    public mutating func advance(to now: Instant) {
        while let address = deadlines.popDue(at: now) { end(address) }
    }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> DHCPServerTrace? { traces.next() }

    private mutating func receive(_ message: DHCPMessage, _ now: Instant) {
        guard !message.isReply, !message.mac.isMulticast, message.mac.bits != 0 else {
            drop(.notRequest)
            return
        }
        guard message.relay == .any else {
            drop(.relayed)
            return
        }
        if let server = message.address(DHCPOption.server), server != settings.address {
            // The client has chosen another: what we offered is free again (RFC 2131 3.1).
            let client = Client(message)
            if let offered = addresses[client], case .offered = holdings[offered] { end(offered) }
            drop(.otherServer)
            return
        }
        switch message.type {
        case .discover: offer(message, now)
        case .request: requested(message, now)
        case .decline: declined(message, now)
        case .release: released(message)
        case .inform: inform(message)
        case .offer, .ack, .nak: drop(.notRequest)
        }
    }

    // MARK: What clients say (RFC 2131 4.3)

    private mutating func offer(_ message: DHCPMessage, _ now: Instant) {
        let client = Client(message)
        guard let address = choose(for: client, message) else {
            drop(.exhausted)
            return
        }
        if case .leased = holdings[address] {} else { hold(address, .offered(client), until: now + settings.offerTime) }
        counters.offers &+= 1
        traces.note(.offered(address, message.mac))
        reply(.offer, to: message, address)
    }

    private mutating func requested(_ message: DHCPMessage, _ now: Instant) {
        let client = Client(message)
        let isSelecting = message[DHCPOption.server] != nil
        let wanted = message.clientAddress == .any ? message.address(DHCPOption.requestedAddress) : message.clientAddress
        guard let wanted, wanted != .any else {
            drop(.incomplete)
            return
        }
        if addresses[client] == wanted, mayHave(wanted, message.mac) {
            lease(wanted, client, message, now)
            return
        }
        // Nobody offered it that. On another link, or its offer has expired, it has to begin anew.
        guard isSelecting || settings.isAuthoritative || !settings.prefix.contains(.v4(wanted)) || addresses[client] != nil else {
            drop(.unknownClient)
            return
        }
        if !isSelecting, settings.isAuthoritative, addresses[client] == nil, holdings[wanted] == nil, mayHave(wanted, message.mac)
        {
            lease(wanted, client, message, now)
            return
        }
        counters.refusals &+= 1
        traces.note(.refused(wanted, message.mac))
        refuse(message)
    }

    private mutating func declined(_ message: DHCPMessage, _ now: Instant) {
        guard let address = message.address(DHCPOption.requestedAddress), addresses[Client(message)] == address else {
            drop(.unknownClient)
            return
        }
        counters.declines &+= 1
        end(address)
        hold(address, .declined, until: now + settings.declinedTime)
        traces.note(.declined(address, message.mac))
    }

    private mutating func released(_ message: DHCPMessage) {
        guard addresses[Client(message)] == message.clientAddress else {
            drop(.unknownClient)
            return
        }
        end(message.clientAddress)
    }

    /// A host with an address of its own asks for the rest (RFC 2131 4.3.5).
    private mutating func inform(_ message: DHCPMessage) {
        guard settings.isHost(message.clientAddress) else {
            drop(.incomplete)
            return
        }
        counters.acknowledgements &+= 1
        reply(.ack, to: message, nil)
    }

    mutating func drop(_ reason: DHCPDropReason) {
        counters[reason] &+= 1
        traces.note(.dropped(reason))
    }
}
