import Base
import Lab
import MediaControl
import Packet
import PhoneNode
import ServerNode
import VirtualNetwork

/// Transitions carried out.
extension FuzzWorld {
    // MARK: Phones

    mutating func perform(_ deed: PhoneDeed, _ phone: Int) {
        let box = places.phones[phone]
        let calls = world.calls(of: box).filter { $0.report == nil }
        let talking = calls.last { $0.answeredAt != nil }
        func tell(_ input: PhoneNode.Input?) { if let input { world.perform(.phone(box, input)) } }
        switch deed {
        case .start: world.perform(.start(box))
        case .stop: world.perform(.stop(box))
        case .restart:
            world.restart(box)
            world.perform(.start(box))
        case .roam(let place):
            let (link, addresses) = Self.address(of: phone, at: place)
            world.move(box, to: places.links[link], addresses)
        case .call(let target, let isLate):
            lastCall += 1
            tell(.call(CallRequest(id: PhoneCallID(lastCall), target: Cast.targets[target], lateOffer: isLate)))
        case .answer: tell(calls.last { $0.isIncoming && $0.answeredAt == nil }.map { .answer($0.id, play: .silence) })
        case .reject(let status):
            tell(calls.last { $0.isIncoming && $0.answeredAt == nil }.map { .reject($0.id, status: status) })
        case .hangUp: tell(calls.last.map { .hangUp($0.id) })
        case .hold: tell(talking.map { .hold($0.id) })
        case .resume: tell(talking.map { .resume($0.id) })
        case .transfer(let target): tell(talking.map { .transfer($0.id, to: Cast.targets[target]) })
        case .transferAttended:
            guard let talking, let other = calls.first(where: { $0.answeredAt != nil && $0.id != talking.id }) else { return }
            tell(.transferAttended(talking.id, with: other.id))
        case .digits: tell(talking.map { .dtmf($0.id, "42#") })
        case .text(let target): tell(.sendText(to: Cast.targets[target], "hello"))
        }
    }

    // MARK: The way

    mutating func perform(_ deed: RouterDeed, _ router: BoxID) {
        switch deed {
        case .reboot: world.perform(.reboot(router))
        case .forget: world.perform(.command(router, "connection clean"))
        case .helper(let isOn):
            world.perform(.command(router, "connection appconfig application=SIP SIP_ALG=\(isOn ? "enabled" : "disabled")"))
        }
    }

    mutating func perform(_ fate: PacketFate, _ place: Int) {
        var touched: [UInt8] = []
        world.changeOnTheWay(place) { packet in
            touched = packet
            switch fate {
            case .drop:
                touched = []
                return []
            case .duplicate: return [(packet, .zero), (packet, .milliseconds(30))]
            case .delay(let milliseconds): return [(packet, .milliseconds(Int64(milliseconds)))]
            case .mutate(let mutation): return [(Self.mutated(packet, mutation), .zero)]
            }
        }
        if let datagram = Self.datagram(touched) {
            excuse(datagram.payload)
        } else if !touched.isEmpty {
            // A stream that says something else, or nothing any more.
            model.excuse(2, until: world.now + .seconds(400))
        }
    }

    /// The datagram with a changed message; of streams and ICMP a byte is changed, and the checksum made right.
    private static func mutated(_ packet: [UInt8], _ mutation: Mutation) -> [UInt8] {
        if let datagram = datagram(packet) {
            let changed = Datagram(from: datagram.source, to: datagram.destination, mutation.apply(datagram.payload))
            return (try? IPPacket.bytes(of: changed)) ?? packet
        }
        guard var parsed = try? IPPacket(packet), parsed.protocolNumber == .tcp, packet.count > parsed.payload.lowerBound + 20
        else {
            return packet
        }
        var bytes = packet
        let room = packet.count - parsed.payload.lowerBound - 20
        bytes[parsed.payload.lowerBound + 20 + mutation.choice * room / 256] ^= 1 << UInt8(mutation.choice & 7)
        parsed.refreshTransportChecksum(in: &bytes)
        return bytes
    }

    // MARK: The server

    mutating func perform(_ deed: ServerDeed) {
        switch deed {
        case .restart:
            let durable = world.storage(of: places.server)?.bindings ?? []
            for phone in places.phones.indices where !isDurable(phone, durable) {
                model.excuse(phone, until: world.now + .seconds(400))
            }
            world.restart(places.server)
            model.serverRestarted(at: world.now)
        case .storage(let state):
            if state == .fails { model.mayFailToStore = true }
            world.setStorage(of: places.server, state)
        case .withoutAccount(let missing): world.tell(places.server, .accounts(Self.accounts(variant, without: missing)))
        case .wallClock(let seconds): world.tell(places.server, .wallClock(ahead: .seconds(Int64(seconds))))
        case .probe(let user):
            world.perform(.probe(places.server, AddressOfRecord(user: Cast.users[user], domain: model.settings.realm)))
        }
    }

    /// Whether what the phone was told will be true after a restart.
    private func isDurable(_ phone: Int, _ stored: [StoredBinding]) -> Bool {
        guard case .registered(let until, _, _)? = world.status(of: places.phones[phone])?.registration else { return false }
        return stored.contains { $0.aor == model.aor(of: phone) && $0.binding.expires + ReferenceModel.slack >= until }
    }

    mutating func perform(_ deed: MediaDeed) {
        let legs = world.scriptedLegs(of: places.server).open
        func leg(_ place: Int) -> MediaLegID { legs.isEmpty ? MediaLegID(9_999) : legs[place % legs.count] }
        let somewhere = Endpoint(.v4(Cast.stranger), 40_000)
        let event: MediaEvent
        switch deed {
        case .holdVerdicts(let isHeld):
            if isHeld { model.mayMissVerdicts = true }
            return world.holdVerdicts(of: places.server, isHeld)
        case .silent(let place): event = .silent(leg(place), seconds: 30)
        case .finished(let place): event = .finished(leg(place), reason: .announced)
        case .closed(let place): event = .closed(leg(place), MediaVerdict())
        case .locked(let place): event = .locked(leg(place), MediaSource(endpoint: somewhere, means: .learnt, packet: 1))
        case .disbelieved(let place): event = .disbelieved(leg(place), somewhere)
        case .digit(let place): event = .digit(leg(place), "5")
        case .unknownLeg: event = .finished(MediaLegID(9_999), reason: .kicked)
        }
        world.mediaSays(event, to: places.server)
    }
}
