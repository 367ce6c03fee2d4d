import Base
import Capture
import Redaction

/// The second pass: the frames that a plan takes, redacted where that is wished, as a pcap file.
public struct ExcerptWriter: ~Copyable {
    private let plan: ExcerptPlan
    private var redactor: PacketRedactor?
    /// Link type of the file that comes out; nil until the first frame decides.
    private var link: UInt32?
    /// Frames written so far.
    public private(set) var count = 0
    /// Frames of another link type whose IP packet could not be found.
    public private(set) var left = 0

    /// Redacts if the plan does.
    public init(_ plan: ExcerptPlan) {
        self.plan = plan
        redactor = plan.redactor.map { PacketRedactor($0) }
    }

    /// Octets to be appended to the file. The batch must have been decoded with `keepsFrames`.
    public mutating func octets(_ batch: borrowing PayloadBatch) -> [UInt8] {
        var out: [UInt8] = []
        for span in batch.frames {
            guard span.linkType == link ?? span.linkType, let type = LinkType(rawValue: span.linkType) else {
                // Only raw IP can hold frames of several kinds of links, and it is too late for that.
                if plan.takes(span.number, nil) { left += 1 }
                continue
            }
            var frame = batch.bytes(of: span)
            guard plan.takes(span.number, PacketRedactor.connection(frame, type)) else { continue }
            if link == nil {
                link = span.linkType
                out += PcapWriter(link: span.linkType).bytes
            }
            redactor?.redact(&frame, link: type, plan.messages[span.number] ?? [])
            out += PcapWriter.record(captured: frame.count, wire: span.wire, at: span.time)
            out += frame
            count += 1
        }
        return out
    }

    /// A file in any case: its head, when no frame was written.
    public func ending() -> [UInt8] { link == nil ? PcapWriter().bytes : [] }
}
