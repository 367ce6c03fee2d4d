import Base
import Ethernet

/// Who has which address, and until when.
extension DHCPServer {
    /// Reserved for it, had by it, wanted by it, or any.
    mutating func choose(for client: Client, _ message: DHCPMessage) -> IPv4Address? {
        if let own = settings.reserved[message.mac]?.address {
            return holdings[own].map { $0.client == client } ?? true ? own : nil
        }
        if let had = addresses[client], mayHave(had, message.mac) { return had }
        if let wanted = message.address(DHCPOption.requestedAddress), holdings[wanted] == nil, settings.isForAnyone(wanted) {
            return wanted
        }
        return anyAddress(for: message.mac)
    }

    /// The same client finds the same place first, so that it mostly has the same address also after we forgot it.
    private mutating func anyAddress(for mac: MACAddress) -> IPv4Address? {
        let count = UInt64(settings.pool.upperBound.bits - settings.pool.lowerBound.bits) + 1
        let start = (mac.bits &* 0x9e37_79b9_7f4a_7c15) >> 16 % count
        if UInt64(holdings.count) < count + UInt64(settings.reserved.count) {
            for step in 0..<count {
                let place = UInt32(truncatingIfNeeded: (start + step) % count)
                let candidate = IPv4Address(bits: settings.pool.lowerBound.bits + place)
                if holdings[candidate] == nil, settings.isForAnyone(candidate) { return candidate }
            }
        }
        while let oldest = passing.first?.key {
            end(oldest)
            if settings.isForAnyone(oldest) { return oldest }
        }
        return nil
    }

    func mayHave(_ address: IPv4Address, _ mac: MACAddress) -> Bool {
        if let own = settings.reserved[mac]?.address { return own == address }
        return settings.isForAnyone(address)
    }

    mutating func hold(_ address: IPv4Address, _ holding: Holding, until: Instant) {
        if let client = holding.client {
            if let other = addresses[client], other != address { end(other) }
            addresses[client] = address
        }
        holdings[address] = holding
        deadlines.set(address, to: until)
        if case .leased = holding { passing.set(address, to: nil) } else { passing.set(address, to: until) }
    }

    mutating func lease(_ address: IPv4Address, _ client: Client, _ message: DHCPMessage, _ now: Instant) {
        let until = now + settings.leaseTime
        var former: DHCPLease?
        if case .leased(_, let lease) = holdings[address] { former = lease }
        if let name = former?.name { names[name] = nil }
        let said = message[DHCPOption.hostName].flatMap { Self.hostLabel($0) }
        let name = settings.reserved[message.mac]?.name ?? said ?? former?.name
        let isFree = name.map { names[$0] == nil } ?? false
        let lease = DHCPLease(address: address, mac: message.mac, name: isFree ? name : nil, until: until)
        hold(address, .leased(client, lease), until: until)
        if let name = lease.name { names[name] = address }
        counters.acknowledgements &+= 1
        traces.note(.leased(lease))
        outputs.append(.leased(lease))
        reply(.ack, to: message, address)
    }

    mutating func end(_ address: IPv4Address) {
        deadlines.set(address, to: nil)
        passing.set(address, to: nil)
        guard let holding = holdings.removeValue(forKey: address) else { return }
        if let client = holding.client { addresses[client] = nil }
        if case .leased(_, let lease) = holding {
            if let name = lease.name { names[name] = nil }
            traces.note(.ended(lease))
            outputs.append(.ended(lease))
        }
    }

