public import Base
public import Ethernet

/// What a DHCP server gave us.
public struct DHCPConfiguration: Hashable, Sendable {
    public var address: IPv4Address
    public var prefixLength: Int
    public var gateway: IPv4Address?
    public var nameServers: [IPv4Address]
    public var server: IPv4Address
    public var until: Instant
}

/// What a DHCP client noticed.
public enum DHCPClientTrace: Hashable, Sendable {
    case discovering
    case offered(IPv4Address, by: IPv4Address)
    case configured(DHCPConfiguration)
    /// The server says No to what we had or wanted.
    case refused
    case expired
    case dropped(Drop)

    public enum Drop: UInt8, Hashable, Sendable, CaseIterable {
        case malformed
        /// For another client, another transaction, or at a moment when nothing was asked.
        case unasked
        /// An address, mask or server that cannot be one.
        case unusable
    }
}

/// A DHCPv4 client (RFC 2131 4.4): how a router comes by its outside address.
public struct DHCPClient: Machine {
    public typealias Trace = DHCPClientTrace

    public enum Input: Sendable {
        /// A UDP datagram that came to port 68.
        case datagram(Datagram)
        /// Gives the address back; it asks no more until it is started again.
        case release
        case start
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// From now on, or for longer.
        case configured(DHCPConfiguration)
        /// The address is no longer ours.
        case lost
    }

    enum State: Sendable {
        case stopped
        /// Asked so many times.
        case selecting(times: Int)
        case requesting(times: Int, DHCPMessage)
        case bound(Lease)
        /// Asking the server, or, from its second time on, any.
        case renewing(Lease)
    }

    struct Lease: Sendable {
        var configuration: DHCPConfiguration
        /// RFC 2131 4.4.5's T1 and T2.
        var renewal: Instant
        var rebinding: Instant
    }

    public let mac: MACAddress
    /// Option 12; empty: none.
    public let hostName: String
    var state = State.stopped
    var deadline: Instant?
    private var transaction: UInt32 = 0
    private var started = Instant.epoch
    private var entropy: Entropy
    public private(set) var dropped: [DHCPClientTrace.Drop: UInt64] = [:]
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<DHCPClientTrace>()

    public init(mac: MACAddress, hostName: String = "", entropy: Entropy) {
        (self.mac, self.hostName, self.entropy) = (mac, hostName, entropy)
    }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// What it has; nil: nothing.
    public var configuration: DHCPConfiguration? {
        switch state {
        case .bound(let lease), .renewing(let lease): lease.configuration
        case .stopped, .selecting, .requesting: nil
        }
    }

    // MARK: Machine

