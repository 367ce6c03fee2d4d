import Base

/// What an element must do with a message that came in, judged by form and stated needs alone (RFC 3261 8.1.3, 8.2, 10.3,
/// 16.3, 18.1.2, 18.3).
public enum SIPVerdict: Hashable, Sendable {
    /// Go on with it.
    case accept
    /// Answer with an error response.
    case respond(SIPRefusal)
    /// Say nothing: a response, an ACK, or something that no answer would reach.
    case discard(SIPParseError)
}

/// The error response that a request deserves, and why.
public struct SIPRefusal: Hashable, Sendable {
    public var status: Int
    public var error: SIPParseError
    /// The option tags for Unsupported in a 420.
    public var unsupported: [SIPText]

    public init(_ status: Int, _ error: SIPParseError, unsupported: [SIPText] = []) {
        self.status = status
        self.error = error
        self.unsupported = unsupported
    }
}

extension SIPVerdict {
    /// Parses and judges one datagram. The message is nil only where the verdict is `.discard`.
    public static func receive(
        _ bytes: [UInt8], as element: SIPCapabilities, limits: SIPLimits = .default
    ) -> (message: SIPMessage?, verdict: SIPVerdict) {
        do {
            let message = try SIPMessage(salvaging: bytes, limits: limits)
            return (message, message.verdict(for: element))
        } catch {
            return (nil, .discard(error))
        }
    }
}

extension SIPMessage {
    /// What `element` must do with this message.
    public func verdict(for element: SIPCapabilities) -> SIPVerdict {
        guard case .request(let method, _) = startLine else { return responseVerdict(for: element) }
        guard contains(.via) else { return .discard(SIPParseError(.missing(.via), at: headerEnd)) }
        let refusal: SIPRefusal?
        do {
            refusal = try requestRefusal(method, for: element)
        } catch {
            refusal = SIPRefusal(400, error)
        }
        guard let refusal else { return .accept }
        // RFC 3261 17: an ACK is never answered.
        return method == .ack ? .discard(refusal.error) : .respond(refusal)
    }

    private func responseVerdict(for element: SIPCapabilities) -> SIPVerdict {
        do throws(SIPParseError) {
            if let flaw { throw flaw }
            _ = try (from, to, callID, cseq)
            try refuseRepeated([.from, .to, .callID, .cseq])
            let vias = try vias
            guard !vias.isEmpty else { throw SIPParseError(.missing(.via), at: headerEnd) }
            if element.role != .proxy, vias.count > 1 {
                throw SIPParseError(.foreignVia, at: vias[1].written.range.lowerBound)
            }
            for via in vias where via.host == .ipv4(.init(bits: .max)) {
                throw SIPParseError(.foreignVia, at: via.written.range.lowerBound)
            }
            return .accept
        } catch {
            return .discard(error)
        }
    }

    /// Throws what deserves a 400.
    private func requestRefusal(_ method: SIPMethod, for element: SIPCapabilities) throws(SIPParseError) -> SIPRefusal? {
        if !version.equalsCaseless(literal: "SIP/2.0") {
            return SIPRefusal(505, SIPParseError(.unsupportedVersion, at: version.range.lowerBound))
        }
        if let flaw { throw flaw }
        let cseq = try checkedForm()
        if let refusal = methodRefusal(method, for: element) { return refusal }
        guard cseq.method == method else {
            throw SIPParseError(.methodMismatch, at: first(.cseq)?.range.lowerBound ?? headerEnd)
        }
        if let refusal = try addressRefusal(for: element) { return refusal }
        if let refusal = try extensionRefusal(method, for: element) { return refusal }
        return element.role == .proxy ? nil : try bodyRefusal(method, for: element)
    }

    /// Reads every value that routing, matching and registering depend on.
    private func checkedForm() throws(SIPParseError) -> CSeq {
        let cseq = try checkValues()
        try refuseRepeated([.from, .to, .callID, .cseq, .maxForwards, .contentType, .expires])
        do {
            _ = try maxForwards
        } catch {
            // RFC 4475 3.1.2.4: a value above 255 counts as absent.
            if error.reason != .numberTooLarge { throw error }
        }
        return cseq
    }

