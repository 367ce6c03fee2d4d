import Base
import SIP

/// Parses `bytes` every way that this target knows and calls every typed accessor: the entry for fuzzers.
///
/// Returns how many accessors threw, so that nothing of it can be optimised away. Traps only where the target has a bug.
@discardableResult
package func exerciseSIPParser(_ bytes: [UInt8]) -> Int {
    var faults = 0
    func attempt(_ body: () throws(SIPParseError) -> Void) {
        do { try body() } catch { faults &+= 1 }
    }
    attempt { () throws(SIPParseError) in _ = try SIPFraming.next(in: bytes) }
    attempt { () throws(SIPParseError) in _ = try SIPMessage(parsing: bytes) }
    attempt { () throws(SIPParseError) in _ = try SIPURIReference(parsing: SIPText(bytes)).text }
    attempt { () throws(SIPParseError) in _ = try NameAddress(parsing: SIPText(bytes)).text }
    attempt { () throws(SIPParseError) in _ = try Via(parsing: SIPText(bytes)).text }
    guard let message = try? SIPMessage(salvaging: bytes) else { return faults &+ 1 }
    attempt { () throws(SIPParseError) in
        let uri = try message.requestURI()
        _ = (uri.text, uri.scheme, uri.isEquivalent(to: uri), uri.sip?.aor, uri.sip?.endpoint, uri.sip?.knownTransport)
        _ = (uri.sip?.unescapedUser, uri.sip?.headerFields, uri.sip?.isLooseRoute, uri.hashValue)
    }
    attempt { () throws(SIPParseError) in
        for via in try message.vias {
            _ = (via.text, via.branch, via.received, via.rport, via.maddr, via.ttl, via.sentBy, via.hasUniqueBranch)
        }
    }
    attempt { () throws(SIPParseError) in _ = try (message.topVia, message.callID, message.cseq.text) }
    attempt { () throws(SIPParseError) in touch(try message.from) }
    attempt { () throws(SIPParseError) in touch(try message.to) }
    attempt { () throws(SIPParseError) in if case .list(let list) = try message.contacts { list.forEach(touch) } }
    for name in [HeaderName.route, .recordRoute, .path, .serviceRoute, .referTo, .replyTo] {
        attempt { () throws(SIPParseError) in try message.addresses(name).forEach(touch) }
    }
    for name in [HeaderName.require, .proxyRequire, .supported, .unsupported, .allow] {
        attempt { () throws(SIPParseError) in _ = try message.tokens(name) }
    }
    attempt { () throws(SIPParseError) in _ = try (message.expires, message.minExpires) }
    attempt { () throws(SIPParseError) in _ = try message.maxForwards }
    attempt { () throws(SIPParseError) in _ = try message.retryAfter }
    attempt { () throws(SIPParseError) in _ = try message.contentType?.description }
    attempt { () throws(SIPParseError) in _ = try message.date?.text }
    attempt { () throws(SIPParseError) in
        for value in try message.authorizations + message.proxyAuthorizations {
            _ = (value.digest?.text, value.digest?.nonceCount, value.digest?.username?.withoutBackslashes)
        }
    }
    attempt { () throws(SIPParseError) in
        for value in try message.wwwAuthenticate + message.proxyAuthenticate {
            _ = (value.digest?.text, value.digest?.qopOptions)
        }
    }
    for header in message.headers {
        _ = (header.name.canonical, header.value.unquoted, header.value.commaSeparated, header.name.hashValue)
        precondition(header.line.contains(header.range.lowerBound) && header.range.upperBound <= header.line.upperBound)
    }
    exerciseWriters(message)
    return faults
}

private func touch(_ address: NameAddress) {
    _ = (address.text, address.tag, address.q, address.expires, address.instanceID, address.regID, address.displayName?.unquoted)
    var changed = address
    changed.tag = "x"
    precondition(changed.tag == "x")
}

private func exerciseWriters(_ message: SIPMessage) {
    let element = SIPCapabilities(role: .registrar, methods: [.register], mediaTypes: ["application/sdp"])
    _ = (message.verdict(for: element), message.verdict(for: SIPCapabilities(role: .proxy)), message.method)
    let response = SIPMessageBuilder.response(
        to: message, status: 400, toTag: "t", source: Endpoint(.v4(.loopback), 5060))
    _ = try? response.message().vias
    var edits = SIPEdits(message)
    message.markTopVia(received: Endpoint(.v4(.loopback), 5060), in: &edits)
    edits.setContentLength(of: message, to: 7)
    edits.insertFirst(.route, "<sip:x>", in: message)
    edits.append(.userAgent, "x", to: message)
    _ = edits.apply()
}
