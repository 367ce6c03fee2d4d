import Base
import SIP

/// What of a request a digest covers, and what challenges are made from.
public struct DigestSubject: Sendable {
    public var method: ArraySlice<UInt8>
    /// The Request-URI as it stands in the message.
    public var uri: ArraySlice<UInt8>
    /// Covered by auth-int only.
    public var body: ArraySlice<UInt8>
    public var callID: ArraySlice<UInt8>
    /// Sequence number of CSeq.
    public var sequence: UInt32
    /// A tag of where the request comes from, which its challenge will carry (`NonceIssuer`).
    public var origin: UInt32

    public init(
        method: ArraySlice<UInt8>, uri: ArraySlice<UInt8>, body: ArraySlice<UInt8> = [], callID: ArraySlice<UInt8> = [],
        sequence: UInt32 = 0, origin: UInt32 = 0
    ) {
        self.method = method
        self.uri = uri
        self.body = body
        self.callID = callID
        self.sequence = sequence
        self.origin = origin
    }

    /// Of a request; what cannot be read counts as empty.
    public init(_ request: SIPMessage) {
        method = request.method?.text.bytes ?? []
        uri = request.requestURIText?.bytes ?? []
        body = request.body
        origin = 0
        callID = request.first(.callID)?.value.bytes ?? []
        sequence = (try? request.cseq)?.number ?? 0
    }
}

/// The `response` value (RFC 7616 3.4.1, without qop RFC 2069), computed on the stack.
///
/// - Parameter ha1: the account's secret for `algorithm`'s hash; the session variant is derived here.
func digestResponse(
    ha1: HashValue, algorithm: DigestAlgorithm, method: ArraySlice<UInt8>, uri: ArraySlice<UInt8>, body: ArraySlice<UInt8>,
    nonce: ArraySlice<UInt8>, protection: DigestAnswer.Protection
) -> HashValue {
    let hash = algorithm.hash
    let ha2: HashValue
    var secret = ha1
    switch protection {
    case .legacy, .qop(.auth, _, _, _):
        ha2 = hash.hash(capacity: method.count + uri.count + 1) { input in
            input.append(method)
            input.append(colon: ())
            input.append(uri)
        }
    case .qop(.authInt, _, _, _):
        let covered = hash.hash(body)
        ha2 = hash.hash(capacity: method.count + uri.count + 66) { input in
            input.append(method)
            input.append(colon: ())
            input.append(uri)
            input.append(colon: ())
            input.append(hex: covered)
        }
    }
    switch protection {
    case .legacy:
        return hash.hash(capacity: 130 + nonce.count) { input in
            input.append(hex: secret)
            input.append(colon: ())
            input.append(nonce)
            input.append(colon: ())
            input.append(hex: ha2)
        }
    case .qop(let qop, let nc, _, let cnonce):
        if algorithm.isSession {
            secret = hash.hash(capacity: 66 + nonce.count + cnonce.count) { input in
                input.append(hex: ha1)
                input.append(colon: ())
                input.append(nonce)
                input.append(colon: ())
                input.append(cnonce)
            }
        }
        return hash.hash(capacity: 142 + nonce.count + nc.count + cnonce.count) { input in
            input.append(hex: secret)
            input.append(colon: ())
            input.append(nonce)
            input.append(colon: ())
            input.append(nc)
            input.append(colon: ())
            input.append(cnonce)
            input.append(colon: ())
            switch qop {
            case .auth: input.append("auth")
            case .authInt: input.append("auth-int")
            }
            input.append(colon: ())
            input.append(hex: ha2)
        }
    }
}