    private func refuseRepeated(_ names: [HeaderName]) throws(SIPParseError) {
        for name in names {
            guard let index = index(ofID: name.id) else { continue }
            for later in fields.dropFirst(index + 1) where later.id == name.id {
                throw SIPParseError(.repeated(name), at: Int(later.name))
            }
        }
    }

    /// RFC 3261 8.2.1.
    private func methodRefusal(_ method: SIPMethod, for element: SIPCapabilities) -> SIPRefusal? {
        guard element.role != .proxy, !element.methods.contains(method) else { return nil }
        let status = SIPCapabilities.definedMethods.contains(method) ? 405 : 501
        return SIPRefusal(status, SIPParseError(.unsupportedMethod, at: method.text.range.lowerBound))
    }

    /// RFC 3261 8.2.2.1, 10.3, 16.3.
    private func addressRefusal(for element: SIPCapabilities) throws(SIPParseError) -> SIPRefusal? {
        let place = requestURIText?.range ?? 0..<0
        let unsupported = SIPRefusal(416, SIPParseError(.unsupportedScheme, at: place.lowerBound))
        switch try requestURI() {
        case .sip(let uri):
            if let headers = uri.headers { throw SIPParseError(.uriHeaders, at: headers.range.lowerBound) }
        case .tel: if !element.acceptsTel { return unsupported }
        case .other: return unsupported
        }
        if element.role == .registrar, case .request(.register, _) = startLine {
            let to = try to
            guard to.uri.sip != nil else { throw SIPParseError(.scheme, at: to.uriText.range.lowerBound) }
        }
        if element.role == .proxy, (try? maxForwards) == 0 {
            return SIPRefusal(483, SIPParseError(.maxForwardsExhausted, at: first(.maxForwards)?.range.lowerBound ?? 0))
        }
        return nil
    }

    /// RFC 3261 8.2.2.3, 16.3: not for CANCEL and ACK.
    private func extensionRefusal(
        _ method: SIPMethod, for element: SIPCapabilities
    ) throws(SIPParseError) -> SIPRefusal? {
        guard method != .cancel, method != .ack else { return nil }
        let name: HeaderName = element.role == .proxy ? .proxyRequire : .require
        let unknown = try tokens(name).filter { tag in !element.extensions.contains { $0.equalsCaseless(tag) } }
        guard let first = unknown.first else { return nil }
        return SIPRefusal(420, SIPParseError(.unsupportedExtension, at: first.range.lowerBound), unsupported: unknown)
    }

    /// RFC 3261 8.2.3 and 20.1: a body of a known type; for an INVITE an Accept that admits session descriptions.
    private func bodyRefusal(_ method: SIPMethod, for element: SIPCapabilities) throws(SIPParseError) -> SIPRefusal? {
        guard !element.mediaTypes.isEmpty else { return nil }
        if !bodyRange.isEmpty, let type = try contentType {
            let name: SIPText = "\(type.type)/\(type.subtype)"
            guard element.mediaTypes.contains(where: { $0.equalsCaseless(name) }) else {
                return SIPRefusal(415, SIPParseError(.unsupportedMediaType, at: type.type.range.lowerBound))
            }
        }
        if method == .invite, let accept = first(.accept) {
            let ranges = values(of: .accept).compactMap { $0.bytes.split(separator: UInt8(ascii: ";")).first.map { SIPText($0) } }
            let admits = ranges.contains { range in
                let name = SIPText(range.bytes.filter { $0 != 0x20 && $0 != 0x09 })
                return ["application/sdp", "application/*", "*/*"].contains { name.equalsCaseless($0) }
            }
            if !admits { return SIPRefusal(406, SIPParseError(.unsupportedMediaType, at: accept.range.lowerBound)) }
        }
        return nil
    }
}