    /// A host name's first label in lower case; nil if it is none (RFC 1123 2.1).
    public static func hostLabel(_ name: [UInt8]) -> String? {
        let label = name.prefix { $0 != UInt8(ascii: ".") && $0 != 0 }
        let hyphen = UInt8(ascii: "-")
        guard (1...63).contains(label.count), label.first != hyphen, label.last != hyphen else { return nil }
        var text: [UInt8] = []
        for byte in label {
            switch byte {
            case 0x41...0x5a: text.append(byte | 0x20)
            case 0x61...0x7a, 0x30...0x39, hyphen: text.append(byte)
            default: return nil
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What clients are told.
extension DHCPServer {
    /// `address`: the client's from now on; nil: it has one of its own, without a lease.
    mutating func reply(_ type: DHCPMessageType, to message: DHCPMessage, _ address: IPv4Address?) {
        var reply = DHCPMessage(type, isReply: true, transaction: message.transaction, mac: message.mac)
        reply.wantsBroadcast = message.wantsBroadcast
        reply.clientAddress = type == .ack ? message.clientAddress : .any
        reply.yourAddress = address ?? .any
        if let text = settings.tftpServer, let next = IPv4Address(text) { reply.nextServer = next }
        reply.add(DHCPOption.server, [settings.address])
        if address != nil {
            let seconds = UInt32(clamping: settings.leaseTime.wholeSeconds)
            reply.add(DHCPOption.leaseTime, seconds: seconds)
            // RFC 2131 4.4.5's defaults, said aloud.
            reply.add(DHCPOption.renewal, seconds: seconds / 2)
            reply.add(DHCPOption.rebinding, seconds: UInt32(UInt64(seconds) * 7 / 8))
        }
        // RFC 6842.
        if let id = message[DHCPOption.clientID] { reply.add(DHCPOption.clientID, id) }
        for code in wanted(by: message) {
            if let value = value(of: code), !value.isEmpty { reply.add(code, value) }
        }
        let most = message[DHCPOption.mostOctets].map { $0.count == 2 ? Int($0.uint16(at: 0)) - 28 : 0 } ?? 0
        send(reply, to: message, limit: min(max(most, DHCPMessage.usualLimit), 1472))
    }

    mutating func refuse(_ message: DHCPMessage) {
        var reply = DHCPMessage(.nak, isReply: true, transaction: message.transaction, mac: message.mac)
        reply.wantsBroadcast = message.wantsBroadcast
        reply.add(DHCPOption.server, [settings.address])
        if let id = message[DHCPOption.clientID] { reply.add(DHCPOption.clientID, id) }
        send(reply, to: message, limit: DHCPMessage.usualLimit)
    }

    /// RFC 2131 4.1: to its own address, to everybody, or to the address it is about to have.
    private mutating func send(_ reply: DHCPMessage, to message: DHCPMessage, limit: Int) {
        var destination = IPv4Address(bits: .max)
        var mac: MACAddress?
        if reply.type != .nak {
            if message.clientAddress != .any {
                destination = message.clientAddress
            } else if !message.wantsBroadcast {
                (destination, mac) = (reply.yourAddress, message.mac)
            }
        }
        let datagram = Datagram(
            from: Endpoint(.v4(settings.address), DHCPMessage.serverPort), to: Endpoint(.v4(destination), DHCPMessage.clientPort),
            reply.bytes(limit: limit))
        outputs.append(.send(datagram, at: mac))
    }

    /// What it asks for, in its order, after what every host needs; all, if it does not say.
    private func wanted(by message: DHCPMessage) -> [UInt8] {
        let needed = [DHCPOption.subnetMask, DHCPOption.router, DHCPOption.nameServers, DHCPOption.domain]
        let rest = [
            DHCPOption.broadcast, DHCPOption.timeServers, DHCPOption.sipServers, DHCPOption.tftpServer, DHCPOption.bootFile,
            DHCPOption.vendorSpecific, DHCPOption.search,
        ]
        guard let asked = message[DHCPOption.parameters] else { return needed + rest }
        var codes = needed
        for code in asked where rest.contains(code) && !codes.contains(code) { codes.append(code) }
        return codes
    }

    private func value(of code: UInt8) -> [UInt8]? {
        func octets(_ addresses: [IPv4Address]) -> [UInt8] {
            var value: [UInt8] = []
            for address in addresses { value.append(bigEndian: address.bits) }
            return value
        }
        switch code {
        case DHCPOption.subnetMask: return octets([IPv4Address(bits: settings.mask)])
        case DHCPOption.router: return octets(settings.routers ?? [settings.address])
        case DHCPOption.nameServers: return octets(settings.nameServers ?? [settings.address])
        case DHCPOption.domain: return settings.domain.map { Array($0.description.utf8) }
        case DHCPOption.broadcast: return octets([IPv4Address(bits: settings.address.bits | ~settings.mask)])
        case DHCPOption.timeServers: return octets(settings.timeServers)
        case DHCPOption.vendorSpecific: return settings.vendorSpecific
        case DHCPOption.tftpServer: return settings.tftpServer.map { Array($0.utf8) }
        case DHCPOption.bootFile: return settings.bootFile.map { Array($0.utf8) }
        case DHCPOption.search: return settings.search.flatMap(\.wire)
        case DHCPOption.sipServers: return settings.sipServers?.value
        default: return nil
        }
    }
}
