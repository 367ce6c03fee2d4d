import ALG
import Base
import NAT
import Packet

/// Packets that cross the NAT, and what the SIP helper makes of their payloads.
extension RouterNode {
    // MARK: Outbound

    mutating func sendTranslated(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ now: Instant) {
        let via = chooseMapping(bytes, packet, now)
        let original = original(bytes, packet)
        let before = Ends(packet, bytes)
        guard let verdict = translator?.outbound(&bytes, &packet, via: via, at: now) else { return }
        collectTraces()
        switch verdict {
        case .forward(let id):
            pass(&bytes, &packet, before, original, .outbound, id, nil, now)
        case .hairpin:
            forward(&bytes, &packet, on: .lan, quoting: original)
        case .dropped(let reason):
            traces.note(.dropped(.nat(reason), .lan))
        case .icmp(let answer, let reason):
            traces.note(.dropped(.nat(reason), .lan))
            sendError(answer, on: .lan)
        case .held:
            break
        }
    }

    /// The mapping a datagram has to leave by, where the helper wants another than the NAT would take.
    private mutating func chooseMapping(_ bytes: [UInt8], _ packet: IPPacket, _ now: Instant) -> MappingID? {
        guard isALGOn, case .udp(let udp) = packet.transport, packet.fragment == nil else { return nil }
        let inside = Endpoint(packet.source, udp.source)
        let remote = Endpoint(packet.destination, udp.destination)
        guard running.isSIP(udp.destination) else {
            keepAnnouncedPort(inside, remote, now)
            return ordinaryMapping(inside, remote, now)
        }
        let payload = Array(bytes[udp.payload])
        // Each turn that finds its mapping gone takes one from the helper's list, so this ends.
        while true {
            switch gateway.mapping(for: payload, from: inside, at: now) {
            case .ordinary:
                return nil
            case .reuse(let external):
                if let mapping = translator?.mapping(atExternal: external, .udp), mapping.internal == inside {
                    return mapping.id
                }
                gateway.lost(external)
            case .fresh(let slot, let idle):
                let mapping = try? translator?.open(.udp, for: inside, remote: remote, at: now)
                if let mapping { setIdle(of: mapping.id, to: running.sipTimeout ?? idle, by: .alg, now) }
                gateway.assigned(slot, to: mapping?.external, at: now)
                return mapping?.id
            }
        }
    }

    /// For traffic that is not SIP: never one of the mappings that SIP has for itself.
    private mutating func ordinaryMapping(_ inside: Endpoint, _ remote: Endpoint, _ now: Instant) -> MappingID? {
        let own = gateway.slotEndpoints(of: inside)
        guard !own.isEmpty, let translator, let usual = translator.mapping(for: inside, .udp, remote: remote),
            own.contains(usual.external)
        else { return nil }
        if let other = translator.mappings(of: inside, .udp).first(where: { !own.contains($0.external) }) { return other.id }
        return try? self.translator?.open(.udp, for: inside, remote: remote, at: now).id
    }

    /// Media towards someone else than the pinhole's peer leave by the announced port too: a pinhole takes no port from the host it is for.
    private mutating func keepAnnouncedPort(_ inside: Endpoint, _ remote: Endpoint, _ now: Instant) {
        guard gateway.hasPinholes, translator?.mapping(for: inside, .udp, remote: remote) == nil,
            let pinhole = gateway.mediaPinhole(to: inside), pinhole.external.port == inside.port, pinhole.from != remote.address
        else { return }
        let expectation = Expectation(
            .udp, from: .endpoint(remote), to: pinhole.external, for: inside, expires: now + .seconds(1), purpose: .media,
            owner: pinhole.id)
        _ = try? translator?.expect(expectation, at: now)
    }

    // MARK: Inbound

    mutating func receiveTranslated(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ now: Instant) {
        let original = original(bytes, packet)
        let before = Ends(packet, bytes)
        guard let verdict = translator?.inbound(&bytes, &packet, at: now) else { return }
        collectTraces()
        switch verdict {
        case .forward(let id):
            let met = translator?.metExpectation
            if packet.timeToLive <= 1, let original {
                refuse(.timeToLive, .timeExceeded(quoting: original), original, packet, .wan)
                return
            }
            pass(&bytes, &packet, before, original, .inbound, id, met, now)
        case .hairpin:
            break
        case .dropped(let reason):
            traces.note(.dropped(.nat(reason), .wan))
        case .icmp(let answer, let reason):
            traces.note(.dropped(.nat(reason), .wan))
            sendError(answer, on: .wan)
        case .held:
            break
        }
    }

