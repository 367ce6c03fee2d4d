import Base
import CSockets
import Codecs
import Conference
import MediaControl
import RTP

/// CPU of one conference room a 20 ms tick: packets in, jitter buffers, decoding, mixing, encoding, packets out; no sockets.
///
/// Prints microseconds a tick, the median of five runs, for `parties` in G.711 of whom `speakers` speak at once.
func measureRoom(parties: Int, speakers: Int, ticks: Int) -> Double {
    var settings = SoundSettings()
    settings.partiesPerRoom = parties
    settings.speakersPerRoom = parties
    var plane = SoundPlane(settings: settings, entropy: Entropy(labSeed: 1))
    var now = Instant(seconds: 1_000)
    for slot in 0..<parties {
        let format = slot % 2 == 0 ? MediaFormat.pcmu : .pcma
        plane.serve(
            slot: slot, id: MediaLegID(UInt64(slot)), service: .room(RoomEntry(room: "8000", party: "\(slot)")),
            remote: MediaRemote(epoch: 1, rtp: nil, formats: [format, .telephoneEvent]), at: now)
    }
    while plane.nextEvent() != nil {}
    // A second of each party's sound, as packets; the numbers are written into them as they are sent.
    let sounds = (0..<parties).map { slot -> [[UInt8]] in
        let law: G711 = slot % 2 == 0 ? .muLaw : .aLaw
        var tone = ToneGenerator(200 + 50 * (slot % 60), sampleRate: 8_000, amplitude: 3_000)
        return (0..<50).map { _ in
            let samples = slot < speakers ? tone.next(160) : [Int16](repeating: 0, count: 160)
            return RTPPacket(
                payloadType: law == .muLaw ? 0 : 8, sequenceNumber: 0, timestamp: 0, ssrc: UInt32(slot + 1),
                payload: samples.map(law.encode)
            ).bytes
        }
    }
    var number = 0
    func run(_ ticks: Int) -> Double {
        let start = bench_thread_cpu()
        for _ in 0..<ticks {
            for slot in 0..<parties {
                sounds[slot][number % 50].withUnsafeBytes { packet in
                    guard var header = RTPHeader(packet) else { return }
                    header.sequenceNumber = UInt16(truncatingIfNeeded: number)
                    header.timestamp = UInt32(truncatingIfNeeded: number * 160)
                    plane.packet(
                        slot: slot, header: header,
                        payload: UnsafeRawBufferPointer(rebasing: packet[header.payloadStart..<header.payloadEnd]), at: now)
                }
            }
            number += 1
            now += .milliseconds(20)
            plane.advance(to: now)
            var sent = 0
            while plane.nextPacket() != nil { sent += 1 }
            while plane.nextEvent() != nil {}
            precondition(sent == parties, "every party gets a packet a tick")
        }
        return Double(bench_thread_cpu() - start) / 1_000 / Double(ticks)
    }
    _ = run(100)
    let before = plane.counts
    let figures = (0..<5).map { _ in run(ticks) }.sorted()
    let lost = plane.counts.concealed - before.concealed
    precondition(lost == 0, "the room played \(lost) packets less than it was sent")
    return figures[2]
}
