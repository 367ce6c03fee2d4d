import Base
import Codecs
import Conference
import MediaControl
import RTP

/// Runs a sound plane by a script made of `bytes`, for fuzzers: it must not trap, and must come to rest when everyone has left.
///
/// Each step takes an octet that says what happens and to whom, and what it needs from those that follow.
package func exerciseSoundPlane(_ bytes: [UInt8]) {
    var settings = SoundSettings()
    settings.rooms = 2
    settings.partiesPerRoom = 3
    settings.pinsWaiting = 2
    var plane = SoundPlane(settings: settings, entropy: Entropy(labSeed: 1))
    var script = bytes[...]
    var now = Instant(seconds: 1)
    func next() -> UInt8 { script.popFirst() ?? 0 }

    func formats(_ dice: UInt8) -> [MediaFormat] {
        var formats: [MediaFormat] = [.pcmu, .pcma, .telephoneEvent, .comfortNoise]
        if dice & 1 != 0 { formats.swapAt(0, 1) }
        if dice & 2 != 0 { formats.removeLast(2) }
        if dice & 12 == 12 { formats = [.g722] }
        return formats
    }
    func remote(_ dice: UInt8) -> MediaRemote {
        MediaRemote(
            epoch: UInt32(dice), rtp: nil, receives: dice & 16 == 0, sends: dice & 32 == 0, formats: formats(dice),
            packetTime: Int(dice >> 6) * 20)
    }
    func service(_ dice: UInt8) -> MediaService {
        switch dice & 7 {
        case 0: .tone(Int(dice) * 40)
        case 1: .announcement("a\(dice)")
        case 2: .silence
        case 3: .echo
        default:
            .room(
                RoomEntry(
                    room: "\(dice >> 3 & 3)", party: "p\(dice >> 5)", pin: dice & 32 == 0 ? nil : "1", isOwner: dice & 64 != 0,
                    records: dice & 128 != 0))
        }
    }
    func deliver(_ slot: Int) {
        let kind = next()
        let types: [UInt8] = [0, 8, 101, 13, 9, 0, 8, 101]
        let header = UInt16(next()) << 8 | UInt16(next())
        let stamp = UInt32(next()) << 24 | UInt32(next()) << 8
        let length = min(script.count, Int(next()))
        let packet = RTPPacket(
            payloadType: types[Int(kind & 7)], sequenceNumber: header, timestamp: stamp, ssrc: UInt32(kind >> 6),
            payload: Array(script.prefix(length))
        ).bytes
        script = script.dropFirst(length)
        guard let header = RTPHeader(packet) else { return }
        packet[header.payloadStart..<header.payloadEnd].withUnsafeBytes {
            plane.packet(slot: slot, header: header, payload: $0, at: now)
        }
    }

    while let step = script.popFirst() {
        let slot = Int(step & 7)
        switch step >> 3 & 7 {
        case 0: plane.serve(slot: slot, id: MediaLegID(UInt64(slot)), service: service(next()), remote: remote(next()), at: now)
        case 1: plane.serve(slot: slot, id: MediaLegID(UInt64(slot)), service: service(next()), remote: nil, at: now)
        case 2: plane.update(slot: slot, remote: remote(next()), at: now)
        case 3: plane.leave(slot: slot, at: now)
        case 4: plane.digit(slot: slot, ["*", "#", "1", "3", "6"][Int(next()) % 5], at: now)
        case 5: deliver(slot)
        case 6:
            let dice = next()
            let id = MediaLegID(UInt64(dice >> 5))
            let command: RoomCommand =
                dice & 8 != 0 ? .lock(dice & 16 != 0) : dice & 16 != 0 ? .kick(id) : .mute(id, dice & 4 != 0)
            plane.room("\(dice & 3)", command, at: now)
        default:
            now += .milliseconds(Int64(next()) * 4)
            plane.advance(to: now)
        }
        while let packet = plane.nextPacket() {
            precondition(
                RTPHeader(packet.bytes) != nil && packet.bytes.count <= 12 + 3 * 160 && plane.isServing(slot: packet.slot))
        }
        while plane.nextEvent() != nil {}
        while plane.nextRecording() != nil {}
    }
    for slot in 0..<8 { plane.leave(slot: slot, at: now) }
    precondition(plane.partyCount == 0 && plane.roomCount == 0 && plane.nextDeadline == nil)
}