    // MARK: The helper

    /// A translated packet: through the helper, if it is SIP, and on.
    private mutating func pass(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ before: Ends?, _ original: [UInt8]?, _ direction: ALGDirection,
        _ id: MappingID, _ met: ExpectationID?, _ now: Instant
    ) {
        let out: RouterInterface = direction == .outbound ? .wan : .lan
        guard isALGOn, packet.fragment == nil, let flow = flow(before, Ends(packet, bytes), direction) else {
            forward(&bytes, &packet, on: out, quoting: original)
            return
        }
        if let met { noteExpected(flow, met, now) }
        guard running.isSIP(flow.remote.port) || gateway.isFollowing(flow) else {
            forward(&bytes, &packet, on: out, quoting: original)
            return
        }
        if let idle = running.sipTimeout ?? settings.alg.signallingIdle, translator?.mapping(id)?.idle != idle {
            setIdle(of: id, to: idle, by: .alg, now)
        }
        switch packet.transport {
        case .udp(let udp): passDatagram(&bytes, &packet, udp, original, flow, direction, now)
        case .tcp(let tcp): passSegment(&bytes, &packet, tcp, original, flow, direction, now)
        case .icmp, .other, .laterFragment: forward(&bytes, &packet, on: out, quoting: original)
        }
        collectTraces()
    }

    /// Both ends of a packet with ports.
    private struct Ends {
        var source: Endpoint
        var destination: Endpoint
        var transport: SIPTransport

        init?(_ packet: IPPacket, _ bytes: [UInt8]) {
            guard let ports = packet.ports(bytes) else { return nil }
            source = Endpoint(packet.source, ports.source)
            destination = Endpoint(packet.destination, ports.destination)
            transport = packet.protocolNumber == .tcp ? .tcp : .udp
        }
    }

    private func flow(_ before: Ends?, _ after: Ends?, _ direction: ALGDirection) -> ALGFlow? {
        guard let before, let after else { return nil }
        switch direction {
        case .outbound:
            return ALGFlow(before.transport, inside: before.source, mapped: after.source, remote: before.destination)
        case .inbound:
            return ALGFlow(before.transport, inside: after.destination, mapped: before.destination, remote: before.source)
        }
    }

    /// The first packet through a pinhole: the helper learns that it was used, and follows signalling that came through it.
    private mutating func noteExpected(_ flow: ALGFlow, _ met: ExpectationID, _ now: Instant) {
        guard let number = expected.pinhole(of: met), let pinhole = gateway.pinhole(number) else { return }
        if pinhole.purpose == .signalling {
            gateway.expected(flow, at: now)
        } else {
            _ = expected.remove(number)
            gateway.used(pinhole)
        }
    }

    private mutating func passDatagram(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ udp: UDPHeader, _ original: [UInt8]?, _ flow: ALGFlow,
        _ direction: ALGDirection, _ now: Instant
    ) {
        let out: RouterInterface = direction == .outbound ? .wan : .lan
        switch readPayload(Array(bytes[udp.payload]), direction, flow, now) {
        case .drop(let reason):
            traces.note(.dropped(.alg(reason), out.other))
        case .pass(let passage):
            let quoted = rebuild(&bytes, &packet, udp.payload, passage, original, flow, direction)
            forward(&bytes, &packet, on: out, quoting: quoted)
        case .hold(let passage, let until):
            let quoted = rebuild(&bytes, &packet, udp.payload, passage, original, flow, direction)
            guard held.count < settings.limits.heldPackets else {
                traces.note(.dropped(.holdLimit, out.other))
                forward(&bytes, &packet, on: out, quoting: quoted)
                return
            }
            guard packet.decrementTimeToLive(in: &bytes) else { return }
            held.add(HeldPackets.Packet(interface: out, bytes: bytes, since: now), until: until)
        }
    }

