import Base

/// Puts a message together: start line, header fields in the order in which they are added, body.
///
/// Content-Length is written by `bytes` and must not be added. A line end inside a value becomes a space, so that no value
/// can smuggle a field in.
public struct SIPMessageBuilder: Sendable {
    private var head: [UInt8] = []
    /// Set together with a Content-Type field.
    public var body: [UInt8] = []

    public init(_ method: SIPMethod, _ uri: SIPText) {
        head.reserveCapacity(1024)
        head.append(method.text)
        head.append(UInt8(ascii: " "))
        appendLine(uri)
        head.append(ascii: " SIP/2.0\r\n")
    }

    public init(_ method: SIPMethod, _ uri: SIPURI) { self.init(method, uri.text) }

    /// `reason` nil: the registered phrase.
    public init(status: Int, reason: SIPText? = nil) {
        head.reserveCapacity(1024)
        head.append(ascii: "SIP/2.0 ")
        head.append(decimal: UInt64(clamping: status))
        head.append(UInt8(ascii: " "))
        if let reason { appendLine(reason) } else { head.append(ascii: SIPStatus.phrase(status)) }
        head.append(ascii: "\r\n")
    }

    public mutating func add(_ name: HeaderName, _ value: SIPText) {
        begin(name)
        appendLine(value)
        head.append(ascii: "\r\n")
    }

    public mutating func add(_ name: HeaderName, _ number: Int) {
        begin(name)
        head.append(decimal: UInt64(clamping: number))
        head.append(ascii: "\r\n")
    }

    public mutating func add(_ name: HeaderName, _ address: NameAddress) { add(name, address.text) }

    public mutating func add(_ name: HeaderName, _ uri: SIPURI) { add(name, NameAddress(uri)) }

    public mutating func add(_ via: Via) { add(.via, via.text) }

    public mutating func add(_ cseq: CSeq) { add(.cseq, cseq.text) }

    public mutating func add(_ name: HeaderName, _ challenge: DigestChallenge) { add(name, challenge.text) }

    public mutating func add(_ name: HeaderName, _ credentials: DigestCredentials) { add(name, credentials.text) }

    /// One field with all of `values`, separated by commas; nothing for none.
    public mutating func add(_ name: HeaderName, list values: [SIPText]) {
        guard let first = values.first else { return }
        begin(name)
        appendLine(first)
        for value in values.dropFirst() {
            head.append(ascii: ", ")
            appendLine(value)
        }
        head.append(ascii: "\r\n")
    }

    /// Copies every field of `name`, byte for byte.
    public mutating func copy(_ name: HeaderName, from message: SIPMessage) {
        guard name.id > 0 else {
            for header in message.all(name) { head.append(contentsOf: message.bytes[header.line]) }
            return
        }
        for index in message.fields.indices where message.fields[index].id == name.id {
            head.append(contentsOf: message.bytes[message.line(index)])
        }
    }

    /// The whole message.
    public var bytes: [UInt8] {
        var bytes = head
        bytes.append(ascii: "Content-Length: ")
        bytes.append(decimal: UInt64(body.count))
        bytes.append(ascii: "\r\n\r\n")
        bytes.append(contentsOf: body)
        return bytes
    }

    /// The whole message, parsed. Throws what is wrong with what was put in.
    public func message() throws(SIPParseError) -> SIPMessage {
        try SIPMessage(parsing: bytes, limits: SIPLimits(messageBytes: .max, headers: .max, headerBytes: .max))
    }

    private mutating func begin(_ name: HeaderName) {
        name.append(to: &head)
        head.append(ascii: ": ")
    }

    private mutating func appendLine(_ value: SIPText) {
        let start = head.count
        head.append(value)
        for place in start..<head.count where head[place] == 0x0D || head[place] == 0x0A { head[place] = 0x20 }
    }
}

extension SIPMessageBuilder {
    /// A response to `request` (RFC 3261 8.2.6): all Vias, From, To, Call-ID and CSeq are copied.
    ///
    /// - `toTag`: added to To where it has none; pass nil for a 100.
    /// - `source`: where the request came from. The topmost Via gets `received` where its sent-by differs, and its `rport`
    ///   is filled in where asked for (RFC 3261 18.2.1, RFC 3581 4).
    public static func response(
        to request: SIPMessage, status: Int, reason: SIPText? = nil, toTag: SIPText? = nil, source: Endpoint? = nil
    ) -> SIPMessageBuilder {
        var builder = SIPMessageBuilder(status: status, reason: reason)
        var edits = SIPEdits(request)
        if let source { request.markTopVia(received: source, in: &edits) }
        for index in request.fields.indices where request.fields[index].id == HeaderName.via.id {
            edits.apply(in: request.line(index), to: &builder.head)
        }
        builder.copy(.from, from: request)
        if let toTag, let header = request.first(.to), let to = try? request.to, to.tag == nil {
            builder.head.append(contentsOf: request.bytes[header.line.lowerBound..<header.range.upperBound])
            builder.head.append(ascii: ";tag=")
            builder.head.append(toTag)
            builder.head.append(ascii: "\r\n")
        } else {
            builder.copy(.to, from: request)
        }
        builder.copy(.callID, from: request)
        builder.copy(.cseq, from: request)
        return builder
    }
}
