import Base
import SIP

extension ServerRequest {
    /// Reads what identifies a request, once. Throws for what makes it malformed (RFC 3261 8.1.1, 8.2, 20).
    package init(_ message: SIPMessage, _ method: SIPMethod, _ uri: SIPText, on flow: FlowID, _ keys: RequestKeys)
        throws(SIPParseError)
    {
        let via = try message.topVia
        if let flaw = message.flaw { throw flaw }
        let headers = message.headers
        guard headers.count <= SIPLimits.default.headers else {
            throw SIPParseError(.tooManyHeaders, at: headers[SIPLimits.default.headers].line.lowerBound)
        }
        var echo = ReplyWriter.Echo()
        var seen: UInt8 = 0
        for header in headers {
            let bit: UInt8
            switch header.name.id {
            case HeaderID.via:
                echo.vias.append(header.value)
                continue
            case HeaderID.from:
                bit = 1
                echo.from = header.value
            case HeaderID.to:
                bit = 2
                echo.to = header.value
            case HeaderID.callID:
                bit = 4
                echo.callID = header.value
            case HeaderID.cseq:
                bit = 8
                echo.cseq = header.value
            case HeaderID.maxForwards: bit = 16
            case HeaderID.expires: bit = 32
            default: continue
            }
            guard seen & bit == 0 else { throw SIPParseError(.repeated(header.name), at: header.line.lowerBound) }
            seen |= bit
        }
        let from = try message.from
        let to = try message.to
        let callID = try message.callID
        let cseq = try message.cseq
        guard cseq.method == method else { throw SIPParseError(.methodMismatch, at: echo.cseq?.range.lowerBound ?? 0) }
        var vias = echo.vias.count
        if let first = echo.vias.first, first.count > via.written.count { vias += 1 }
        echo.via = via
        echo.hasToTag = to.tag != nil
        self.init(
            Parts(
                message: message, flow: flow, method: method, uriText: uri, via: via, viaCount: vias,
                fromTag: from.tag ?? SIPText(), to: to, callID: callID, cseq: cseq.number, echo: echo))
        key = keys.transaction(self)
        identity = keys.identity(self)
        mergeKey = keys.merge(self)
    }

    /// Whether it went through us before: one of its Vias is ours (RFC 3261 16.3, 8.2.2.2). As all requests we send begin here, our own sent-by is
    /// enough.
    package var isLooped: Bool {
        func isOurs(_ via: Via) -> Bool {
            guard let sentBy = via.sentBy else { return false }
            return sentBy == flow.local && flow.remote != flow.local
        }
        if isOurs(via) { return true }
        guard viaCount > 1, let vias = try? message.vias else { return false }
        return vias.contains(where: isOurs)
    }
}

/// Numbers of the names that are looked for in every request.
private enum HeaderID {
    package static let via = HeaderName.via.id
    package static let from = HeaderName.from.id
    package static let to = HeaderName.to.id
    package static let callID = HeaderName.callID.id
    package static let cseq = HeaderName.cseq.id
    package static let maxForwards = HeaderName.maxForwards.id
    package static let expires = HeaderName.expires.id
}
