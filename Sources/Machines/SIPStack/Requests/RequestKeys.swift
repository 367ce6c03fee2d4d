import Base
import SIP

/// Keyed hashes of what identifies a request and whoever sent it: nobody outside can foretell them, and no text is kept for them.
package struct RequestKeys: Sendable {
    private let key: (UInt64, UInt64)
    /// chan_sip knows its dialogs by Call-ID alone.
    private let isChanSIP: Bool

    package init(_ key: (UInt64, UInt64), isChanSIP: Bool) {
        self.key = key
        self.isChanSIP = isChanSIP
    }

    /// RFC 3261 17.2.3. Without the magic cookie (RFC 2543) all that a retransmission keeps goes in. chan_sip knows its dialogs by Call-ID
    /// and CSeq alone.
    ///
    /// `method`: that of the transaction, where it is not the request's own: a CANCEL and the ACK of a refusal share their INVITE's branch.
    package func transaction(_ request: ServerRequest, as method: SIPMethod? = nil) -> UInt64 {
        var hash = KeyedHash(key: key)
        if !isChanSIP, request.via.hasUniqueBranch, let branch = request.via.branch {
            hash.combine(branch.bytes)
            hash.combine(UInt64(request.via.port ?? 0))
            switch request.via.host {
            case .ipv4(let v4): hash.combine(UInt64(v4.bits))
            case .ipv6(let v6):
                hash.combine(v6.high)
                hash.combine(v6.low)
            case .name(let name): hash.combine(name.bytes)
            }
        } else {
            hash.combine(request.uriText.bytes)
            hash.combine(request.callID.bytes)
            hash.combine(request.fromTag.bytes)
            hash.combine(UInt64(request.cseq))
        }
        hash.combine((method ?? request.method).text.bytes)
        return hash.finish()
    }

    /// The branch alone; 0 where it is not unique: without the magic cookie, and for chan_sip.
    package func branch(_ request: ServerRequest) -> UInt64 {
        guard !isChanSIP, request.via.hasUniqueBranch, let branch = request.via.branch else { return 0 }
        return text(branch.bytes)
    }

    /// Call-ID, From tag and CSeq: what every copy of a request has in common with it, by whichever way it came.
    package func identity(_ request: ServerRequest) -> UInt64 {
        var hash = KeyedHash(key: key)
        hash.combine(request.callID.bytes)
        hash.combine(request.fromTag.bytes)
        hash.combine(UInt64(request.cseq))
        return hash.finish()
    }

    /// What a copy of a request has in common with it, beside what its transaction is known by. Boxes on the way change the rest.
    package func fingerprint(_ request: ServerRequest) -> UInt64 {
        var hash = KeyedHash(key: key)
        hash.combine(request.identity)
        for header in request.message.all(.authorization) { hash.combine(header.value.bytes) }
        return hash.finish()
    }

    /// What the same request by another way has in common with it (RFC 3261 8.2.2.2).
    package func merge(_ request: ServerRequest) -> UInt64 {
        var hash = KeyedHash(key: (key.1, key.0))
        hash.combine(request.identity)
        hash.combine(request.method.text.bytes)
        return hash.finish()
    }

    /// What a Call-ID, a nonce or a digest user name is known by.
    package func text(_ text: ArraySlice<UInt8>) -> UInt64 {
        var hash = KeyedHash(key: key)
        hash.combine(text)
        return hash.finish()
    }

    /// A short tag of where a request comes from, for nonces.
    package func origin(of flow: FlowID) -> UInt32 {
        var hash = KeyedHash(key: key)
        Source(flow).combine(into: &hash)
        return UInt32(truncatingIfNeeded: hash.finish())
    }

    /// The To tag of an answer that makes no dialog: the same for each retransmission, and for chan_sip the same for the whole dialog, without
    /// any memory.
    package func toTag(_ request: ServerRequest) -> UInt64 {
        isChanSIP ? text(request.callID.bytes) : request.identity
    }
}

extension Source {
    package func combine(into hash: inout KeyedHash) {
        hash.combine(bits)
        hash.combine(UInt64(prefix))
    }
}
