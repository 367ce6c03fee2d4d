import Base
import Codecs
import Conference
import MediaControl
import RTP
import Testing

/// G.711 mu-law at another clock: a codec with a rate of its own, in pure Swift.
func muLaw(at rate: Int) -> AudioCodec {
    AudioCodec(
        encoding: "PCMU", clockRate: rate, sampleRate: rate, makeEncoder: { _ in RatedEncoder(rate) },
        makeDecoder: { _ in RatedDecoder(rate) })
}

final class RatedEncoder: AudioEncoder {
    let sampleRate: Int
    private let inner = G711Encoder(.muLaw)
    init(_ rate: Int) { sampleRate = rate }
    func encode(_ samples: UnsafeBufferPointer<Int16>, into payload: UnsafeMutableRawBufferPointer) -> Int {
        inner.encode(samples, into: payload)
    }
}

final class RatedDecoder: AudioDecoder {
    let sampleRate: Int
    private let inner = G711Decoder(.muLaw)
    init(_ rate: Int) { sampleRate = rate }
    var packetSamples: Int { inner.packetSamples }
    func decode(_ payload: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        inner.decode(payload, into: samples)
    }
    func conceal(into samples: UnsafeMutableBufferPointer<Int16>) { inner.conceal(into: samples) }
}

/// A party with a codec, a tone and an ear.
final class TestParty {
    let slot: Int
    let id: MediaLegID
    let format: MediaFormat
    let rate: Int
    let encoder: any AudioEncoder
    let decoder: any AudioDecoder
    let events: MediaFormat
    /// What it wishes to get.
    var packetTime = 20
    /// nil: it sends silence; `isSending` false: nothing at all.
    var tone: ToneGenerator?
    var isSending = true
    /// Which of its packets are lost or late; by number.
    var fate: (Int) -> Int? = { _ in 0 }
    var dtmf: DTMFSender
    private(set) var heard: [Int16] = []
    private(set) var received: [RTPPacket] = []
    private var number = 0
    private let ssrc: UInt32
    private var late: [(due: Int, bytes: [UInt8])] = []

    init(_ slot: Int, _ codec: AudioCodec, type: UInt8 = 96, tone: Int?, amplitude: Double = 8_000) {
        self.slot = slot
        id = MediaLegID(UInt64(slot) + 1_000)
        format = codec.format(payloadType: type)
        rate = codec.sampleRate
        encoder = codec.makeEncoder(format)!
        decoder = codec.makeDecoder(format)!
        events = MediaFormat(payloadType: 101, encoding: "telephone-event", clockRate: format.clockRate, parameters: "0-16")
        dtmf = DTMFSender(clockRate: format.clockRate)
        self.tone = tone.map { ToneGenerator($0, sampleRate: codec.sampleRate, amplitude: amplitude) }
        ssrc = UInt32(slot) &* 0x0101_0101 &+ 77
    }

    func remote(epoch: UInt32 = 1, comfortNoise: Bool = false, receives: Bool = true, sends: Bool = true) -> MediaRemote {
        let noise: [MediaFormat] = comfortNoise ? [.comfortNoise] : []
        return MediaRemote(
            epoch: epoch, rtp: nil, receives: receives, sends: sends, formats: [format, events] + noise, packetTime: packetTime)
    }

    /// The packets that arrive in this tick.
    func packets() -> [[UInt8]] {
        let stamp = UInt32(number * format.clockRate / 50)
        var samples = tone?.next(rate / 50) ?? [Int16](repeating: 0, count: rate / 50)
        if tone == nil { samples[0] = 0 }
        if isSending {
            let packet: RTPPacket
            if let event = dtmf.next(timestamp: stamp) {
                packet = RTPPacket(
                    marker: event.marker, payloadType: 101, sequenceNumber: UInt16(truncatingIfNeeded: number),
                    timestamp: event.timestamp, ssrc: ssrc, payload: event.payload)
            } else {
                packet = RTPPacket(
                    payloadType: format.payloadType, sequenceNumber: UInt16(truncatingIfNeeded: number), timestamp: stamp,
                    ssrc: ssrc,
                    payload: encoder.encode(samples))
            }
            if let delay = fate(number) { late.append((due: number + delay, bytes: packet.bytes)) }
        }
        let due = late.filter { $0.due <= number }.map(\.bytes)
        late.removeAll { $0.due <= number }
        number += 1
        return due
    }

