/// A request or a response (RFC 3261 7), parsed once into ranges over its bytes; header values are parsed when asked for.
///
/// Nothing is lost: `bytes` are those that came in. Offsets of errors and ranges of texts count in `bytes`.
public struct SIPMessage: Sendable, Hashable, CustomStringConvertible {
    /// The first line.
    public enum StartLine: Hashable, Sendable {
        /// The Request-URI as written; `requestURI` takes it apart.
        case request(SIPMethod, SIPText)
        case response(status: Int, reason: SIPText)
    }

    /// Where one field stands; the number of its name, 0 for unknown ones and `Field.broken` for lines that are no fields.
    struct Field: Sendable {
        var name: UInt32
        var nameEnd: UInt32
        var value: UInt32
        var valueEnd: UInt32
        var id: UInt8

        static let broken: UInt8 = 255
    }

    /// A class, so that handing a message on costs one reference.
    private final class Storage: Sendable {
        let bytes: [UInt8]
        let parts: SIPMessageParts

        init(_ bytes: [UInt8], _ limits: SIPLimits) throws(SIPParseError) {
            parts = try SIPMessageParts(bytes, limits)
            self.bytes = bytes
        }
    }

    private let storage: Storage

    /// One datagram or one message cut from a stream. Bytes behind the body that Content-Length announces are left alone.
    ///
    /// Throws for every fault of form in start line, field lines and Content-Length. Header values are not looked at.
    public init(parsing bytes: [UInt8], limits: SIPLimits = .default) throws(SIPParseError) {
        storage = try Storage(bytes, limits)
        if let flaw { throw flaw }
    }

    /// The same, but a faulty message that can still be answered is kept with its first fault in `flaw`, so that an element
    /// can send a 400 (RFC 3261 16.3). Throws where not even an answer is possible.
    public init(salvaging bytes: [UInt8], limits: SIPLimits = .default) throws(SIPParseError) {
        storage = try Storage(bytes, limits)
    }

    /// As they came in.
    public var bytes: [UInt8] { storage.bytes }
    /// The same with the line ends of folds made spaces, which keeps all offsets.
    var text: [UInt8] { storage.parts.text }
    var fields: [Field] { storage.parts.fields }
    /// Method and Request-URI, or status and reason.
    public var startLine: StartLine {
        switch storage.parts.startLine {
        case .request(let method, let uri): .request(SIPMethod(text(method)), text(uri))
        case .response(let status, let reason): .response(status: status, reason: text(reason))
        }
    }
    /// The version as written, `SIP/2.0`.
    public var version: SIPText { text(storage.parts.version) }
    /// Where the empty line begins.
    var headerEnd: Int { storage.parts.headerEnd }
    /// The place of the body in `bytes`: as long as Content-Length says, or up to the end where there is none.
    public var bodyRange: Range<Int> { storage.parts.body }
    /// As written; nil where absent or malformed.
    public var contentLength: Int? { storage.parts.contentLength }
    /// The first fault of form found while the message was taken apart; nil for a message that `init(parsing:)` accepts.
    public var flaw: SIPParseError? { storage.parts.flaw }

    public var isRequest: Bool { if case .request = storage.parts.startLine { true } else { false } }

    /// Of a request its own, of a response that in CSeq; nil where a response has no readable CSeq.
    public var method: SIPMethod? {
        switch storage.parts.startLine {
        case .request(let method, _): SIPMethod(text(method))
        case .response: (try? cseq)?.method
        }
    }

    /// Nil for a request.
    public var statusCode: Int? { if case .response(let status, _) = storage.parts.startLine { status } else { nil } }

    /// The reason phrase of a response, nil for a request.
    public var reason: SIPText? { if case .response(_, let reason) = storage.parts.startLine { text(reason) } else { nil } }

    /// The Request-URI as written, nil for a response.
    public var requestURIText: SIPText? { if case .request(_, let uri) = storage.parts.startLine { text(uri) } else { nil } }

    /// The Request-URI taken apart. Throws its fault, or `.startLine` for a response.
    public func requestURI() throws(SIPParseError) -> SIPURIReference {
        guard let uri = requestURIText else { throw SIPParseError(.startLine, at: 0) }
        return try SIPURIReference(parsing: uri)
    }

    public var headers: SIPHeaders { SIPHeaders(message: self) }

    /// The first field of that name.
    public func first(_ name: HeaderName) -> SIPHeader? {
        guard let index = index(of: name) else { return nil }
        return headers[index]
    }

    /// All fields of that name, in order. One field may hold several values: see `values(of:)`.
    public func all(_ name: HeaderName) -> [SIPHeader] {
        fields.indices.compactMap { matches($0, name) ? headers[$0] : nil }
    }

    /// The values of all fields of that name, commas outside of quotes and angle brackets taken as separators
    /// (RFC 3261 7.3.1). Not for Authorization, WWW-Authenticate and their likes, nor for Date.
    public func values(of name: HeaderName) -> [SIPText] { all(name).flatMap { $0.value.commaSeparated } }

    public func contains(_ name: HeaderName) -> Bool { index(of: name) != nil }

    public var body: ArraySlice<UInt8> { bytes[bodyRange] }

    /// How many of `bytes` belong to the message.
    public var length: Int { bodyRange.upperBound }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func == (a: SIPMessage, b: SIPMessage) -> Bool { a.bytes == b.bytes }

    public func hash(into hasher: inout Hasher) { SIPText(bytes).hash(into: &hasher) }

    /// The whole line of a field, its line end included.
    func line(_ index: Int) -> Range<Int> {
        Int(fields[index].name)..<(index + 1 < fields.count ? Int(fields[index + 1].name) : headerEnd)
    }

    func index(of name: HeaderName) -> Int? {
        guard name.id > 0 else { return fields.indices.first { matches($0, name) } }
        return index(ofID: name.id)
    }

    @inline(__always)
    func index(ofID id: UInt8) -> Int? {
        guard contains(id: id) else { return nil }
        return index(ofID: id, from: 0)
    }

    /// The next field of that name, `start` included.
    @inline(__always)
    func index(ofID id: UInt8, from start: Int) -> Int? {
        let fields = storage.parts.fields
        var index = start
        while index < fields.count {
            if fields[index].id == id { return index }
            index &+= 1
        }
        return nil
    }

    /// False only where no field of that name stands.
    @inline(__always)
    func contains(id: UInt8) -> Bool { storage.parts.namesPresent >> UInt64(id & 63) & 1 == 1 }

    private func matches(_ index: Int, _ name: HeaderName) -> Bool {
        let field = fields[index]
        guard field.id == name.id else { return false }
        return name.id > 0
            || name.text.equalsCaseless(SIPText(unchecked: text, Int(field.name), Int(field.nameEnd)))
    }

    @inline(__always)
    private func text(_ span: TextSpan) -> SIPText { SIPText(unchecked: text, Int(span.lower), Int(span.upper)) }

    @inline(__always)
    func value(of field: Field) -> SIPText { SIPText(unchecked: text, Int(field.value), Int(field.valueEnd)) }
}
