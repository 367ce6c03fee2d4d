import Base
import SIP

/// A request whose identifying headers could be read, with where it came from, and how far it has come.
struct ServerRequest: Sendable {
    /// What was read of it, once. A class, so that handing the request on costs one reference instead of one for each text.
    final class Parts: Sendable {
        let message: SIPMessage
        let flow: FlowID
        let method: SIPMethod
        let uriText: SIPText
        let via: Via
        let viaCount: Int
        let fromTag: SIPText
        let to: NameAddress
        let callID: SIPText
        let cseq: UInt32
        let echo: ReplyWriter.Echo

        init(
            message: SIPMessage, flow: FlowID, method: SIPMethod, uriText: SIPText, via: Via, viaCount: Int, fromTag: SIPText,
            to: NameAddress, callID: SIPText, cseq: UInt32, echo: ReplyWriter.Echo
        ) {
            self.message = message
            self.flow = flow
            self.method = method
            self.uriText = uriText
            self.via = via
            self.viaCount = viaCount
            self.fromTag = fromTag
            self.to = to
            self.callID = callID
            self.cseq = cseq
            self.echo = echo
        }
    }

    let parts: Parts
    /// Identifies its server transaction (RFC 3261 17.2.3).
    var key: ReplyBook.Key = 0
    /// Keyed hash of its Call-ID, From tag and CSeq.
    var identity: UInt64 = 0
    /// What it has in common with the same request by another way (RFC 3261 8.2.2.2).
    var mergeKey: ReplyBook.Key = 0
    /// Its `.received` trace is out.
    var isNoted = false
    /// Whoever sent it has shown to know a password.
    var isProved = false
    /// ... over a nonce that was issued to where it comes from: nobody forges that address.
    var isProvedHere = false
    /// Keyed hash of the digest user name that it proved; 0 for none.
    var account: UInt64 = 0
    /// Its digest is right, over another URI of ours than the Request-URI.
    var isSignedElsewhere = false
    /// Its place in the attempt book, for REGISTERs.
    var attempt: Int?

    init(_ parts: Parts) { self.parts = parts }

    var message: SIPMessage { parts.message }
    var flow: FlowID { parts.flow }
    var method: SIPMethod { parts.method }
    var uriText: SIPText { parts.uriText }
    var via: Via { parts.via }
    var viaCount: Int { parts.viaCount }
    var fromTag: SIPText { parts.fromTag }
    var hasToTag: Bool { parts.echo.hasToTag }
    var callID: SIPText { parts.callID }
    var cseq: UInt32 { parts.cseq }

    /// Nobody forges where it comes from: a connection, or a nonce that was issued there.
    var isSurelyThere: Bool { isProvedHere || flow.transport.isReliable }

    /// Whether it may draw so much: of whom may be somebody else, three times what it took (RFC 9000 8.1 has the same bound), headers of IP and
    /// UDP counted.
    func mayDraw(_ bytes: [UInt8], copies: Int = 1) -> Bool {
        isSurelyThere
            || copies * ServerNode.packetBytes(bytes.count, flow) <= 3 * ServerNode.packetBytes(message.bytes.count, flow)
    }
}
