import Base
import DNS

/// Answers that may still be used (RFC 1035 7.4, RFC 2308), bounded: when full, what would expire first goes first.
struct DNSCache: Sendable {
    private struct Entry: Sendable {
        var answer: DNSAnswer
        var expires: Instant
    }

    let capacity: Int
    private var entries: [DNSQuestion: Entry] = [:]
    private var expiries = DeadlineQueue<DNSQuestion>()
    private(set) var evicted: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    mutating func answer(to question: DNSQuestion, at now: Instant) -> DNSAnswer? {
        while let key = expiries.popDue(at: now) { entries[key] = nil }
        return entries[question]?.answer
    }

    mutating func keep(_ answer: DNSAnswer, for question: DNSQuestion, until expires: Instant, at now: Instant) {
        guard capacity > 0, expires > now else { return }
        while let key = expiries.popDue(at: now) { entries[key] = nil }
        if entries[question] == nil, entries.count >= capacity, let key = expiries.popDue(at: .distantFuture) {
            entries[key] = nil
            evicted += 1
        }
        entries[question] = Entry(answer: answer, expires: expires)
        expiries.set(question, to: expires)
    }
}
