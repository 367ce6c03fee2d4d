import Base
import SIP

/// `RAck` (RFC 3262 7.2): which provisional response of which request a PRACK acknowledges.
public struct ProvisionalAcknowledgement: Hashable, Sendable {
    public var responseNumber: UInt32
    public var sequence: UInt32
    public var method: SIPMethod

    public init(responseNumber: UInt32, sequence: UInt32, method: SIPMethod) {
        self.responseNumber = responseNumber
        self.sequence = sequence
        self.method = method
    }

    /// Nil where there is no RAck, or one that cannot be read.
    public init?(_ message: SIPMessage) {
        guard let value = message.first(.rack)?.value else { return nil }
        let parts = value.bytes.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
        guard parts.count == 3, let number = SIPText(parts[0]).decimal, let sequence = SIPText(parts[1]).decimal else {
            return nil
        }
        self.init(responseNumber: number, sequence: sequence, method: SIPMethod(SIPText(parts[2])))
    }

    public var text: SIPText { SIPText("\(responseNumber) \(sequence) \(method)") }
}

/// The reliable provisional responses of one INVITE, as its server (RFC 3262 3): one at a time, each repeated until its PRACK.
public struct ReliableProvisionals: Sendable {
    public enum Action: Hashable, Sendable {
        case send([UInt8])
        /// No PRACK for 64*T1: refuse the INVITE with 5xx.
        case giveUp
    }

    /// RSeq of the last one.
    public private(set) var number: UInt32
    private var open: AnswerRepeater?
    private let sequence: UInt32

    /// `sequence`: the INVITE's CSeq. `first`: where RSeq begins, at random between 1 and 2^31 - 1.
    public init(sequence: UInt32, first: UInt32) {
        self.sequence = sequence
        number = max(first & 0x3fff_ffff, 1) - 1
    }

    public var isAwaitingPRACK: Bool { open != nil }
    public var nextDeadline: Instant? { open?.nextDeadline }

    /// The RSeq of a response to be sent now. Nil while another is unacknowledged (RFC 3262 3).
    public mutating func nextNumber() -> UInt32? {
        guard open == nil else { return nil }
        number &+= 1
        return number
    }

    public mutating func sent(_ bytes: [UInt8], timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        open = AnswerRepeater(bytes, isProvisional: true, timers: timers, at: now)
    }

    /// A PRACK came: whether it acknowledges what is open; otherwise 481.
    public mutating func receive(_ rack: ProvisionalAcknowledgement) -> Bool {
        guard open != nil, rack.responseNumber == number, rack.sequence == sequence, rack.method == .invite else { return false }
        open = nil
        return true
    }

    /// A final response was sent: nothing is repeated any more.
    public mutating func stop() { open = nil }

    public mutating func advance(to now: Instant) -> Action? {
        guard var repeater = open else { return nil }
        let action = repeater.advance(to: now)
        open = repeater.isOver ? nil : repeater
        switch action {
        case .send: return .send(repeater.bytes)
        case .giveUp: return .giveUp
        case nil: return nil
        }
    }
}

/// The reliable provisional responses of one early dialog, as its client (RFC 3262 4).
public struct ProvisionalSequence: Hashable, Sendable {
    private var last: UInt32?

    public init() {}

    /// Whether a provisional response with `Require: 100rel` is to be taken and acknowledged; nil for one that is not reliable.
    /// A repeated one is acknowledged by its PRACK's own retransmission; one out of order is ignored.
    public mutating func receive(_ response: SIPMessage) -> (number: UInt32, isNew: Bool)? {
        guard let number = response.first(.rseq)?.value.decimal,
            let tags = try? response.require, tags.contains(where: { $0.equalsCaseless(literal: "100rel") })
        else { return nil }
        guard let last else {
            self.last = number
            return (number, true)
        }
        guard number == last &+ 1 else { return (number, false) }
        self.last = number
        return (number, true)
    }
}