    private mutating func readPayload(
        _ payload: [UInt8], _ direction: ALGDirection, _ flow: ALGFlow, _ now: Instant
    ) -> ALGVerdict {
        // A copy to look things up in while the helper changes; it shares its storage.
        let nat = translator
        return gateway.process(payload, direction, on: flow, at: now) { transport, external, inside in
            // Where hosts share ports, none is ever taken.
            if nat?.settings.ports.overloads == true { return false }
            guard let taken = nat?.mapping(atExternal: external, transport == .udp ? .udp : .tcp) else { return false }
            // Another port of the same host is no obstacle: its own packets find their mapping first.
            return taken.internal.address != inside.address
        }
    }

    /// Puts in what the helper made of a datagram; returns what an error about it would quote, if one may be due.
    private func rebuild(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ payload: Range<Int>, _ passage: ALGPassage, _ original: [UInt8]?,
        _ flow: ALGFlow, _ direction: ALGDirection
    ) -> [UInt8]? {
        let translated = bytes
        if !passage.rewrites.isEmpty { packet.replacePayload(payload, with: passage.bytes, in: &bytes) }
        let quoted = original ?? quotation(of: translated, madeInto: bytes, flow, direction)
        if let destination = passage.destination { packet.rewrite(.destination, to: destination, in: &bytes) }
        return quoted
    }

    /// What its sender knows a packet as that only the helper made too long: the translation undone.
    private func quotation(
        of translated: [UInt8], madeInto bytes: [UInt8], _ flow: ALGFlow, _ direction: ALGDirection
    ) -> [UInt8]? {
        guard bytes.count > min(settings.lanMTU, settings.wanMTU), var packet = try? IPPacket(translated) else { return nil }
        var original = translated
        switch direction {
        case .outbound: packet.rewrite(.source, to: flow.inside, in: &original)
        case .inbound: packet.rewrite(.destination, to: flow.mapped, in: &original)
        }
        return original
    }

    private mutating func passSegment(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ tcp: TCPHeader, _ original: [UInt8]?, _ flow: ALGFlow,
        _ direction: ALGDirection, _ now: Instant
    ) {
        let out: RouterInterface = direction == .outbound ? .wan : .lan
        let translated = bytes
        if tcp.flags.contains(.syn), !tcp.flags.contains(.ack) { shifts.forget(flow) }
        var isChanged = shifts.apply(flow, direction, tcp, to: &bytes, now: now)
        if !tcp.payload.isEmpty, !tcp.flags.contains(.syn) {
            switch readPayload(Array(bytes[tcp.payload]), direction, flow, now) {
            case .drop(let reason):
                traces.note(.dropped(.alg(reason), out.other))
                return
            case .pass(let passage), .hold(let passage, _):
                // Streams are never held: what follows would overtake.
                if !passage.rewrites.isEmpty {
                    let difference = passage.bytes.count - tcp.payload.count
                    packet.replacePayload(tcp.payload, with: passage.bytes, in: &bytes)
                    if difference != 0 { shifts.grow(flow, direction, by: difference, at: tcp.sequence, now: now) }
                    isChanged = true
                }
            }
        }
        if isChanged { packet.refreshTransportChecksum(in: &bytes) }
        if tcp.flags.contains(.rst) { shifts.forget(flow) }
        let quoted = original ?? quotation(of: translated, madeInto: bytes, flow, direction)
        forward(&bytes, &packet, on: out, quoting: quoted)
    }

    // MARK: The helper's wishes

    mutating func carryOut(_ request: ALGRequest, _ now: Instant) {
        switch request {
        case .open(let pinhole):
            if let known = expected[pinhole.id] {
                _ = translator?.setExpiry(of: known, to: pinhole.until)
                return
            }
            let expectation = Expectation(
                pinhole.transport == .tcp ? .tcp : .udp, from: pinhole.from.map { .address($0) } ?? .any, to: pinhole.external,
                for: pinhole.inside, expires: pinhole.until, isPermanent: pinhole.purpose == .signalling,
                purpose: pinhole.purpose == .signalling ? .signalling : .media,
                // Where its port had to move, what the host sends still leaves by the port it has, as on Linux.
                appliesOutbound: pinhole.external.port == pinhole.inside.port, owner: pinhole.id)
            if let id = try? translator?.expect(expectation, at: now) { expected.set(pinhole.id, id) }
        case .close(let pinhole):
            if let id = expected.remove(pinhole.id) { _ = translator?.cancel(id) }
        }
    }
}
