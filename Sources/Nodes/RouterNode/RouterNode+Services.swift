import ALG
import Base
import DHCP
import DNS
import DNSForwarder
import NAT
import Packet
import PortControl

/// Datagrams to the router's own services, and theirs to others.
extension RouterNode {
    public var serviceStatus: RouterServiceStatus {
        RouterServiceStatus(
            leases: services.dhcp?.leases ?? [], dhcp: services.dhcp?.counters, dns: services.dns?.counters,
            openPorts: services.portControl?.mappingCount,
            outside: services.outside?.configuration)
    }

    /// Whether a packet was for one of the services; it is theirs then, whatever they make of it.
    ///
    /// DHCP is served and names are looked up for the inside alone. Outside, only the DHCP server's replies and the resolvers' answers to
    /// questions that are open come in.
    mutating func takeForServices(_ bytes: [UInt8], _ packet: IPPacket, _ interface: RouterInterface, _ now: Instant) -> Bool {
        if case .tcp(let tcp) = packet.transport { return resetNameQuestion(packet, tcp, interface) }
        guard case .udp(let udp) = packet.transport, packet.fragment == nil else { return false }
        let local = Endpoint(packet.destination, udp.destination)
        let service: RouterService
        switch interface {
        case .lan where udp.destination == DHCPMessage.serverPort && services.dhcp != nil && isForInside(local.address):
            service = .dhcpServer
        case .lan
        where udp.destination == 53 && services.dns != nil && isInsideOwn(local.address) && route(packet.source) == .lan:
            service = .dns
        case .lan
        where udp.destination == PortControl.port && services.portControl != nil && isInsideOwn(local.address)
            && route(packet.source) == .lan:
            service = .portControl
        case .wan
        where udp.destination == DHCPMessage.clientPort && udp.source == DHCPMessage.serverPort && services.outside != nil:
            service = .dhcpClient
        case .wan where services.dns?.isAsking(from: local) == true: service = .dnsAnswer
        case .lan, .wan: return false
        }
        do {
            try packet.verifyChecksums(bytes)
        } catch {
            traces.note(.dropped(.malformed(offset: error.offset), interface))
            return true
        }
        let datagram = Datagram(from: Endpoint(packet.source, udp.source), to: local, Array(bytes[udp.payload]))
        switch service {
        case .dhcpServer: services.dhcp?.receive(.datagram(datagram), at: now)
        case .dhcpClient: services.outside?.receive(.datagram(datagram), at: now)
        case .portControl: services.portControl?.receive(.request(datagram), at: now)
        case .dns: services.dns?.receive(.question(datagram), at: now)
        case .dnsAnswer: services.dns?.receive(.answer(datagram), at: now)
        }
        collectServices(now)
        return true
    }

    /// Names are not looked up over TCP: who tries hears so at once (RFC 9293 3.10.7.1) and need not wait.
    private mutating func resetNameQuestion(_ packet: IPPacket, _ tcp: TCPHeader, _ interface: RouterInterface) -> Bool {
        guard interface == .lan, tcp.destination == 53, services.dns != nil, packet.fragment == nil,
            isInsideOwn(packet.destination), route(packet.source) == .lan
        else { return false }
        traces.note(.dropped(.notSpoken, interface))
        guard !tcp.flags.contains(.rst) else { return true }
        let isAcknowledging = tcp.flags.contains(.ack)
        let length = tcp.payload.count + (tcp.flags.contains(.syn) ? 1 : 0) + (tcp.flags.contains(.fin) ? 1 : 0)
        let reset = TCPSegment(
            from: Endpoint(packet.destination, 53), to: Endpoint(packet.source, tcp.source),
            sequence: isAcknowledging ? tcp.acknowledgment : 0,
            acknowledgment: isAcknowledging ? 0 : tcp.sequence &+ UInt32(truncatingIfNeeded: length),
            flags: isAcknowledging ? .rst : [.rst, .ack], window: 0)
        if let bytes = try? reset.packet() { sendError(bytes, on: .lan) }
        return true
    }

    private enum RouterService {
        case dhcpServer, dhcpClient, dns, dnsAnswer, portControl
    }

