import Base

/// One message on its way through: its text so far and what was changed.
struct ALGMessage: Sendable {
    var text: SIPText
    let crossing: ALGCrossing
    let flow: ALGFlow
    let direction: ALGDirection
    private(set) var rewrites: [ALGRewrite] = []

    init(_ bytes: [UInt8], _ flow: ALGFlow, _ direction: ALGDirection) {
        text = SIPText(bytes, isIPv6: flow.inside.address.isIPv6)
        crossing = ALGCrossing(flow, direction)
        self.flow = flow
        self.direction = direction
    }

    var isResponse: Bool { text.has("sip/2.0".utf8Bytes, at: 0) }

    /// Puts `value` where `range` is; the difference in length.
    @discardableResult
    mutating func replace(_ range: Range<Int>, _ field: ALGField, with value: String) -> Int {
        let new = value.utf8Bytes
        guard !text.bytes[range].elementsEqual(new) else { return 0 }
        rewrites.append(ALGRewrite(field, before: text.text(range), after: value))
        text.bytes.replaceSubrange(range, with: new)
        return new.count - range.count
    }

    // MARK: Header fields

    /// Applies the profile's rules. `forced`: the port that stands for the far destination's where responses go by Via.
    mutating func rewriteFields(_ rules: [ALGRewriteRule], forced: UInt16?) {
        // Where the parameters of a Via that was ours begin.
        var viaEnd: Int?
        for rule in rules {
            switch rule.field {
            case .requestURI:
                if !isResponse, let located = text.requestAddress() { rewrite(located, rule, forced) }
            case .topVia:
                viaEnd = rewriteVia(rule, forced)
            case .viaMaddr:
                if let viaEnd { rewriteParameter("maddr=", .viaMaddr, viaEnd, crossing.sourceBefore, crossing.sourceAfter) }
            case .viaReceived:
                if let viaEnd {
                    rewriteParameter("received=", .viaReceived, viaEnd, crossing.destinationBefore, crossing.destinationAfter)
                }
            case .viaRport:
                if let viaEnd, let (range, port) = text.numberParameter("rport=", from: viaEnd),
                    port == UInt64(crossing.destinationBefore.port),
                    crossing.destinationAfter.port != crossing.destinationBefore.port
                {
                    replace(range, .viaRport, with: String(crossing.destinationAfter.port))
                }
            case .contact:
                var walk = SIPText.Walk()
                while case .found(let located) = text.uri(.contact, &walk) { rewrite(located, rule, forced) }
            case .from:
                if case .found(let located) = text.uri(.from) { rewrite(located, rule, forced) }
            case .to:
                if case .found(let located) = text.uri(.to) { rewrite(located, rule, forced) }
            case .contentLength, .sdpOrigin, .sdpConnection, .sdpMediaConnection, .sdpMediaPort:
                break
            }
        }
    }

    /// The topmost Via, if it names the packet's own sender (a request) or receiver (a response). Where its parameters begin.
    private mutating func rewriteVia(_ rule: ALGRewriteRule, _ forced: UInt16?) -> Int? {
        guard case .found(let located) = text.uri(flow.transport == .udp ? .viaUDP : .viaTCP) else { return nil }
        let own = isResponse ? crossing.destinationBefore : crossing.sourceBefore
        guard matches(located.endpoint, own, rule.scope) else { return nil }
        return located.range.upperBound + rewrite(located, rule, forced)
    }

    private mutating func rewriteParameter(
        _ name: StaticString, _ field: ALGField, _ from: Int, _ before: Endpoint, _ after: Endpoint
    ) {
        guard let (range, address) = text.addressParameter(name, from: from), address == before.address,
            after.address != before.address
        else { return }
        replace(range, field, with: field == .viaMaddr ? after.address.uriHost : after.address.description)
    }

    private func matches(_ endpoint: Endpoint, _ own: Endpoint, _ scope: ALGRewriteRule.Scope) -> Bool {
        switch scope {
        case .flowEndpoint: endpoint == own
        case .flowAddress: endpoint.address == own.address
        }
    }

    /// Translates the address as the packet itself is translated; the difference in length.
    @discardableResult
    private mutating func rewrite(_ located: SIPText.Located, _ rule: ALGRewriteRule, _ forced: UInt16?) -> Int {
        let found = located.endpoint
        var after: Endpoint
        if matches(found, crossing.sourceBefore, rule.scope) {
            after = crossing.sourceAfter
        } else if matches(found, crossing.destinationBefore, rule.scope) {
            after = crossing.destinationAfter
            if let forced { after.port = forced }
        } else {
            return 0
        }
        guard after != found else { return 0 }
        switch rule.form {
        case .addressAndPort:
            return replace(located.range, rule.field, with: after.description)
        case .addressOnly:
            guard let (_, stop) = text.address(at: located.range.lowerBound) else { return 0 }
            return replace(located.range.lowerBound..<stop, rule.field, with: after.address.uriHost)
        }
    }

    // MARK: Bodies

    /// Counts the body anew: from `v=` to the end. False without a session description or a Content-Length to write to.
    mutating func recountContent() -> Bool {
        guard case .found(let version) = text.session(.version, from: 0),
            case .found(let digits) = text.header(.contentLength, from: 0)
        else { return false }
        replace(digits, .contentLength, with: String(text.end - version.lowerBound + 2))
        return true
    }

    /// Writes an address into the first such line after `offset` and before a medium; false where there is none to write to.
    mutating func writeAddress(_ address: IPAddress, _ line: SIPText.SessionLine, _ field: ALGField, from offset: Int)
        -> SIPText.Lookup
    {
        let place = text.session(line, from: offset, stop: .media)
        if case .found(let range) = place { replace(range, field, with: address.description) }
        return place
    }
}