    public var nextDeadline: Instant? { deadline }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> DHCPClientTrace? { traces.next() }

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        switch input {
        case .start:
            guard case .stopped = state else { return }
            discover(now)
        case .release:
            if let configuration {
                var message = message(.release, now)
                message.clientAddress = configuration.address
                message.add(DHCPOption.server, [configuration.server])
                send(message, to: configuration.server)
                outputs.append(.lost)
            }
            state = .stopped
            deadline = nil
        case .datagram(let datagram):
            guard let message = try? DHCPMessage(datagram.payload) else {
                drop(.malformed)
                return
            }
            guard message.isReply, message.mac == mac, message.transaction == transaction else {
                drop(.unasked)
                return
            }
            receive(message, now)
        }
    }

    public mutating func advance(to now: Instant) {
        guard let at = deadline, at <= now else { return }
        switch state {
        case .stopped: deadline = nil
        case .selecting(let times): askAgain(times + 1, now)
        case .requesting(let times, let offer):
            guard times < 4 else {
                discover(now)
                return
            }
            request(offer, times: times + 1, now)
        case .bound(let lease): renew(lease, now)
        case .renewing(let lease):
            guard now < lease.configuration.until else {
                traces.note(.expired)
                outputs.append(.lost)
                discover(now)
                return
            }
            renew(lease, now)
        }
    }

    // MARK: Asking

    private mutating func discover(_ now: Instant) {
        transaction = UInt32(truncatingIfNeeded: entropy.next())
        started = now
        traces.note(.discovering)
        askAgain(1, now)
    }

    private mutating func askAgain(_ times: Int, _ now: Instant) {
        send(message(.discover, now), to: IPv4Address(bits: .max))
        state = .selecting(times: times)
        deadline = now + pause(times)
    }

    private mutating func request(_ offer: DHCPMessage, times: Int, _ now: Instant) {
        var message = message(.request, now)
        message.add(DHCPOption.requestedAddress, [offer.yourAddress])
        if let server = offer.address(DHCPOption.server) { message.add(DHCPOption.server, [server]) }
        send(message, to: IPv4Address(bits: .max))
        state = .requesting(times: times, offer)
        deadline = now + pause(times)
    }

    /// Until the time to ask anybody comes, the server itself; each time after half of what is left, at least a minute (RFC 2131 4.4.5).
    private mutating func renew(_ lease: Lease, _ now: Instant) {
        if case .bound = state {
            transaction = UInt32(truncatingIfNeeded: entropy.next())
            started = now
        }
        let isRebinding = now >= lease.rebinding
        var message = message(.request, now)
        message.clientAddress = lease.configuration.address
        send(message, to: isRebinding ? IPv4Address(bits: .max) : lease.configuration.server)
        state = .renewing(lease)
        let end = isRebinding ? lease.configuration.until : lease.rebinding
        deadline = min(end, now + max(.seconds(60), (end - now) / 2))
    }

    /// 4, 8, 16, 32, 64 seconds, and up to a second more or less (RFC 2131 4.1).
    private mutating func pause(_ times: Int) -> Duration {
        let offset = Int64(entropy.next() % 2001) - 1000
        return .seconds(4 << min(max(times, 1) - 1, 4)) + .milliseconds(offset)
    }

    private func message(_ type: DHCPMessageType, _ now: Instant) -> DHCPMessage {
        var message = DHCPMessage(type, isReply: false, transaction: transaction, mac: mac)
        message.seconds = UInt16(clamping: (now - started).wholeSeconds)
        message.add(DHCPOption.clientID, [1] + mac.octets)
        if type != .release {
            if !hostName.isEmpty { message.add(DHCPOption.hostName, Array(hostName.utf8)) }
            message.add(
                DHCPOption.parameters,
                [
                    DHCPOption.subnetMask, DHCPOption.router, DHCPOption.nameServers, DHCPOption.leaseTime, DHCPOption.renewal,
                    DHCPOption.rebinding,
                ])
        }
        return message
    }

    private mutating func send(_ message: DHCPMessage, to destination: IPv4Address) {
        outputs.append(
            .send(
                Datagram(
                    from: Endpoint(.v4(message.clientAddress), DHCPMessage.clientPort),
                    to: Endpoint(.v4(destination), DHCPMessage.serverPort), message.bytes(limit: DHCPMessage.usualLimit))))
    }

    // MARK: Hearing

    private mutating func receive(_ message: DHCPMessage, _ now: Instant) {
        switch (state, message.type) {
        case (.selecting, .offer):
            guard isUsable(message), let server = message.address(DHCPOption.server) else {
                drop(.unusable)
                return
            }
            traces.note(.offered(message.yourAddress, by: server))
            request(message, times: 1, now)
        case (.requesting(_, let offer), .ack) where isFromSame(offer, message):
            bind(message, offer.address(DHCPOption.server), now)
        case (.renewing(let lease), .ack): bind(message, lease.configuration.server, now)
        case (.requesting(_, let offer), .nak) where isFromSame(offer, message):
            traces.note(.refused)
            again(now)
        case (.renewing, .nak):
            traces.note(.refused)
            outputs.append(.lost)
            again(now)
        default: drop(.unasked)
        }
    }

    private func isFromSame(_ offer: DHCPMessage, _ message: DHCPMessage) -> Bool {
        offer.address(DHCPOption.server) == message.address(DHCPOption.server)
    }

    /// From the beginning, after a pause: a server that always says No is not to be flooded (RFC 2131 3.1).
    private mutating func again(_ now: Instant) {
        transaction = UInt32(truncatingIfNeeded: entropy.next())
        started = now
        state = .selecting(times: 0)
        deadline = now + .seconds(10)
    }

    private mutating func bind(_ message: DHCPMessage, _ known: IPv4Address?, _ now: Instant) {
        guard isUsable(message), let server = message.address(DHCPOption.server) ?? known else {
            drop(.unusable)
            return
        }
        let seconds = Int64(max(60, message.seconds(DHCPOption.leaseTime) ?? 3600))
        let half = Int64(message.seconds(DHCPOption.renewal) ?? 0)
        let most = Int64(message.seconds(DHCPOption.rebinding) ?? 0)
        let isOrdered = half > 0 && half < most && most < seconds
        let mask = message.address(DHCPOption.subnetMask)?.bits
        let configuration = DHCPConfiguration(
            address: message.yourAddress, prefixLength: mask.map { $0.nonzeroBitCount } ?? 24,
            gateway: message.addresses(DHCPOption.router).first { Self.isHost($0) },
            nameServers: Array(message.addresses(DHCPOption.nameServers).filter { Self.isHost($0) }.prefix(8)), server: server,
            until: now + .seconds(seconds))
        let lease = Lease(
            configuration: configuration, renewal: now + .seconds(isOrdered ? half : seconds / 2),
            rebinding: now + .seconds(isOrdered ? most : seconds / 8 * 7))
        if let before = self.configuration, before.address != configuration.address { outputs.append(.lost) }
        state = .bound(lease)
        deadline = lease.renewal
        traces.note(.configured(configuration))
        outputs.append(.configured(configuration))
    }

    private func isUsable(_ message: DHCPMessage) -> Bool {
        guard Self.isHost(message.yourAddress) else { return false }
        guard let mask = message.address(DHCPOption.subnetMask)?.bits else { return true }
        // Ones, then zeros.
        return mask != 0 && ~mask & (~mask &+ 1) == 0
    }

    private static func isHost(_ address: IPv4Address) -> Bool {
        let first = address.bits >> 24
        return first != 0 && first != 127 && first < 224
    }

    private mutating func drop(_ reason: DHCPClientTrace.Drop) {
        dropped[reason, default: 0] &+= 1
        traces.note(.dropped(reason))
    }
}
