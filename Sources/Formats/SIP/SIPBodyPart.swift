/// One part of a message's body (RFC 2046 5.1, RFC 5621); a body that is not multipart is one part.
public struct SIPBodyPart: Hashable, Sendable {
    /// nil: not said, or not readable.
    public var type: SIPMediaType?
    /// Content-Disposition's type, small letters; nil where there is none.
    public var disposition: SIPText?
    /// `handling=optional`: whoever does not know the part goes on without (RFC 3261 20.11).
    public var isOptional = false
    /// Whether Content-Transfer-Encoding leaves the bytes as they are.
    public var isPlain = true
    /// Its bytes in those of the message.
    public var range: Range<Int>

    init(range: Range<Int>) { self.range = range }

    /// A session description for this very call (RFC 3261 13.2.1).
    public var isSession: Bool {
        (type?.isSDP ?? false) && isPlain && disposition.map { $0.equalsCaseless(literal: "session") } != false
    }

    fileprivate mutating func read(disposition text: SIPText) {
        let values = text.bytes.split(separator: UInt8(ascii: ";")).map { value in
            SIPText(value.filter { $0 != 0x20 && $0 != 0x09 }.map(asciiLowercased))
        }
        disposition = values.first
        isOptional = values.dropFirst().contains { $0.equalsCaseless(literal: "handling=optional") }
    }
}

extension SIPMessage {
    /// Parts within parts, and parts in all, beyond which a body is not read.
    private static var multipartDepth: Int { 4 }
    private static var multipartCount: Int { 32 }

    /// The parts of the body in their order, those of nested multiparts in their place; of `multipart/alternative` the last one that is a
    /// session description, else the first. Empty where there is no body. nil: a multipart whose boundary is missing or never stands there,
    /// or with more parts than are read.
    public var bodyParts: [SIPBodyPart]? {
        guard !body.isEmpty else { return [] }
        var whole = SIPBodyPart(range: bodyRange)
        whole.type = try? contentType
        if let header = first(.contentDisposition) { whole.read(disposition: header.value) }
        return parts(of: whole, depth: 0)
    }

    private func parts(of whole: SIPBodyPart, depth: Int) -> [SIPBodyPart]? {
        guard let type = whole.type, type.type.equalsCaseless(literal: "multipart") else { return [whole] }
        guard depth < Self.multipartDepth, let boundary = type.parameters["boundary"]?.unquoted, !boundary.isEmpty,
            let pieces = pieces(of: whole.range, boundary)
        else { return nil }
        var result: [SIPBodyPart] = []
        for piece in pieces {
            guard var inner = parts(of: part(piece), depth: depth + 1) else { return nil }
            if whole.isOptional { for index in inner.indices { inner[index].isOptional = true } }
            result += inner
            guard result.count <= Self.multipartCount else { return nil }
        }
        guard type.subtype.equalsCaseless(literal: "alternative") else { return result }
        return (result.last { $0.isSession } ?? result.first).map { [$0] } ?? []
    }

    /// What stands between the delimiter lines, heads included. nil: no delimiter at all.
    private func pieces(of range: Range<Int>, _ boundary: SIPText) -> [Range<Int>]? {
        let mark = Array("--".utf8) + boundary.bytes
        var pieces: [Range<Int>] = []
        var start: Int?
        var line = range.lowerBound
        while line < range.upperBound {
            let end = bytes[line..<range.upperBound].firstIndex(of: 0x0A) ?? range.upperBound
            let next = min(end + 1, range.upperBound)
            if bytes[line..<end].starts(with: mark) {
                let tail = bytes[(line + mark.count)..<end].filter { $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
                if tail.isEmpty || tail == Array("--".utf8) {
                    // The line end before a delimiter is part of it.
                    if let start { pieces.append(start..<max(start, withoutLineEnd(line, from: start))) }
                    guard tail.isEmpty, pieces.count <= Self.multipartCount else { return pieces }
                    start = next
                }
            }
            line = next
        }
        // The last delimiter is missing: what is there counts.
        if let start { pieces.append(start..<range.upperBound) }
        return start == nil ? nil : pieces
    }

    private func withoutLineEnd(_ end: Int, from start: Int) -> Int {
        guard end > start, bytes[end - 1] == 0x0A else { return end }
        return end - 1 > start && bytes[end - 2] == 0x0D ? end - 2 : end - 1
    }

    private func part(_ piece: Range<Int>) -> SIPBodyPart {
        var part = SIPBodyPart(range: piece)
        var line = piece.lowerBound
        while line < piece.upperBound {
            let feed = bytes[line..<piece.upperBound].firstIndex(of: 0x0A) ?? piece.upperBound
            let end = feed > line && feed < piece.upperBound && bytes[feed - 1] == 0x0D ? feed - 1 : feed
            let head = line..<end
            line = min(feed + 1, piece.upperBound)
            guard !head.isEmpty else { break }
            guard let colon = bytes[head].firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = HeaderName(SIPText(bytes[head.lowerBound..<colon].filter { $0 != 0x20 && $0 != 0x09 }))
            let value = SIPText(Array(bytes[(colon + 1)..<end].drop { $0 == 0x20 || $0 == 0x09 }))
            if name == .contentType { part.type = try? value.withCursor(Cursor.mediaType) }
            if name == .contentDisposition { part.read(disposition: value) }
            if name == HeaderName("Content-Transfer-Encoding") {
                part.isPlain = ["binary", "8bit", "7bit"].contains(value.lowercased.string)
            }
        }
        part.range = line..<piece.upperBound
        return part
    }
}
