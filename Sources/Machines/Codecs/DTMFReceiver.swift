import RTP

/// Whole digits out of RFC 4733 events: each once, whatever of its packets is lost, repeated or out of order.
///
/// A digit is told by its first packet that arrives: all packets of an event carry the timestamp of its start.
public struct DTMFReceiver: Sendable {
    private struct Event: Sendable {
        var start: UInt32
        var event: UInt8
        var duration: UInt16
    }

    private var latest: Event?

    public init() {}

    /// `timestamp`: of the RTP packet. Nil: nothing new.
    public mutating func receive(_ payload: some Collection<UInt8>, timestamp: UInt32) -> Character? {
        TelephoneEvent(Array(payload.prefix(4))[...]).flatMap { receive($0, timestamp: timestamp) }
    }

    /// The same of a payload that was read already.
    public mutating func receive(_ parsed: TelephoneEvent, timestamp: UInt32) -> Character? {
        guard let digit = parsed.digit else { return nil }
        let new = Event(start: timestamp, event: parsed.event, duration: parsed.duration)
        if let old = latest {
            let distance = Int32(bitPattern: timestamp &- old.start)
            if distance == 0 {
                if new.event == old.event { latest?.duration = max(old.duration, new.duration) }
                return nil
            }
            // From before the latest: it was told or is lost. Far back means that the sender's clock started anew.
            if distance < 0, distance > -80_000 { return nil }
            // A key held so long that the duration overflowed goes on in a new segment (RFC 4733 2.5.1.3).
            if new.event == old.event, old.duration == 0xffff, distance == 0xffff {
                latest = new
                return nil
            }
        }
        latest = new
        return digit
    }

    /// Another source of media: its timestamps have nothing to do with the former's.
    public mutating func reset() { latest = nil }
}
