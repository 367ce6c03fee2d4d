import Base
import SIP

/// What makes a message part of a transaction (RFC 3261 17.1.3, 17.2.3), as a keyed hash of 128 bits.
///
/// The hash is keyed from entropy, so nobody can aim at another's transaction; two keys are equal by chance never.
struct TransactionKey: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    func hash(into hasher: inout Hasher) { hasher.combine(high) }
}

/// Makes keys; one for each `TransactionLayer`.
struct TransactionKeys: Sendable {
    private let seed: (UInt64, UInt64)

    init(entropy: inout Entropy) { seed = (entropy.next() | 1, entropy.next() | 1) }

    /// Of a response: top Via's branch and the method in CSeq.
    func client(branch: SIPText, method: SIPMethod) -> TransactionKey {
        var mixer = KeyMixer(seed)
        mixer.mix(branch.bytes)
        mixer.mix(method.text.bytes)
        return mixer.key
    }

    /// Of a request: top Via's branch and sent-by, and the method, an ACK counting as the INVITE it belongs to.
    ///
    /// A branch without the magic cookie is one of RFC 2543: then the Request-URI, From, Call-ID, CSeq number and the whole
    /// top Via count. To is left out, as it differs between an INVITE and its ACK and adds nothing to the others.
    func server(_ message: SIPMessage, _ via: Via, method: SIPMethod) -> TransactionKey {
        var mixer = KeyMixer(seed)
        if via.hasUniqueBranch, let branch = via.branch {
            mixer.mix(branch.bytes)
            mixer.mix(via.host)
            mixer.mix(UInt64(via.port ?? via.knownTransport?.defaultPort ?? 5060))
        } else {
            mixer.mix(message.requestURIText?.bytes ?? [])
            mixer.mix(message.first(.from)?.value.bytes ?? [])
            mixer.mix(message.first(.callID)?.value.bytes ?? [])
            mixer.mix(UInt64((try? message.cseq)?.number ?? 0))
            mixer.mix(via.written.bytes)
        }
        mixer.mix(method.text.bytes)
        return mixer.key
    }

    /// Of a request outside of a dialog: what all copies of it share that came by different ways (RFC 3261 8.2.2.2).
    /// From is compared as a whole, tag included: nobody on the way may change it.
    func merge(_ message: SIPMessage) -> TransactionKey? {
        guard let from = message.first(.from), let callID = message.first(.callID), let cseq = message.first(.cseq) else {
            return nil
        }
        var mixer = KeyMixer(seed)
        mixer.mix(from.value.bytes)
        mixer.mix(callID.value.bytes)
        mixer.mix(cseq.value.bytes)
        return mixer.key
    }

    /// Of a branch alone.
    func branch(_ via: Via) -> UInt64 {
        guard via.hasUniqueBranch, let branch = via.branch else { return 0 }
        var mixer = KeyMixer(seed)
        mixer.mix(branch.bytes)
        return mixer.key.high
    }
}

/// Folds bytes into two lanes by full multiplication.
private struct KeyMixer {
    private var a: UInt64
    private var b: UInt64
    private let seed: (UInt64, UInt64)

    init(_ seed: (UInt64, UInt64)) {
        self.seed = seed
        a = seed.0
        b = seed.1
    }

    mutating func mix(_ word: UInt64) {
        let first = (a ^ word ^ seed.1).multipliedFullWidth(by: seed.0 ^ 0x9e37_79b9_7f4a_7c15)
        let second = (b ^ word ^ seed.0).multipliedFullWidth(by: seed.1 ^ 0xc2b2_ae3d_27d4_eb4f)
        a = first.low ^ first.high &+ word
        b = second.low ^ second.high ^ (word << 32 | word >> 32)
    }

    mutating func mix(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { raw in
            var place = 0
            while place &+ 8 <= raw.count {
                mix(raw.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                place &+= 8
            }
            var rest: UInt64 = 0
            while place < raw.count {
                rest = rest << 8 | UInt64(raw[place])
                place &+= 1
            }
            mix(rest)
            // The length closes each field, so that no two fields can trade bytes.
            mix(UInt64(truncatingIfNeeded: raw.count) &+ 0x5151_5151)
        }
    }

    mutating func mix(_ host: SIPHost) {
        switch host {
        case .ipv4(let v4): mix(UInt64(v4.bits))
        case .ipv6(let v6):
            mix(v6.high)
            mix(v6.low)
        case .name(let name): mix(name.lowercased.bytes)
        }
    }

    var key: TransactionKey {
        var last = self
        last.mix(0x2545_f491_4f6c_dd1d)
        return TransactionKey(high: last.a ^ last.b >> 29, low: last.b)
    }
}
