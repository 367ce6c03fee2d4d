import Base
import RTP

/// What one side sends, made into 20 ms of samples a tick: order, digits, pauses, losses, codecs, rates. For a call's audio as for a room's.
///
/// Its owner has judged where a packet comes from. Each tick makes samples, whether they are wanted or not, so that nothing piles up.
public struct AudioReceiver: Sendable {
    /// What became of a packet.
    public enum Arrival: Hashable, Sendable {
        case sound
        /// The first packet of a digit that arrived.
        case digit(Character)
        /// A part of a digit that was told already, a late or repeated packet, or one without a payload.
        case nothing
        case wrongType
        /// More than a tick can need.
        case flood
    }

    /// What packets of a payload type carry.
    public enum Sort: Hashable, Sendable {
        case audio
        /// telephone-event (RFC 4733).
        case events
        /// Comfort noise (RFC 3389).
        case noise
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
    public let rate: Int
    /// Samples a tick.
    public let count: Int
    /// A packet came that was not refused.
    public private(set) var hasHeard = false
    /// A packet's turn has come: what is made is more than the silence before the first.
    public private(set) var hasPlayed = false
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

    /// - Parameters:
    ///   - rate: samples a second of what comes out; what comes in is converted where its codec has another.
    ///   - noiseSeed: picks the noise of pauses; any number.
    public init(rate: Int, noiseSeed: UInt64) {
        self.rate = rate
        count = rate / 50
        noise = ComfortNoise(seed: noiseSeed)
        samples = [Int16](repeating: 0, count: AudioLimits.samples + 2 * count)
    }

    /// What was agreed; decoders of formats that stay are kept.
    public mutating func accept(_ formats: [MediaFormat], _ codecs: CodecRegistry) {
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

    /// nil: packets of that payload type were not agreed on.
    public func sort(of payloadType: UInt8) -> Sort? {
        switch kinds[payloadType] {
        case .audio: .audio
        case .events: .events
        case .noise: .noise
        case nil: nil
        }
    }

    /// What is held between arrival and playing; nil before the first packet.
    public var delay: Duration? { buffer?.target }

    /// False before the first packet, and in a pause: the noise of a pause is no speech, however loud the line.
    public var isSpeech: Bool { buffer != nil && !isPausing }

    public mutating func insert(_ header: RTPHeader, _ payload: UnsafeRawBufferPointer, at now: Instant) -> Arrival {
        guard arrived < Self.mostPackets else { return .flood }
        arrived += 1
        var clock = buffer?.settings.clockRate ?? 8_000
        var timestamp = header.timestamp
        var digit: Character?
        switch kinds[header.payloadType] {
        case nil: return .wrongType
        case .audio(let format, _):
            guard payload.count > 0 else { return .nothing }
            clock = format.clockRate
        case .noise: break
        case .events(let format):
            guard let event = TelephoneEvent(Array(payload.prefix(4))[...]) else { return .nothing }
            digit = digits.receive(event, timestamp: timestamp)
            guard format.clockRate == clock else { return digit.map { .digit($0) } ?? .nothing }
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

    /// Makes the coming tick's samples; silence where nothing is to be had.
    public mutating func tick(at now: Instant) {
        arrived = 0
        discardPlayed()
        guard buffer != nil else { return }
        var takes = 0
        while held < count, takes < Self.mostTakes, takePacket(at: now) { takes += 1 }
        if held < count {
            fill(count - held) { $0.update(repeating: 0) }
        }
    }

    /// The current tick's samples, the first `count`.
    public var frame: [Int16] { samples }

    /// The same in place.
    public func withSamples(_ body: (UnsafePointer<Int16>) -> Void) {
        samples.withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    /// Since they were asked for last; nil: nothing.
    public mutating func takeCounts() -> (concealed: UInt64, undecodable: UInt64)? {
        guard concealed | undecodable > 0 else { return nil }
        defer { (concealed, undecodable) = (0, 0) }
        return (concealed, undecodable)
    }

    /// What is buffered is not to be heard any more: the party holds.
    public mutating func drop() {
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
            hasPlayed = true
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
