import ALG
import Base
import Packet

/// How far the octets of streams were moved by rewriting, so that sequence and acknowledgment numbers can be moved along.
///
/// A direction keeps two offsets and the place between them: the segment there may still be sent again, and then needs the older one.
struct StreamShifts: Sendable {
    struct Shift: Sendable {
        var place: UInt32 = 0
        var before: UInt32 = 0
        var after: UInt32 = 0

        func offset(at sequence: UInt32) -> UInt32 { isAfter(sequence, place) ? after : before }

        mutating func grow(by difference: Int, at sequence: UInt32) {
            guard before == after || isAfter(sequence, place) else { return }
            place = sequence
            before = after
            after &+= UInt32(truncatingIfNeeded: difference)
        }
    }

    struct Pair: Sendable {
        var outbound = Shift()
        var inbound = Shift()
    }

    private var pairs: [ALGFlow: Pair] = [:]
    private var deadlines = DeadlineQueue<ALGFlow>()
    private let cap: Int

    init(cap: Int) { self.cap = cap }

    var nextDeadline: Instant? { deadlines.nextDeadline }

    /// RFC 5382 REQ-5's time for an established connection.
    static let idle: Duration = .seconds(7440)

    mutating func advance(to now: Instant) {
        while let flow = deadlines.popDue(at: now) { pairs[flow] = nil }
    }

    mutating func forget(_ flow: ALGFlow) {
        pairs[flow] = nil
        deadlines.set(flow, to: nil)
    }

    /// The payload of the segment that the sender numbered `sequence` became longer by `difference`.
    mutating func grow(_ flow: ALGFlow, _ direction: ALGDirection, by difference: Int, at sequence: UInt32, now: Instant) {
        if pairs[flow] == nil {
            if pairs.count >= cap, let oldest = deadlines.popDue(at: .distantFuture) { pairs[oldest] = nil }
            pairs[flow] = Pair()
        }
        switch direction {
        case .outbound: pairs[flow]?.outbound.grow(by: difference, at: sequence)
        case .inbound: pairs[flow]?.inbound.grow(by: difference, at: sequence)
        }
        deadlines.set(flow, to: now + Self.idle)
    }

    /// Moves a segment's numbers, selective acknowledgments (RFC 2018) included. Checksum: the caller's. False: nothing to move.
    mutating func apply(_ flow: ALGFlow, _ direction: ALGDirection, _ tcp: TCPHeader, to bytes: inout [UInt8], now: Instant)
        -> Bool
    {
        guard let pair = pairs[flow] else { return false }
        deadlines.set(flow, to: now + Self.idle)
        let own = direction == .outbound ? pair.outbound : pair.inbound
        let far = direction == .outbound ? pair.inbound : pair.outbound
        let at = tcp.range.lowerBound
        put(tcp.sequence &+ own.offset(at: tcp.sequence), at: at + TCPHeader.Offset.sequence, in: &bytes)
        guard tcp.flags.contains(.ack) else { return true }
        put(unshifted(tcp.acknowledgment, far), at: at + TCPHeader.Offset.acknowledgment, in: &bytes)
        var option = tcp.options.lowerBound
        while option < tcp.options.upperBound, bytes[option] != 0 {
            if bytes[option] == 1 {
                option += 1
                continue
            }
            let length = Int(bytes[option + 1])
            if bytes[option] == 5 {
                var edge = option + 2
                while edge + 4 <= option + length {
                    put(unshifted(bytes.uint32(at: edge), far), at: edge, in: &bytes)
                    edge += 4
                }
            }
            option += length
        }
        return true
    }

    private func unshifted(_ number: UInt32, _ shift: Shift) -> UInt32 {
        isAfter(number &- shift.before, shift.place) ? number &- shift.after : number &- shift.before
    }

    private func put(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        bytes.replace(at: offset, bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        bytes.replace(at: offset + 2, bigEndian: UInt16(truncatingIfNeeded: value))
    }
}

/// Later in a sequence space that wraps round (RFC 9293 3.4).
private func isAfter(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) > 0 }
