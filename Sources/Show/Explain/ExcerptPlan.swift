import Base
import Capture
import Redaction

/// The first of two passes over a capture that is to be excerpted: which frames are taken, and what stands in for messages that several
/// frames carry.
public struct ExcerptPlan: Sendable {
    let selection: ExcerptSelection
    /// Frames taken, the segments of whole connections apart.
    private(set) var frames: Set<UInt64>
    /// Messages by the frames that carry parts of them; only where there is redaction.
    private(set) var messages: [UInt64: [PacketRedactor.Message]] = [:]
    private(set) var redactor: Redactor?

    /// `redactor` nil: nothing is hidden.
    public init(_ selection: ExcerptSelection, redactor: Redactor?) {
        self.selection = selection
        self.redactor = redactor
        frames = selection.frames
    }

    /// A stretch of the capture, decoded.
    public mutating func add(_ batch: borrowing PayloadBatch) {
        for record in batch.records {
            let isConnection = record.flags.contains(.fromStream)
            let isWanted = selection.wants(record) || (isConnection && selection.streams.contains(record.connection))
            guard isWanted else { continue }
            let parts = batch.frames(of: record)
            if !isConnection { frames.formUnion(parts) }
            guard redactor != nil, record.content == .sip, isConnection || parts.count > 1 else { continue }
            let before = batch.bytes(of: record)
            let message = PacketRedactor.Message(
                before: before, after: redactor!.redact(message: before),
                sequence: isConnection && record.transport == .tcp ? record.sequence : nil)
            for frame in parts { messages[frame, default: []].append(message) }
        }
        for record in batch.icmp where selection.wants(record) { frames.insert(record.frame) }
    }

    /// Whether a frame is taken; `flow`: of the TCP segment that it carries.
    func takes(_ frame: UInt64, _ flow: PackedFlow?) -> Bool {
        frames.contains(frame) || flow.map { selection.streams.contains($0) } ?? false
    }
}

extension PayloadRecord {
    /// The flow of the TCP connection below.
    var connection: PackedFlow {
        PackedFlow(source: source, sourcePort, destination: destination, destinationPort, .tcp)
    }
}
