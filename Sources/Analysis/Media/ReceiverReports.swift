import Base
import Capture

/// What receivers report of the streams they get (RFC 3550 6.4), as the capture shows their RTCP.
struct ReceiverReports: Sendable {
    struct Key: Hashable, Sendable {
        var file: UInt16
        var ssrc: UInt32
    }

    struct View: Sendable {
        var reports = 0
        var packetsLost: Int32 = 0
        var worstFraction: UInt8 = 0
        var jitter: UInt32 = 0
        var highest: UInt32 = 0
        /// Who reports.
        var reporter: PackedAddress
        var reporterPort: UInt16
        var frame: UInt32 = 0
        var time: Int64 = 0
        /// Nanoseconds from here to the receiver and back.
        var roundTrip: Int64?
    }

    /// Who sends a report.
    struct Reporter: Hashable, Sendable {
        var file: UInt16
        var address: PackedAddress
        var port: UInt16
    }

    static let most = 16_384
    /// Reports in which an end says that it sends nothing: those of receivers, and a sender's without a packet (RFC 3550 6.4).
    private(set) var idle: [Reporter: Int] = [:]
    private(set) var views: [Key: View] = [:]
    private var senders: [Key: (middle: UInt32, time: Int64)] = [:]
    /// When each source first said that it leaves.
    private(set) var goodbyes: [Key: Goodbye] = [:]
    /// Ends that report of what they send and of nothing that they hear.
    private(set) var empty = EmptyReports()

    /// Reads a compound packet as far as it is sound.
    mutating func read(_ p: UnsafeRawBufferPointer, _ record: PayloadRecord, file: UInt16) {
        var at = 0
        var packets = 0
        while at + 8 <= p.count, p[at] >> 6 == 2, packets < 32 {
            packets += 1
            let length = 4 * (Int(p[at + 2]) << 8 | Int(p[at + 3])) + 4
            guard at + length <= p.count else { return }
            let count = Int(p[at] & 31)
            let type = p[at + 1]
            if packets == 1, type == 201 || type == 200 && length >= 28 && word(p, at + 20) == 0 {
                let reporter = Reporter(file: file, address: record.source, port: record.sourcePort)
                if idle[reporter] != nil || idle.count < Self.most { idle[reporter, default: 0] += 1 }
            }
            if type == 200 && length >= 28 || type == 201 && count > 0 {
                empty.note(word(p, at + 4), blocks: count, record, file: file)
            }
            if type == 200, length >= 28 {
                let key = Key(file: file, ssrc: word(p, at + 4))
                if senders[key] != nil || senders.count < Self.most {
                    senders[key] = (word(p, at + 8) << 16 | word(p, at + 12) >> 16, record.time.nanoseconds)
                }
            }
            if type == 203, count > 0, length >= 8 {
                let key = Key(file: file, ssrc: word(p, at + 4))
                if goodbyes[key] == nil, goodbyes.count < Self.most {
                    goodbyes[key] = Goodbye(
                        file: file, frame: UInt32(truncatingIfNeeded: record.frame), time: record.time.nanoseconds)
                }
            }
            if type == 200 || type == 201 {
                var block = at + (type == 200 ? 28 : 8)
                for _ in 0..<count where block + 24 <= at + length {
                    note(p, block, record, file)
                    block += 24
                }
            }
            at += length
        }
    }

    private mutating func note(_ p: UnsafeRawBufferPointer, _ at: Int, _ record: PayloadRecord, _ file: UInt16) {
        let key = Key(file: file, ssrc: word(p, at))
        var view = views[key] ?? View(reporter: record.source, reporterPort: record.sourcePort)
        guard view.reports > 0 || views.count < Self.most else { return }
        view.reports += 1
        let loss = word(p, at + 4)
        view.worstFraction = max(view.worstFraction, UInt8(loss >> 24))
        view.packetsLost = Int32(bitPattern: loss << 8) >> 8
        view.highest = word(p, at + 8)
        view.jitter = word(p, at + 12)
        view.reporter = record.source
        view.reporterPort = record.sourcePort
        view.frame = UInt32(truncatingIfNeeded: record.frame)
        view.time = record.time.nanoseconds
        let answered = word(p, at + 16)
        if answered != 0, let sender = senders[key], sender.middle == answered {
            let wait = Int64(word(p, at + 20)) &* 1_000_000_000 / 65_536
            let trip = record.time.nanoseconds &- sender.time &- wait
            if trip >= 0, trip < 60_000_000_000 { view.roundTrip = min(trip, view.roundTrip ?? .max) }
        }
        views[key] = view
    }

    private func word(_ p: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(bigEndian: p.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }
}
