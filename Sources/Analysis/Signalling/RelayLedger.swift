import Base
import Capture

/// What TURN servers granted and refused the hosts of a capture (RFC 8656).
struct RelayLedger: Sendable {
    /// One host's use of one server, in one source.
    typealias Key = ConnectionLedger.Key

    struct Refusal: Sendable {
        var request: EvidencePlace
        var answer: EvidencePlace
        var time: Int64
        var client: PackedEndpoint
        var code: Int
        /// Whom the relay was to send to; nil for an allocation.
        var peer: PackedEndpoint?
        var count = 1
    }

    struct Use: Sendable {
        var hasRelay = false
        var hasPermission = false
        /// The first refusal of a relay, and of leave to send to a peer, and how many came.
        var relay: Refusal?
        var permission: Refusal?
        /// Requests for a relay that nothing answered, not even a challenge.
        var silence: Silence?
        var hasAnswered = false
    }

    /// Requests for a relay without an answer.
    struct Silence: Sendable {
        var first: EvidencePlace
        /// Nanoseconds.
        var time: Int64
        var last: Int64
        var client: PackedEndpoint
        var sends = 0
        /// ICMP errors about them.
        var errors = 0
        var error: ICMPNote?
    }

    private struct Pending: Sendable {
        var key: Key
        var client: PackedEndpoint
        var place: EvidencePlace
        var isAllocation: Bool
        var hasCredentials: Bool
        var peer: PackedEndpoint?
    }

    static let mostUses = 4_096
    static let mostPending = 1 << 14

    private(set) var uses: [Key: Use] = [:]
    private var pending: [UInt64: Pending] = [:]

    /// Reads one STUN message; others than Allocate, CreatePermission and ChannelBind are left out.
    mutating func message(_ p: Bytes, _ envelope: Envelope) {
        guard p.count >= 20 else { return }
        let type = UInt16(p[0]) << 8 | UInt16(p[1])
        let method = type & 0x3eef
        guard method == 3 || method == 8 || method == 9, p[0] < 2 else { return }
        let transaction = p.hash(Span(4, 20), seed: UInt64(envelope.place.file))
        switch type & 0x0110 {
        case 0x0000:
            guard pending.count < Self.mostPending else { return }
            let key = Key(file: envelope.place.file, client: envelope.source.address, server: envelope.destination)
            if method == 3, room(for: key) {
                var silence =
                    uses[key]!.silence
                    ?? Silence(first: envelope.place, time: envelope.time, last: envelope.time, client: envelope.source)
                silence.sends += 1
                silence.last = envelope.time
                uses[key]!.silence = silence
            }
            pending[transaction] = Pending(
                key: key, client: envelope.source, place: envelope.place, isAllocation: method == 3,
                hasCredentials: STUNLedger.has(0x0006, p) || STUNLedger.has(0x001e, p), peer: STUNLedger.endpoint(0x0012, p))
        case 0x0100:
            guard let asked = pending.removeValue(forKey: transaction), room(for: asked.key) else { return }
            uses[asked.key]!.hasAnswered = true
            if asked.isAllocation { uses[asked.key]!.hasRelay = true } else { uses[asked.key]!.hasPermission = true }
        case 0x0110:
            guard let asked = pending.removeValue(forKey: transaction), room(for: asked.key) else { return }
            uses[asked.key]!.hasAnswered = true
            guard let code = STUNLedger.errorCode(p) else { return }
            // The first challenge, and a nonce that has run out, are how it begins (RFC 8489 9.2.5); 300 names another server (10).
            guard code != 438, code != 300, code != 401 || asked.hasCredentials else { return }
            let refusal = Refusal(
                request: asked.place, answer: envelope.place, time: envelope.time, client: asked.client, code: code,
                peer: asked.isAllocation ? nil : asked.peer)
            if asked.isAllocation { note(refusal, &uses[asked.key]!.relay) } else { note(refusal, &uses[asked.key]!.permission) }
        default: return
        }
    }

    /// An ICMP error about a datagram.
    mutating func icmp(_ flow: PackedFlow, _ note: ICMPNote) {
        guard !uses.isEmpty, flow.transport == .udp else { return }
        let key = Key(
            file: note.place.file, client: flow.source, server: PackedEndpoint(flow.destination, flow.destinationPort))
        guard uses[key]?.silence != nil else { return }
        uses[key]!.silence!.errors += 1
        if uses[key]!.silence!.error == nil { uses[key]!.silence!.error = note }
    }

    private mutating func room(for key: Key) -> Bool {
        guard uses[key] == nil else { return true }
        guard uses.count < Self.mostUses else { return false }
        uses[key] = Use()
        return true
    }

    private func note(_ refusal: Refusal, _ known: inout Refusal?) {
        if known == nil { known = refusal } else { known!.count += 1 }
    }
}
