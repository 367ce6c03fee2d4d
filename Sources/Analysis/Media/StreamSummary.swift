import Base
import RTP

/// One RTP stream of one direction (an SSRC between two endpoints, RFC 3550 8) with its quality.
public struct StreamSummary: Sendable {
    /// Who spoke, of the two ends that signalled the call.
    public enum Speaker: String, Hashable, Sendable { case caller, callee }

    /// How losses lie (RFC 3611 4.7.2): bursts and the gaps between them.
    public struct Bursts: Hashable, Sendable {
        /// Bursts of two losses or more.
        public var count: Int
        /// Mean length in packets.
        public var length: Double
        /// Share of packets lost within bursts and within gaps, 0...1.
        public var density: Double
        public var gapDensity: Double
        /// The longest run of losses, in packets.
        public var longestRun: Int
        /// BurstR of G.107; 1: random.
        public var ratio: Double
    }

    /// A stretch of the stream's time line.
    public struct Bin: Hashable, Sendable {
        /// Packets that should have come, and of them the lost.
        public var expected: UInt32
        public var lost: UInt32
        /// The highest running jitter within, milliseconds.
        public var jitter: Float

        public init(expected: UInt32, lost: UInt32, jitter: Float) {
            self.expected = expected
            self.lost = lost
            self.jitter = jitter
        }
    }

    /// What the receiver itself reported last of this stream (RFC 3550 6.4).
    public struct RemoteView: Hashable, Sendable {
        public var place: EvidencePlace
        public var reports: Int
        public var packetsLost: Int
        /// Of the worst interval, 0...1.
        public var worstFractionLost: Double
        /// Milliseconds.
        public var jitter: Double
        /// From where the capture was taken to the receiver and back; nil where no sender report was answered.
        public var roundTrip: Duration?
    }

    public var ssrc: UInt32
    public var source: Endpoint
    public var destination: Endpoint
    public var vantage: Vantage
    /// Index in `AnalysisResult.dialogs`; nil where no signalling names the stream.
    public var dialog: Int?
    /// Nil where no signalling tells.
    public var speaker: Speaker?
    /// Different packets that came.
    public var packets: Int
    public var first: Instant
    public var last: Instant
    /// Frames of the first and the last packet.
    public var firstPlace: EvidencePlace
    public var lastPlace: EvidencePlace

    /// As rtpmap names it: `PCMU`, `opus`; nil for a dynamic payload type that no signalling explains.
    public var codec: String?
    public var payloadType: UInt8
    /// Hz of the RTP timestamp; an estimate where `codec` is nil.
    public var clockRate: Int
    /// Between two packets, as the timestamps say; nil for video and for too few packets.
    public var packetTime: Duration?
    public var isEncrypted: Bool

    public var expected: Int
    public var lost: Int
    /// Lost while nothing at all was captured: the capture's loss, not the path's. Part of `lost`.
    public var lostByCapture: Int
    public var bursts: Bursts
    public var outOfOrder: Int
    public var duplicates: Int
    /// Came more than 100 ms later than the promptest of its time: too late for most jitter buffers.
    public var late: Int
    /// How much later than the promptest the latest of them came, milliseconds; 0 where none was late.
    public var mostLate: Double
    /// Running jitter of RFC 3550 A.8 at the end, its mean and its highest value, milliseconds.
    public var jitter: Double
    public var meanJitter: Double
    public var maximumJitter: Double
    /// How often numbers or timestamps started anew.
    public var restarts: Int
    public var longestSilence: Duration
    /// Silence suppression was seen: comfort noise, or talk spurts with nothing lost between.
    public var suppressesSilence: Bool
    /// E-model rating, 0...93.2, of the codec with this loss; nil where the codec has no known values, or for video.
    public var rating: Double?
    /// Mean opinion score, 1...4.41.
    public var meanOpinionScore: Double?
    public var remote: RemoteView?
    /// Of its call; nil where that does not tell.
    public var protection: MediaProtection?
    /// From `first` on, each `binWidth` long.
    public var bins: [Bin]
    public var binWidth: Duration

    /// Share of packets that were lost on the path, 0...1; what the capture itself lost is left out.
    public var lossRate: Double {
        let counted = expected - lostByCapture
        return counted <= 0 ? 0 : min(1, Double(max(0, lost - lostByCapture)) / Double(counted))
    }

    /// Share of packets that came too late to be played, 0...1.
    public var lateRate: Double { expected <= 0 ? 0 : min(1, Double(late) / Double(expected)) }
}
