import ALG
import Base
import NAT
import Packet

/// What comes in on an interface and where it goes on.
extension RouterNode {
    /// Parses a packet, once: what follows edits the bytes and the parsed value together.
    mutating func receive(_ bytes: inout [UInt8], on interface: RouterInterface, _ now: Instant) {
        var packet: IPPacket
        do {
            packet = try IPPacket(bytes)
        } catch {
            traces.note(.dropped(.malformed(offset: error.offset), interface))
            return
        }
        guard running.firewall.admits(packet, bytes, on: interface) else {
            traces.note(.dropped(.firewall, interface))
            return
        }
        // Without what the link may have padded it with.
        if bytes.count > packet.range.count { bytes.removeLast(bytes.count - packet.range.count) }
        if settings.services.isOn, takeForServices(bytes, packet, interface, now) { return }
        switch packet.header {
        case .v4(let header): receiveV4(&bytes, &packet, header, interface, now)
        case .v6: receiveV6(&bytes, &packet, interface)
        }
    }

    private mutating func receiveV4(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ header: IPv4Header, _ interface: RouterInterface, _ now: Instant
    ) {
        guard header.hasRightChecksum(bytes), isRoutable(header.source), isRoutable(header.destination) else {
            traces.note(.dropped(.unroutable, interface))
            return
        }
        if isOwn(header.destination), isForRouter(packet, header.destination, interface) {
            answer(bytes, packet, interface)
            return
        }
        guard isWhole(&bytes, &packet, interface, now) else { return }
        if interface == .wan, externalAddresses.contains(header.destination) {
            receiveTranslated(&bytes, &packet, now)
            return
        }
        guard let out = route(packet.destination) else {
            refuse(.noRoute, .noRoute(quoting: bytes), bytes, packet, interface)
            return
        }
        if interface == .wan, settings.nat != nil {
            // A private address is nobody's on this side of a NAT.
            traces.note(.dropped(.noRoute, interface))
            return
        }
        guard packet.timeToLive > 1 else {
            refuse(.timeToLive, .timeExceeded(quoting: bytes), bytes, packet, interface)
            return
        }
        if interface == .lan, out == .wan, settings.nat != nil {
            sendTranslated(&bytes, &packet, now)
        } else {
            forward(&bytes, &packet, on: out, quoting: original(bytes, packet))
        }
    }

    private mutating func receiveV6(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ interface: RouterInterface) {
        guard settings.lanIPv6 != nil || settings.wanIPv6 != nil else {
            traces.note(.dropped(.noRoute, interface))
            return
        }
        guard case .v6(let destination) = packet.destination, case .v6(let source) = packet.source,
            destination.high >> 56 != 0xff, destination.high >> 54 != 0x3fa, source.high >> 54 != 0x3fa, source.high >> 56 != 0xff
        else {
            traces.note(.dropped(.unroutable, interface))
            return
        }
        if destination == settings.lanIPv6 || destination == settings.wanIPv6 {
            answer(bytes, packet, interface)
            return
        }
        guard let out = route(packet.destination) else {
            refuse(.noRoute, .noRoute(quoting: bytes), bytes, packet, interface)
            return
        }
        guard packet.timeToLive > 1 else {
            refuse(.timeToLive, .timeExceeded(quoting: bytes), bytes, packet, interface)
            return
        }
        forward(&bytes, &packet, on: out, quoting: original(bytes, packet))
    }

    // MARK: Routes

    func route(_ destination: IPAddress) -> RouterInterface? {
        if settings.lanPrefix.contains(destination) || settings.lanRoutes.contains(where: { $0.contains(destination) }) {
            return .lan
        }
        // Not yet: it is asked for.
        if settings.wanAddress == .any, !destination.isIPv6 { return nil }
        return .wan
    }

    private func isRoutable(_ address: IPv4Address) -> Bool {
        let first = address.bits >> 24
        return first != 0 && first != 127 && address.bits >> 28 < 0xe && address.bits >> 16 != 0xa9fe
    }

    func isOwn(_ address: IPv4Address) -> Bool {
        address == settings.lanAddress || address == settings.wanAddress || externalAddresses.contains(address)
    }

    /// Whether the router itself is meant, and not a host behind it or another mapping of its own NAT.
    private func isForRouter(_ packet: IPPacket, _ destination: IPv4Address, _ interface: RouterInterface) -> Bool {
        guard externalAddresses.contains(destination) else { return true }
        if case .icmp(let icmp) = packet.transport, icmp.meaning == .echoRequest { return true }
        return false
    }

    // MARK: Answers of its own

