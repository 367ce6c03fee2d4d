import Base

/// RFC 826 for IPv4 over Ethernet, with RFC 5227's probes and announcements.
extension EthernetPort {
    private enum ARP {
        static let length = 28
        static let request: UInt16 = 1, reply: UInt16 = 2
        /// Hardware 1, IPv4, six and four octets.
        static let head: UInt64 = 0x0001_0800_0604_0000
        static let operation = 6, senderMAC = 8, sender = 14, targetMAC = 18, target = 24
    }

    mutating func receiveARP(_ frame: [UInt8], _ destination: MACAddress, _ source: MACAddress, _ now: Instant) {
        let at = EthernetFrame.headerLength
        guard frame.count >= at + ARP.length else {
            drop(.truncated)
            return
        }
        let mac = MACAddress(frame, at: at + ARP.senderMAC)
        let sender = IPv4Address(bits: frame.uint32(at: at + ARP.sender))
        let target = IPv4Address(bits: frame.uint32(at: at + ARP.target))
        let operation = frame.uint16(at: at + ARP.operation)
        // The frame's sender and ARP's are one: who says otherwise forges.
        guard frame.uint32(at: at) == UInt32(ARP.head >> 32), frame.uint16(at: at + 4) == UInt16(ARP.head >> 16 & 0xffff),
            operation == ARP.request || operation == ARP.reply, mac == source, sender.bits >> 28 < 0xe
        else {
            drop(.badARP)
            return
        }
        if own.isOwn(sender) {
            defend(.v4(sender), against: mac, now)
            return
        }
        guard sender.bits == 0 || own.isOnLink(sender) else {
            drop(.offLink)
            return
        }
        if operation == ARP.reply {
            guard destination == settings.mac, own.isOwn(target) else {
                drop(.unasked)
                return
            }
            answered(.v4(sender), mac, now)
            return
        }
        let isProbe = sender.bits == 0
        guard own.isOwn(target) || !isProbe && sender != target && answersFor(.v4(target)) else {
            drop(.otherTarget)
            return
        }
        if !isProbe { learn(.v4(sender), mac, now) }
        counters.answers &+= 1
        emit(message(ARP.reply, from: target, to: sender, mac), EthernetFrame.arp, to: mac)
    }

    /// Whether we stand in for a host elsewhere: not for one that is known to be here.
    func answersFor(_ target: IPAddress) -> Bool {
        guard settings.proxied.contains(where: { $0.contains(target) }), cache[target]?.mac == nil else { return false }
        switch target {
        case .v4(let v4): return v4 != settings.gatewayV4
        case .v6(let v6): return v6 != settings.gatewayV6
        }
    }

    mutating func askARP(_ target: IPv4Address, at mac: MACAddress?) -> Bool {
        guard let source = own.source(for: target) else { return false }
        emit(message(ARP.request, from: source, to: target, MACAddress(bits: 0)), EthernetFrame.arp, to: mac ?? .broadcast)
        return true
    }

    /// Says that an address is ours (RFC 5227 2.3; RFC 4861 7.2.6).
    mutating func announce(_ address: IPAddress) {
        switch address {
        case .v4(let v4):
            emit(message(ARP.request, from: v4, to: v4, MACAddress(bits: 0)), EthernetFrame.arp, to: .broadcast)
        case .v6(let v6): advertise(v6, to: nil, isOverriding: true)
        }
    }

    /// Somebody else says that an address of ours is his: ours is announced, at most every ten seconds (RFC 5227 2.4).
    mutating func defend(_ address: IPAddress, against mac: MACAddress, _ now: Instant) {
        drop(.ownAddress)
        counters.conflicts &+= 1
        traces.note(.conflict(address, mac))
        if let lastDefence, now - lastDefence < .seconds(10) { return }
        lastDefence = now
        announce(address)
    }

    private func message(_ operation: UInt16, from sender: IPv4Address, to target: IPv4Address, _ mac: MACAddress) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ARP.length)
        bytes.append(bigEndian: ARP.head | UInt64(operation))
        bytes.append(settings.mac)
        bytes.append(bigEndian: sender.bits)
        bytes.append(mac)
        bytes.append(bigEndian: target.bits)
        return bytes
    }
}

extension [UInt8] {
    mutating func append(_ mac: MACAddress) {
        append(bigEndian: UInt16(truncatingIfNeeded: mac.bits >> 32))
        append(bigEndian: UInt32(truncatingIfNeeded: mac.bits))
    }
}
