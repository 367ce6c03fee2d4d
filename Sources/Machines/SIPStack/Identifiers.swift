import Base
import SIP

/// What makes transactions, dialogs and calls unique, drawn from a source of entropy.
extension Entropy {
    /// A branch (RFC 3261 8.1.1.7): the magic cookie and 80 random bits.
    public mutating func branch() -> SIPText {
        var text: [UInt8] = []
        text.reserveCapacity(27)
        text += "z9hG4bK".utf8
        appendHex(next(), digits: 16, to: &text)
        appendHex(next(), digits: 4, to: &text)
        return SIPText(text)
    }

    /// A tag (RFC 3261 19.3): 64 random bits.
    public mutating func tag() -> SIPText {
        var text: [UInt8] = []
        appendHex(next(), digits: 16, to: &text)
        return SIPText(text)
    }

    /// A Call-ID (RFC 3261 8.1.1.4): 128 random bits, without the host, which would tell a private address.
    public mutating func callID() -> SIPText {
        var text: [UInt8] = []
        text.reserveCapacity(32)
        appendHex(next(), digits: 16, to: &text)
        appendHex(next(), digits: 16, to: &text)
        return SIPText(text)
    }

    /// The initial CSeq number of a dialog or registration: below 2^16, so that there is room to count.
    public mutating func initialSequence() -> UInt32 { UInt32(truncatingIfNeeded: next() & 0xffff) }
}