    private func ownAddress(_ interface: RouterInterface, like address: IPAddress) -> IPAddress? {
        switch (interface, address.isIPv6) {
        case (.lan, false): .v4(settings.lanAddress)
        case (.wan, false): .v4(settings.wanAddress)
        case (.lan, true): (settings.lanIPv6 ?? settings.wanIPv6).map { .v6($0) }
        case (.wan, true): (settings.wanIPv6 ?? settings.lanIPv6).map { .v6($0) }
        }
    }

    private mutating func answer(_ bytes: [UInt8], _ packet: IPPacket, _ interface: RouterInterface) {
        guard case .icmp(let icmp) = packet.transport, icmp.meaning == .echoRequest, packet.fragment == nil,
            interface == .lan || running.answersWANPing
        else {
            guard interface == .lan, ICMPMessage.mayAnswer(packet), case .udp = packet.transport else {
                traces.note(.dropped(.notSpoken, interface))
                return
            }
            refuse(.notSpoken, .portUnreachable(quoting: bytes), bytes, packet, interface, as: packet.destination)
            return
        }
        let reply = ICMPMessage.echoReply(identifier: icmp.identifier, sequence: icmp.sequence, data: Array(bytes[icmp.payload]))
        guard let answer = try? reply.packet(from: packet.destination, to: packet.source) else { return }
        transmit(answer, on: interface, quoting: nil)
    }

    /// Drops a packet and says so to its sender, where that may be said.
    mutating func refuse(
        _ reason: RouterDropReason, _ error: ICMPMessage, _ bytes: [UInt8], _ packet: IPPacket, _ interface: RouterInterface,
        as own: IPAddress? = nil
    ) {
        traces.note(.dropped(reason, interface))
        guard ICMPMessage.mayAnswer(packet), let own = own ?? ownAddress(interface, like: packet.source),
            let answer = try? error.packet(from: own, to: packet.source)
        else { return }
        sendError(answer, on: interface)
    }

    /// An ICMP error of its own, unless too many went that way of late.
    mutating func sendError(_ error: [UInt8], on interface: RouterInterface) {
        if errorBudget.take(interface) {
            outputs.append(.packet(interface, error))
        } else {
            traces.note(.errorWithheld(interface))
        }
    }

    // MARK: Out

    /// Takes one hop off and transmits. The Time to Live has been looked at.
    mutating func forward(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, on interface: RouterInterface, quoting original: [UInt8]?
    ) {
        guard packet.decrementTimeToLive(in: &bytes) else { return }
        transmit(bytes, on: interface, quoting: original)
    }

    /// The packet as its sender knows it, where an error may yet have to quote it: any other needs no copy.
    func original(_ bytes: [UInt8], _ packet: IPPacket) -> [UInt8]? {
        packet.timeToLive <= 1 || bytes.count > min(settings.lanMTU, settings.wanMTU) ? bytes : nil
    }

    /// Cuts a packet to the way's size, if it may be cut. `original`: as its sender knows it, to quote if not; nil: its own packet.
    mutating func transmit(_ bytes: [UInt8], on interface: RouterInterface, quoting original: [UInt8]?) {
        let mtu = interface == .lan ? settings.lanMTU : settings.wanMTU
        guard bytes.count > mtu else {
            outputs.append(.packet(interface, bytes))
            return
        }
        let isV6 = bytes[0] >> 4 == 6
        if !isV6, let fragments = try? IPPacket.fragments(of: bytes, mtu: mtu) {
            for fragment in fragments { outputs.append(.packet(interface, fragment)) }
            return
        }
        let from = interface.other
        guard let original, let packet = try? IPPacket(original) else {
            traces.note(.dropped(.tooBig(mtu: mtu), from))
            return
        }
        refuse(.tooBig(mtu: mtu), .packetTooBig(mtu: mtu, quoting: original), original, packet, from)
    }

    /// Makes a fragment the whole datagram, where the helper needs to read it: it reads no fragments. False: it is not complete yet.
    private mutating func isWhole(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ interface: RouterInterface, _ now: Instant
    ) -> Bool {
        guard packet.fragment != nil, isALGOn, translator != nil, packet.protocolNumber == .udp else { return true }
        switch reassembler.receive(bytes, packet, at: now) {
        case .whole(let whole):
            bytes = whole
            do {
                packet = try IPPacket(whole)
                return true
            } catch {
                traces.note(.dropped(.malformed(offset: error.offset), interface))
            }
        case .waiting: break
        case .dropped: traces.note(.dropped(.fragment, interface))
        }
        return false
    }
}
