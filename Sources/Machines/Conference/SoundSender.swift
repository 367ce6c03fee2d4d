import Base
import Codecs
import RTP

/// The stream a party gets: its codec and its numbers (RFC 3550 5.1).
struct SoundSender: Sendable {
    let ssrc: UInt32
    private(set) var format: MediaFormat
    private(set) var codec: AudioCodec
    /// RFC 3389, where the party takes it at our clock.
    private(set) var comfortNoise: UInt8?
    private(set) var packets: UInt32 = 0
    private(set) var octets: UInt32 = 0
    private var own: (any AudioEncoder)?
    private var sequence: UInt16
    /// The timestamp of `epoch`, a tick.
    private var base: UInt32
    private var epoch: UInt64
    private var step: UInt32
    private var isTalking = false
    /// Ticks since comfort noise was sent; nil: it is not sent now.
    private var sinceNoise: Int?
    /// Ticks a packet. More than one only where payloads can be put end to end (RFC 3551 4.2): G.711, G.722.
    private var packetTicks = 1
    /// Payloads waiting for the rest of their packet, and the timestamp of the first.
    private var pending: [UInt8] = []
    private var pendingTicks = 0
    private var pendingStamp: UInt32 = 0

    init(_ format: MediaFormat, _ codec: AudioCodec, tick: UInt64, _ entropy: inout Entropy) {
        let random = entropy.next()
        ssrc = UInt32(truncatingIfNeeded: random)
        // The upper half is left for counting: SRTP's roll-over is at its best far from a wrap.
        sequence = UInt16(truncatingIfNeeded: random >> 32) & 0x7fff
        base = UInt32(truncatingIfNeeded: entropy.next())
        epoch = tick
        self.format = format
        self.codec = codec
        step = UInt32(format.clockRate / 50)
    }

    var sampleRate: Int { codec.sampleRate }

    /// Another format from this tick on; the numbers go on.
    mutating func change(to format: MediaFormat, _ codec: AudioCodec, tick: UInt64) {
        guard format != self.format else { return }
        base = timestamp(at: tick)
        epoch = tick
        self.format = format
        self.codec = codec
        step = UInt32(format.clockRate / 50)
        own = nil
    }

    /// What else was agreed. `packetTime`: milliseconds the party wishes; it gets 20, 40 or 60.
    mutating func agree(_ formats: [MediaFormat], packetTime: Int) {
        comfortNoise = formats.first { $0.isComfortNoise && $0.clockRate == format.clockRate }?.payloadType
        sinceNoise = nil
        let isPlain = ["PCMU", "PCMA", "G722"].contains(codec.encoding.uppercased())
        packetTicks = isPlain ? max(1, min(3, packetTime / 20)) : 1
        pendingTicks = 0
    }

    func timestamp(at tick: UInt64) -> UInt32 { base &+ UInt32(truncatingIfNeeded: tick &- epoch) &* step }

    /// The encoder of what this party alone hears; nil: there is none after all.
    mutating func encoder() -> (any AudioEncoder)? {
        if own == nil { own = codec.makeEncoder(format) }
        return own
    }

    /// The party hears what others hear: an encoder that missed so much would predict from what its decoder has forgotten. A new one
    /// begins with a frame that predicts nothing.
    mutating func dropEncoder() { if own != nil { own = nil } }

    /// A packet around a payload; nil: it waits for its packet's rest.
    mutating func packet(_ payload: UnsafeRawBufferPointer, tick: UInt64) -> [UInt8]? {
        sinceNoise = nil
        guard packetTicks > 1 else {
            defer { isTalking = true }
            return packet(payload, type: format.payloadType, marker: !isTalking, stamp: timestamp(at: tick))
        }
        if pendingTicks == 0 {
            pending.removeAll(keepingCapacity: true)
            pendingStamp = timestamp(at: tick)
        }
        pending += payload
        pendingTicks += 1
        return pendingTicks < packetTicks ? nil : takePending()
    }

    /// Comfort noise in the place of quiet: at once, then every half second. nil: nothing is to be sent.
    mutating func quietPacket(level: UInt8, tick: UInt64) -> [UInt8]? {
        guard let comfortNoise else { return nil }
        if pendingTicks > 0 { return takePending() }
        if let since = sinceNoise, since < 25 {
            sinceNoise = since + 1
            return nil
        }
        sinceNoise = 1
        isTalking = false
        return withUnsafeBytes(of: level) { packet($0, type: comfortNoise, marker: false, stamp: timestamp(at: tick)) }
    }

    private mutating func takePending() -> [UInt8] {
        pendingTicks = 0
        defer { isTalking = true }
        let waiting = pending
        return waiting.withUnsafeBytes { packet($0, type: format.payloadType, marker: !isTalking, stamp: pendingStamp) }
    }

    /// Nothing is sent now; the next packet begins a talkspurt.
    mutating func pause() {
        isTalking = false
        sinceNoise = nil
        pendingTicks = 0
    }

    private mutating func packet(_ payload: UnsafeRawBufferPointer, type: UInt8, marker: Bool, stamp: UInt32) -> [UInt8] {
        let number = sequence
        sequence &+= 1
        packets &+= 1
        octets &+= UInt32(truncatingIfNeeded: payload.count)
        return [UInt8](unsafeUninitializedCapacity: 12 + payload.count) { bytes, count in
            let raw = UnsafeMutableRawBufferPointer(bytes)
            raw[0] = 0x80
            raw[1] = type & 0x7f | (marker ? 0x80 : 0)
            raw.storeBytes(of: number.bigEndian, toByteOffset: 2, as: UInt16.self)
            raw.storeBytes(of: stamp.bigEndian, toByteOffset: 4, as: UInt32.self)
            raw.storeBytes(of: ssrc.bigEndian, toByteOffset: 8, as: UInt32.self)
            UnsafeMutableRawBufferPointer(rebasing: raw[12...]).copyMemory(from: payload)
            count = 12 + payload.count
        }
    }
}
