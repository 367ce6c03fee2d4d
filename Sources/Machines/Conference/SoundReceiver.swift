import Base
import Codecs
import RTP

/// What a party sends, made into 20 ms of samples a tick: order, digits, pauses, losses, codecs, rates.
struct SoundReceiver: Sendable {
    /// What became of a packet.
    enum Arrival: Sendable {
        case sound
        case digit(Character)
        /// A part of a digit that was told already, or a late or repeated packet.
        case nothing
        /// No codec is agreed yet, or any more.
        case unserved
        /// Our own SSRC.
        case looped
        /// The party had said that it sends nothing.
        case unexpected
        case wrongType
        case flood
    }

    private enum Kind: Sendable {
        case audio(MediaFormat, AudioCodec)
        case events(MediaFormat)
        case noise
    }

    /// Packets of one tick beyond which more are not looked at: ten times as many as 5 ms packets need.
    private static let mostPackets = 40
    /// Packets taken for one tick at most, whatever little they hold.
    private static let mostTakes = 8

    /// Samples a second of what comes out.
    let rate: Int
    /// Samples a tick.
    let count: Int
    private(set) var hasHeard = false
    private(set) var voice = VoiceActivity()
    private var concealed: UInt64 = 0
    private var undecodable: UInt64 = 0
    private var kinds: [UInt8: Kind] = [:]
    private var decoders: [UInt8: any AudioDecoder] = [:]
    private var latest: (any AudioDecoder)?
    private var buffer: JitterBuffer?
    private var digits = DTMFReceiver()
    private var noise: ComfortNoise
    private var isPausing = false
    private var arrived = 0
    /// Only where a packet's codec has another rate than what comes out.
    private var resampler: Resampler?
    private var decoded: [Int16] = []
    /// The first `count` are the current tick's; what a longer packet left over follows.
    private var samples: [Int16]
    private var held = 0

    init(rate: Int, noiseSeed: UInt64) {
        self.rate = rate
        count = rate / 50
        noise = ComfortNoise(seed: noiseSeed)
        samples = [Int16](repeating: 0, count: AudioLimits.samples + 2 * count)
    }

    /// What was agreed; decoders of formats that stay are kept.
    mutating func accept(_ formats: [MediaFormat], _ codecs: CodecRegistry) {
        var new: [UInt8: Kind] = [:]
        for format in formats.prefix(32) where new[format.payloadType] == nil {
            if format.isTelephoneEvent {
                new[format.payloadType] = .events(format)
            } else if format.isComfortNoise {
                new[format.payloadType] = .noise
            } else if let codec = codecs.codec(for: format) {
                new[format.payloadType] = .audio(format, codec)
            }
        }
        // Comfort noise has a number of its own, and phones send it unasked.
        if new[13] == nil { new[13] = .noise }
        for (type, kind) in kinds {
            guard case .audio(let format, _) = kind else { continue }
            if case .audio(format, _)? = new[type] { continue }
            decoders[type] = nil
        }
        kinds = new
    }

    mutating func insert(_ header: RTPHeader, _ payload: UnsafeRawBufferPointer, at now: Instant) -> Arrival {
        guard arrived < Self.mostPackets else { return .flood }
        arrived += 1
        var clock = buffer?.settings.clockRate ?? 8_000
        var timestamp = header.timestamp
        var digit: Character?
        switch kinds[header.payloadType] {
        case nil: return .wrongType
        case .audio(let format, _): clock = format.clockRate
        case .noise: break
        case .events(let format):
            guard payload.count >= 4 else { return .nothing }
            digit = digits.receive(payload, timestamp: timestamp)
            guard format.clockRate == clock, let event = TelephoneEvent(Array(payload.prefix(4))[...]) else {
                return digit.map { .digit($0) } ?? .nothing
            }
            // All packets of an event carry its start: where it stands now is what orders it among the audio.
            timestamp &+= UInt32(event.duration) &- UInt32(clock / 50)
        }
        hasHeard = true
        if buffer?.settings.clockRate != clock { buffer = JitterBuffer(.init(clockRate: clock)) }
        let arrival = buffer!.insert(
            ssrc: header.ssrc, sequence: header.sequenceNumber, timestamp: timestamp, payloadType: header.payloadType,
            payload: Array(payload), at: now)
        if let digit { return .digit(digit) }
        switch arrival {
        case .queued, .restarted: return .sound
        case .late, .duplicate, .strange: return .nothing
        }
    }

