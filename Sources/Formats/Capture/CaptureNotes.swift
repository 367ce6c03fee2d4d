/// What a capture could not show or the decoder could not read: the ground of "capture.blind".
///
/// Everything here is a count of something real; zero means it did not happen.
public struct CaptureNotes: Hashable, Sendable {
    /// One place where the file is not what it should be.
    public struct Damage: Hashable, Sendable {
        public enum Reason: Hashable, Sendable {
            /// A record says it holds more octets than a packet can have.
            case recordLength(UInt32)
            /// The file ends within a record: the writer was stopped, or the copy was cut.
            case cutOff(missing: Int)
            /// A pcapng block whose two lengths differ, or that is too short for what it is.
            case block(type: UInt32)
            /// A packet of an interface that was never described.
            case interface(UInt32)
            /// Octets skipped until records made sense again.
            case skipped(octets: UInt64)
            /// No capture file at all.
            case magic(UInt32)
            /// The compressed data around it is damaged or cut off.
            case compression
            /// The compressed data expands beyond belief: the rest was not read.
            case bomb
            /// A HEP packet whose lengths do not fit.
            case hep
        }

        public var reason: Reason
        /// Octets into the file (of the uncompressed data).
        public var offset: UInt64
        /// Frames counted before it.
        public var afterFrame: UInt64
    }

    public init() {}

    /// Frames in the file, read or not.
    public var frames: UInt64 = 0
    /// First and last time, nanoseconds since 1970; nil without frames.
    public var firstTime: Int64?
    public var lastTime: Int64?
    /// Frames that bear an earlier time than one before them.
    public var backwards: UInt64 = 0
    /// Frames of which the capture holds only the head (snap length).
    public var truncated: UInt64 = 0
    /// Of those, frames whose payload is SIP, STUN, RTP or RTCP by its first octets and incomplete.
    public var truncatedPayloads: UInt64 = 0
    /// The snap length the file names; 0 when it names none.
    public var snapLength: UInt32 = 0
    /// Frames by link type, those not understood included.
    public var unknownLinkTypes: [UInt32: UInt64] = [:]
    /// Frames whose link layer carries no IP (ARP, spanning tree, ...): no loss.
    public var notIP: UInt64 = 0
    /// Frames of a wireless network that are encrypted, and those heard a second time.
    public var encryptedRadio: UInt64 = 0
    public var repeatedRadio: UInt64 = 0
    /// Packets whose IP or transport headers are cut short or contradict themselves.
    public var malformed: UInt64 = 0
    /// Packets of other transports, by IP protocol number.
    public var otherProtocols: [UInt8: UInt64] = [:]
    /// What the capturing kernel says it dropped (pcapng interface statistics and drop counts); nil when the file does not say.
    public var drops: UInt64?
    /// IP fragments seen, datagrams put together, and datagrams that stayed incomplete.
    public var fragments: UInt64 = 0
    public var reassembled: UInt64 = 0
    public var incompleteFragments: UInt64 = 0
    /// TCP: segments, connections, those that began before the capture.
    public var segments: UInt64 = 0
    public var connections: UInt64 = 0
    public var midStream: UInt64 = 0
    public internal(set) var tls = TLSNotes()
    /// Connections that were given up because too many were open.
    public var evictedConnections: UInt64 = 0
    /// Holes in TCP streams, and octets missing in them.
    public var gaps: UInt64 = 0
    public var gapOctets: UInt64 = 0
    /// Octets of SIP streams that were no SIP.
    public var unframedOctets: UInt64 = 0
    /// WebSocket messages that a compression extension hides.
    public var compressedWebSocket: UInt64 = 0
    public var webSockets: UInt64 = 0
    /// Payloads by what they look like.
    public var payloads: [ContentGuess: UInt64] {
        var result: [ContentGuess: UInt64] = [:]
        for (index, count) in contents.enumerated() where count > 0 {
            if let guess = ContentGuess(rawValue: UInt8(index)) { result[guess] = count }
        }
        return result
    }
    /// pcapng: sections, interfaces, blocks that are not packets, blocks of decryption secrets.
    public var sections: UInt64 = 0
    public var interfaces: UInt64 = 0
    public var otherBlocks: UInt64 = 0
    public var secrets: UInt64 = 0
    /// HEP packets that carry no payload read here (statistics, compressed payloads).
    public var hepOther: UInt64 = 0
    /// The first damages; `damages` counts all.
    public private(set) var damage: [Damage] = []
    public private(set) var damages: UInt64 = 0

    /// Most damages kept with their places.
    public static let mostDamage = 32

    package var contents = ContiguousArray<UInt64>(repeating: 0, count: 10)

    /// One frame more.
    @inline(__always)
    mutating func count(at time: Int64) {
        frames &+= 1
        guard let last = lastTime else {
            firstTime = time
            lastTime = time
            return
        }
        if time < last { backwards &+= 1 } else { lastTime = time }
        if let first = firstTime, time < first { firstTime = time }
    }

    /// Takes up what another part of the same source could not show.
    package mutating func add(_ other: CaptureNotes) {
        frames &+= other.frames
        firstTime = [firstTime, other.firstTime].compactMap { $0 }.min()
        lastTime = [lastTime, other.lastTime].compactMap { $0 }.max()
        malformed &+= other.malformed
        hepOther &+= other.hepOther
        for index in contents.indices { contents[index] &+= other.contents[index] }
        for damage in other.damage where self.damage.count < Self.mostDamage { self.damage.append(damage) }
        damages &+= other.damages
    }

    package mutating func note(_ reason: Damage.Reason, at offset: UInt64) {
        damages &+= 1
        guard damage.count < Self.mostDamage else { return }
        damage.append(Damage(reason: reason, offset: offset, afterFrame: frames))
    }
}
