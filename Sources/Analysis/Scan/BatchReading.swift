import Capture

/// The SIP messages of a batch, read one by one: what another thread can do before the analysis takes them in their order.
public struct BatchReading: Sendable {
    /// Of each record that holds SIP, in their order; nil where that does not begin with a start line.
    private(set) var messages: ContiguousArray<MessageFacts?> = []

    public init() {}

    /// Reads a batch in place of the one before.
    public mutating func read(_ batch: borrowing PayloadBatch) {
        messages.removeAll(keepingCapacity: true)
        for index in batch.records.indices where batch.records[index].content == .sip {
            let record = batch.records[index]
            messages.append(Self.facts(record, batch.payload(of: record)))
        }
    }

    static func facts(_ record: PayloadRecord, _ bytes: Bytes) -> MessageFacts? {
        MessageFacts(bytes, isCut: !record.flags.isDisjoint(with: cut))
    }

    /// What leaves a message incomplete.
    static let cut: PayloadRecord.Flags = [.truncated, .cutShort, .lengthLies]
}