    /// Makes the coming tick's samples. `isListened` false: they are made all the same, so that nothing piles up, but count as silence.
    mutating func tick(at now: Instant, isListened: Bool) {
        arrived = 0
        discardPlayed()
        guard buffer != nil else {
            voice.rest()
            return
        }
        var takes = 0
        while held < count, takes < Self.mostTakes, takePacket(at: now) { takes += 1 }
        if held < count {
            fill(count - held) { $0.update(repeating: 0) }
        }
        // The noise of a pause is no speech, however loud the line.
        guard isListened, !isPausing else {
            voice.rest()
            return
        }
        voice.hear(level: samples.withUnsafeBufferPointer { MixingLoops.level($0.baseAddress!, count) })
    }

    /// The current tick's samples, the first `count`.
    var frame: [Int16] { samples }

    /// The same in place.
    func withSamples<Result>(_ body: (UnsafePointer<Int16>) -> Result) -> Result {
        samples.withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    /// Since they were asked for last; nil: nothing.
    mutating func takeCounts() -> (concealed: UInt64, undecodable: UInt64)? {
        guard concealed | undecodable > 0 else { return nil }
        defer { (concealed, undecodable) = (0, 0) }
        return (concealed, undecodable)
    }

    /// What is buffered is not to be heard any more: the party holds.
    mutating func drop() {
        buffer?.reset()
        digits.reset()
        held = 0
    }

    private mutating func discardPlayed() {
        let left = max(0, held - count)
        if left > 0 {
            samples.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: $0.baseAddress! + count, count: left) }
        }
        held = left
    }

    /// False: nothing more can be had for this tick.
    private mutating func takePacket(at now: Instant) -> Bool {
        switch buffer!.take(at: now) {
        case .packet(let type, let payload, _):
            switch kinds[type] {
            case .audio(let format, let codec):
                isPausing = false
                return decode(payload, type, format, codec)
            case .noise:
                isPausing = noise.update(payload)
                return false
            case .events:
                // The key's tone is not for the others' ears.
                fill(min(count - held, count)) { $0.update(repeating: 0) }
                return true
            case nil: return true
            }
        case .lost:
            guard !isPausing, let latest else { return pauseNoise() }
            concealed += 1
            conceal(latest)
            return true
        case .dry: return pauseNoise()
        }
    }

    private mutating func pauseNoise() -> Bool {
        guard isPausing else { return false }
        let missing = count - held
        samples.withUnsafeMutableBufferPointer {
            noise.next(into: UnsafeMutableBufferPointer(rebasing: $0[held..<(held + missing)]))
        }
        held += missing
        return true
    }

    private mutating func decode(_ payload: [UInt8], _ type: UInt8, _ format: MediaFormat, _ codec: AudioCodec) -> Bool {
        if decoders[type] == nil { decoders[type] = codec.makeDecoder(format) }
        guard let decoder = decoders[type] else { return true }
        latest = decoder
        let room = samples.count - held
        var written = 0
        if decoder.sampleRate == rate {
            written = samples.withUnsafeMutableBufferPointer { samples in
                payload.withUnsafeBytes {
                    decoder.decode(
                        $0, into: UnsafeMutableBufferPointer(rebasing: samples[held..<(held + min(room, AudioLimits.samples))]))
                }
            }
            held += written
        } else {
            let raw = decoder.decode(payload)
            written = raw.count
            append(raw, from: decoder.sampleRate)
        }
        if written == 0 { undecodable += 1 }
        return true
    }

    private mutating func conceal(_ decoder: any AudioDecoder) {
        let length = min(decoder.packetSamples, AudioLimits.samples)
        if decoder.sampleRate == rate {
            let length = min(length, samples.count - held)
            samples.withUnsafeMutableBufferPointer {
                decoder.conceal(into: UnsafeMutableBufferPointer(rebasing: $0[held..<(held + length)]))
            }
            held += length
        } else {
            append(decoder.decode(nil), from: decoder.sampleRate)
        }
    }

    private mutating func append(_ raw: [Int16], from: Int) {
        guard from > 0 else { return }
        if resampler?.from != from { resampler = Resampler(from: from, to: rate) }
        let converted = resampler!.process(raw)
        let length = min(converted.count, samples.count - held)
        fill(length) { buffer in for index in 0..<length { buffer[index] = converted[index] } }
    }

    private mutating func fill(_ length: Int, _ body: (UnsafeMutableBufferPointer<Int16>) -> Void) {
        samples.withUnsafeMutableBufferPointer { body(UnsafeMutableBufferPointer(rebasing: $0[held..<(held + length)])) }
        held += length
    }
}