    private func isInsideOwn(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let v4): v4 == settings.lanAddress
        case .v6(let v6): v6 == settings.lanIPv6
        }
    }

    /// The router itself, or everybody on its inside.
    private func isForInside(_ address: IPAddress) -> Bool {
        guard case .v4(let v4) = address, settings.lanPrefix.length < 32 else { return false }
        let everybody = settings.lanAddress.bits | UInt32.max >> UInt32(settings.lanPrefix.length)
        return v4 == settings.lanAddress || v4.bits == .max || v4.bits == everybody
    }

    /// Carries out what the services want, and their traces out.
    mutating func collectServices(_ now: Instant) {
        while let output = services.outside?.nextOutput() {
            switch output {
            case .send(let datagram): sendOwn(datagram, on: .wan)
            case .configured(let configuration): setOutside(configuration, now)
            case .lost: setOutside(nil, now)
            }
        }
        while let output = services.dhcp?.nextOutput() {
            switch output {
            case .send(let datagram, let mac):
                // It has no address to be asked by yet; from the next packet on it is asked for as anybody.
                if let mac { outputs.append(.neighbour(.lan, datagram.destination.address, mac)) }
                sendOwn(datagram, on: .lan)
                if mac != nil { outputs.append(.neighbour(.lan, datagram.destination.address, nil)) }
            case .leased(let lease): name(lease, isThere: true, now)
            case .ended(let lease): name(lease, isThere: false, now)
            }
        }
        while let output = services.dns?.nextOutput() {
            switch output {
            case .toClient(let datagram): sendOwn(datagram, on: .lan)
            case .toUpstream(let datagram):
                // No mapping of the NAT's may have the port meanwhile.
                if translator != nil, !datagram.source.address.isIPv6,
                    translator?.reservePort(.udp, exactly: datagram.source) != true
                {
                    services.dns?.receive(.portTaken(datagram.source.port), at: now)
                } else {
                    sendOwn(datagram, on: route(datagram.destination.address) ?? .wan)
                }
            case .release(let local): translator?.releasePort(.udp, local)
            }
        }
        collectPortControl(now)
        guard traces.isOn else { return }
        while let trace = services.portControl?.nextTrace() { traces.note(.portControl(trace)) }
        while let trace = services.outside?.nextTrace() { traces.note(.outsideDHCP(trace)) }
        while let trace = services.dhcp?.nextTrace() { traces.note(.dhcp(trace)) }
        while let trace = services.dns?.nextTrace() { traces.note(.dns(trace)) }
    }

    mutating func sendOwn(_ datagram: Datagram, on interface: RouterInterface) {
        guard let bytes = try? IPPacket.bytes(of: datagram) else { return }
        transmit(bytes, on: interface, quoting: nil)
    }

    /// A client's name, unless that is set to mean something else.
    private mutating func name(_ lease: DHCPLease, isThere: Bool, _ now: Instant) {
        guard let label = lease.name, services.dns != nil else { return }
        services.dns?.receive(.name(label, isThere ? [.v4(lease.address)] : []), at: now)
    }

    /// The outside address changes while the router runs: what was mapped to the old one is gone.
    private mutating func setOutside(_ configuration: DHCPConfiguration?, _ now: Instant) {
        let address = configuration?.address ?? .any
        if address != settings.wanAddress {
            settings.wanAddress = address
            if var nat = settings.nat {
                nat.externalAddresses = [address]
                settings.nat = nat
                let isTracing = traces.isOn
                translator = AddressTranslator(settings: nat, entropy: serviceEntropy.fork())
                translator?.isTracing = isTracing
                externalAddresses = nat.externalAddresses
                keepers.removeAll()
                if let timers = running.timers { translator?.setTimers(timers, at: now) }
                openStaticMappings(now)
            }
            gateway.reset()
            expected = PinholeExpectations()
            shifts = StreamShifts(cap: settings.limits.shiftedStreams)
            services.openPorts = [:]
            services.portControl?.receive(.outside(configuration?.address), at: now)
        }
        outputs.append(.outside(configuration))
        guard var dns = services.dns?.settings else { return }
        dns.outsideV4 = configuration?.address
        if settings.services.dns?.upstreams.isEmpty == true {
            dns.upstreams = configuration?.nameServers.map { Endpoint(.v4($0), 53) } ?? []
        }
        services.dns?.receive(.settings(dns), at: now)
    }
}
