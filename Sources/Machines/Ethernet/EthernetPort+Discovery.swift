import Base
import Packet

/// Neighbour solicitations and advertisements (RFC 4861 7); routers' messages are the router's own.
extension EthernetPort {
    private enum Discovery {
        static let solicitation: UInt8 = 135, advertisement: UInt8 = 136, redirect: UInt8 = 137
        static let sourceOption: UInt8 = 1, targetOption: UInt8 = 2
        static let router: UInt32 = 1 << 31, solicited: UInt32 = 1 << 30, overriding: UInt32 = 1 << 29
    }

    /// `length`: of the whole IP packet, which the frame holds.
    mutating func receiveDiscovery(
        _ frame: [UInt8], _ length: Int, _ source: IPv6Address, _ destination: IPv6Address, _ now: Instant
    ) {
        let at = EthernetFrame.headerLength
        let start = at + 40
        let end = at + length
        guard frame[start] != Discovery.redirect else {
            drop(.redirect)
            return
        }
        var checksum = InternetChecksum()
        checksum.addPseudoHeader(.v6(source), .v6(destination), .icmpv6, length: length - 40)
        checksum.add(frame, in: start..<end)
        // Another hop limit than 255: it has crossed a router (RFC 4861 7.1.1).
        guard frame[at + IPv6Header.Offset.hopLimit] == 255, length >= 64, frame[start + 1] == 0, checksum.value == 0 else {
            drop(.badDiscovery)
            return
        }
        let target = IPv6Address(frame, at: start + 8)
        let isQuestion = frame[start] == Discovery.solicitation
        let option = isQuestion ? Discovery.sourceOption : Discovery.targetOption
        guard !target.isMulticast, areOptionsWhole(frame, from: start + 24, to: end) else {
            drop(.badDiscovery)
            return
        }
        let mac = linkLayerAddress(option, frame, from: start + 24, to: end)
        if isQuestion {
            solicited(target, source, destination, mac, frame, now)
        } else {
            advertised(target, destination, mac, frame, now)
        }
    }

    private mutating func solicited(
        _ target: IPv6Address, _ source: IPv6Address, _ destination: IPv6Address, _ mac: MACAddress?, _ frame: [UInt8],
        _ now: Instant
    ) {
        let isProbe = source.isUnspecified
        // Who has no address asks the group, and does not say where he is (RFC 4861 7.1.1).
        guard !isProbe || mac == nil && destination == target.solicitedNode, mac.map({ !$0.isMulticast }) ?? true else {
            drop(.badDiscovery)
            return
        }
        let isOurs = own.isOwn(target)
        guard isOurs || !isProbe && source != target && answersFor(.v6(target)) else {
            drop(.otherTarget)
            return
        }
        guard isProbe || own.isOnLink(source) else {
            drop(.offLink)
            return
        }
        if !isProbe, let mac { learn(.v6(source), mac, now) }
        counters.answers &+= 1
        let back = mac ?? MACAddress(frame, at: 6)
        advertise(target, to: isProbe ? nil : (source, back), isOverriding: isOurs)
    }

    private mutating func advertised(
        _ target: IPv6Address, _ destination: IPv6Address, _ mac: MACAddress?, _ frame: [UInt8], _ now: Instant
    ) {
        let flags = frame.uint32(at: EthernetFrame.headerLength + 44)
        let isSolicited = flags & Discovery.solicited != 0
        guard !isSolicited || !destination.isMulticast, mac.map({ !$0.isMulticast && $0.bits != 0 }) ?? true else {
            drop(.badDiscovery)
            return
        }
        if own.isOwn(target) {
            defend(.v6(target), against: mac ?? MACAddress(frame, at: 6), now)
            return
        }
        // An answer to a question sent to one host need not repeat the address (RFC 4861 4.4).
        guard isSolicited, own.isOwn(destination), let mac = mac ?? cache[.v6(target)]?.mac else {
            drop(.unasked)
            return
        }
        answered(.v6(target), mac, now)
    }

    mutating func solicit(_ target: IPv6Address, at mac: MACAddress?) -> Bool {
        guard let source = own.source(for: target) else { return false }
        let destination = mac == nil ? target.solicitedNode : target
        let body = body(Discovery.solicitation, flags: 0, target, Discovery.sourceOption)
        sendDiscovery(body, from: source, to: destination, at: mac ?? .group(.v6(destination)))
        return true
    }

    /// `to`: who asked; nil: everybody (RFC 4861 7.2.4, 7.2.6).
    mutating func advertise(_ target: IPv6Address, to asker: (address: IPv6Address, mac: MACAddress)?, isOverriding: Bool) {
        guard let source = own.isOwn(target) ? target : own.source(for: target) else { return }
        var flags: UInt32 = settings.isRouter ? Discovery.router : 0
        if asker != nil { flags |= Discovery.solicited }
        if isOverriding { flags |= Discovery.overriding }
        let body = body(Discovery.advertisement, flags: flags, target, Discovery.targetOption)
        let destination = asker?.address ?? .allNodes
        sendDiscovery(body, from: source, to: destination, at: asker?.mac ?? .group(.v6(destination)))
    }

    private func body(_ type: UInt8, flags: UInt32, _ target: IPv6Address, _ option: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [type, 0, 0, 0]
        bytes.reserveCapacity(32)
        bytes.append(bigEndian: flags)
        bytes.append(.v6(target))
        bytes.append(option)
        bytes.append(1)
        bytes.append(settings.mac)
        return bytes
    }

    private mutating func sendDiscovery(_ body: [UInt8], from: IPv6Address, to: IPv6Address, at mac: MACAddress) {
        var body = body
        var checksum = InternetChecksum()
        checksum.addPseudoHeader(.v6(from), .v6(to), .icmpv6, length: body.count)
        checksum.add(body, in: 0..<body.count)
        body.replace(at: 2, bigEndian: checksum.value)
        guard let packet = try? IPPacket.bytes(from: .v6(from), to: .v6(to), .icmpv6, body, IPOptions(timeToLive: 255)) else {
            return
        }
        emit(packet, EthernetFrame.ipv6, to: mac)
    }

    /// Whether no option has the length 0 or passes the end (RFC 4861 4.6).
    private func areOptionsWhole(_ frame: [UInt8], from start: Int, to end: Int) -> Bool {
        var at = start
        while at < end {
            guard at + 2 <= end, frame[at + 1] > 0, at + Int(frame[at + 1]) * 8 <= end else { return false }
            at += Int(frame[at + 1]) * 8
        }
        return true
    }

    /// The address in the first option of that type; the options are whole.
    private func linkLayerAddress(_ type: UInt8, _ frame: [UInt8], from start: Int, to end: Int) -> MACAddress? {
        var at = start
        while at < end {
            if frame[at] == type, frame[at + 1] == 1 { return MACAddress(frame, at: at + 2) }
            at += Int(frame[at + 1]) * 8
        }
        return nil
    }
}
