import ALG
import Base
import NAT
import Packet

/// Packets that the router sent on and that their link could not deliver.
extension RouterNode {
    /// Says so to the sender (RFC 1812 5.2.7.1, RFC 4443 3.1), through the NAT if the packet came through it. `interface`: where it went out.
    mutating func undeliverable(_ bytes: [UInt8], _ interface: RouterInterface, _ now: Instant) {
        traces.note(.dropped(.nextHopSilent, interface.other))
        guard let packet = try? IPPacket(bytes), ICMPMessage.mayAnswer(packet) else { return }
        let own: IPAddress?
        switch (packet.source, interface) {
        case (.v4, .lan): own = .v4(settings.lanAddress)
        case (.v4, .wan): own = .v4(settings.wanAddress)
        case (.v6, .lan): own = (settings.lanIPv6 ?? settings.wanIPv6).map { .v6($0) }
        case (.v6, .wan): own = (settings.wanIPv6 ?? settings.lanIPv6).map { .v6($0) }
        }
        guard let own, var error = try? ICMPMessage.hostUnreachable(quoting: bytes).packet(from: own, to: packet.source) else {
            return
        }
        let way = route(packet.source)
        let verdict: NATVerdict?
        switch packet.source {
        case .v4(let v4) where externalAddresses.contains(v4): verdict = translator?.inbound(&error, at: now)
        // The router's own packet: it knows.
        case .v4(let v4) where isOwn(v4): return
        case .v4 where interface == .lan && way == .wan && translator != nil: verdict = translator?.outbound(&error, at: now)
        case .v4, .v6:
            if let way { sendError(error, on: way) }
            return
        }
        collectTraces()
        guard case .forward? = verdict else { return }
        sendError(error, on: interface.other)
    }
}