    func hear(_ bytes: [UInt8]) {
        guard let packet = RTPPacket(parsing: bytes) else { return }
        received.append(packet)
        if packet.payloadType == format.payloadType { heard += decoder.decode(packet.payload) }
    }

    func forget() {
        heard = []
        received = []
    }

    func share(of frequency: Int) -> Double { ToneMeter.share(of: frequency, in: heard, sampleRate: rate) }

    /// Whether a short tone was among what was heard: 60 ms that are hardly anything else.
    func heardBurst(of frequency: Int) -> Bool {
        let window = rate * 60 / 1_000
        return stride(from: 0, to: max(0, heard.count - window), by: window / 6).contains { start in
            let part = heard[start..<(start + window)]
            return ToneMeter.level(part) > 500 && ToneMeter.share(of: frequency, in: part, sampleRate: rate) > 0.9
        }
    }
}

/// Parties around a sound plane, in virtual time.
final class SoundRig {
    var plane: SoundPlane
    var parties: [TestParty] = []
    var now = Instant(seconds: 1_700_000_000)
    private(set) var events: [MediaEvent] = []
    private(set) var recordings: [RecordingEvent] = []

    init(settings: SoundSettings = SoundSettings(), codecs: CodecRegistry = CodecRegistry(), speech: SpeechProvider? = nil) {
        var codecs = codecs
        codecs.add(muLaw(at: 16_000))
        codecs.add(muLaw(at: 48_000))
        plane = SoundPlane(settings: settings, codecs: codecs, speech: speech, entropy: Entropy(labSeed: 7))
    }

    @discardableResult
    func join(
        _ party: TestParty, room: String = "8000", account: String? = nil, pin: String? = nil, isOwner: Bool = false,
        records: Bool = false, comfortNoise: Bool = false
    ) -> TestParty {
        let entry = RoomEntry(
            room: room, party: "party\(party.slot)", account: account, pin: pin, isOwner: isOwner, records: records)
        return serve(party, .room(entry), comfortNoise: comfortNoise)
    }

    @discardableResult
    func serve(_ party: TestParty, _ service: MediaService, comfortNoise: Bool = false) -> TestParty {
        plane.serve(
            slot: party.slot, id: party.id, service: service, remote: party.remote(comfortNoise: comfortNoise), at: now)
        parties.append(party)
        fetch()
        return party
    }

    func leave(_ party: TestParty) {
        plane.leave(slot: party.slot, at: now)
        parties.removeAll { $0 === party }
        fetch()
    }

    func run(seconds: Double) {
        for _ in 0..<Int(seconds * 50) {
            for party in parties { for packet in party.packets() { deliver(packet, from: party.slot) } }
            now += .milliseconds(20)
            plane.advance(to: now)
            fetch()
        }
    }

    func deliver(_ packet: [UInt8], from slot: Int) {
        guard let header = RTPHeader(packet) else { return }
        packet[header.payloadStart..<header.payloadEnd].withUnsafeBytes {
            plane.packet(slot: slot, header: header, payload: $0, at: now)
        }
    }

    func fetch() {
        while let packet = plane.nextPacket() { parties.first { $0.slot == packet.slot }?.hear(packet.bytes) }
        while let event = plane.nextEvent() { events.append(event) }
        while let recording = plane.nextRecording() { recordings.append(recording) }
    }

    func dial(_ digits: String, _ party: TestParty) {
        party.dtmf.dial(digits)
        run(seconds: 0.2 + 0.18 * Double(digits.count))
    }

    // MARK: - What was told

    func finished(_ party: TestParty) -> MediaEnd? {
        for case .finished(party.id, let reason) in events { return reason }
        return nil
    }

    func digits(_ party: TestParty) -> String {
        var text = ""
        for case .digit(party.id, let digit) in events { text.append(digit) }
        return text
    }

    var roomEvents: [RoomEvent] {
        events.compactMap { event in
            if case .room(_, let event) = event { return event }
            return nil
        }
    }

    var speaking: [[Int]] {
        roomEvents.compactMap { event in
            guard case .speaking(let ids) = event else { return nil }
            return ids.map { Int($0.value) - 1_000 }
        }
    }
}
