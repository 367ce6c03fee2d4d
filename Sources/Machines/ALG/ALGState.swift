import Base

/// What the gateway remembers of one flow.
struct ALGFlowState: Sendable {
    /// The port in Via where it differs from the sender's own.
    var forcedPort: UInt16?
    var inviteCSeq: UInt64 = 0
    var registerCSeq: UInt64 = 0
    /// It began from outside, through a signalling pinhole.
    var isExpected = false
    /// Oldest first.
    var pinholes: [UInt64] = []
}

/// Bounds of the gateway's tables; the oldest entry gives way.
public struct ALGLimits: Hashable, Sendable {
    public var flows = 4096
    public var pinholes = 4096
    /// SIP mappings of one inside endpoint.
    public var slotsPerEndpoint = 64
    public var slots = 4096
    /// Requests from outside whose responses must leave by the mapping they came to.
    public var transactions = 1024

    public init() {}
}

/// A message's transaction as far as a helper tells them apart: Call-ID and CSeq number, so that ACK and CANCEL belong to their INVITE.
struct ALGTransaction: Hashable, Sendable {
    var callID: [UInt8]
    var number: UInt64

    init?(_ text: SIPText) {
        guard case .found(let id) = text.header(.callID, from: 0), case .found(let digits) = text.header(.cseq, from: 0) else {
            return nil
        }
        callID = Array(text.bytes[id])
        number = text.number(at: digits.lowerBound)
    }
}

/// One of the mappings SIP has for itself.
struct ALGSlot: Sendable {
    var id: ALGSlotID
    /// nil until the router says which it became.
    var external: Endpoint?
    var transaction: ALGTransaction?
    /// Until when its transaction is outstanding.
    var busyUntil: Instant
    var expires: Instant

    func isBusy(at now: Instant) -> Bool { now < busyUntil }
}
