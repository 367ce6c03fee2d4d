import Base
import SIP

/// A request whose identifying headers could be read, with where it came from, and how far it has come.
package struct ServerRequest: Sendable {
    /// What was read of it, once. A class, so that handing the request on costs one reference instead of one for each text.
    package final class Parts: Sendable {
        package let message: SIPMessage
        package let flow: FlowID
        package let method: SIPMethod
        package let uriText: SIPText
        package let via: Via
        package let viaCount: Int
        package let fromTag: SIPText
        package let to: NameAddress
        package let callID: SIPText
        package let cseq: UInt32
        package let echo: ReplyWriter.Echo

        package init(
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

    package let parts: Parts
    /// Identifies its server transaction (RFC 3261 17.2.3).
    package var key: UInt64 = 0
    /// Keyed hash of its Call-ID, From tag and CSeq.
    package var identity: UInt64 = 0
    /// What it has in common with the same request by another way (RFC 3261 8.2.2.2).
    package var mergeKey: UInt64 = 0
    /// Its `.received` trace is out.
    package var isNoted = false
    /// Whoever sent it has shown to know a password.
    package var isProved = false
    /// ... over a nonce that was issued to where it comes from: nobody forges that address.
    package var isProvedHere = false
    /// Keyed hash of the digest user name that it proved; 0 for none.
    package var account: UInt64 = 0
    /// Its digest is right, over another URI of ours than the Request-URI.
    package var isSignedElsewhere = false
    /// Its place in the attempt book, for REGISTERs.
    package var attempt: Int?
    /// When it came, for REGISTERs.
    package var arrival = Instant.epoch

    package init(_ parts: Parts) { self.parts = parts }

    package var message: SIPMessage { parts.message }
    package var flow: FlowID { parts.flow }
    package var method: SIPMethod { parts.method }
    package var uriText: SIPText { parts.uriText }
    package var via: Via { parts.via }
    package var viaCount: Int { parts.viaCount }
    package var fromTag: SIPText { parts.fromTag }
    package var hasToTag: Bool { parts.echo.hasToTag }
    package var callID: SIPText { parts.callID }
    package var cseq: UInt32 { parts.cseq }

    /// Nobody forges where it comes from: a connection, or a nonce that was issued there.
    package var isSurelyThere: Bool { isProvedHere || flow.transport.isReliable }

    /// Whether it may draw so much: of whom may be somebody else, three times what it took (RFC 9000 8.1 has the same bound), headers of IP and
    /// UDP counted.
    package func mayDraw(_ bytes: [UInt8], copies: Int = 1) -> Bool {
        isSurelyThere
            || copies * flow.packetBytes(bytes.count) <= 3 * flow.packetBytes(message.bytes.count)
    }
}

extension FlowID {
    /// How many octets a payload takes on the way, headers of UDP and IP counted.
    package func packetBytes(_ payload: Int) -> Int {
        if case .v4 = remote.address { payload + 28 } else { payload + 48 }
    }
}
