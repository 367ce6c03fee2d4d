import Base

/// Changes to a message's bytes that leave every other byte untouched: for whoever passes a message on.
///
/// Ranges are those of the original bytes and may be given in any order. A change that overlaps an earlier one is refused.
public struct SIPEdits: Sendable {
    private struct Edit: Sendable {
        var range: Range<Int>
        var bytes: [UInt8]
    }

    private let original: [UInt8]
    private var edits: [Edit] = []

    public init(_ bytes: [UInt8]) { original = bytes }

    public init(_ message: SIPMessage) { self.init(message.bytes) }

    public var isEmpty: Bool { edits.isEmpty }

    /// False, and nothing changes, where `range` overlaps an earlier change or lies outside of the bytes.
    /// Several insertions at one place appear in the order in which they were made.
    @discardableResult
    public mutating func replace(_ range: Range<Int>, with bytes: [UInt8]) -> Bool {
        guard range.lowerBound >= 0, range.upperBound <= original.count else { return false }
        guard !edits.contains(where: { $0.range.overlaps(range) }) else { return false }
        var place = edits.endIndex
        while place > 0, edits[place - 1].range.lowerBound > range.lowerBound { place -= 1 }
        // An insertion goes before the replacement that starts at its place.
        while place > 0, range.isEmpty, !edits[place - 1].range.isEmpty, edits[place - 1].range.lowerBound == range.lowerBound {
            place -= 1
        }
        edits.insert(Edit(range: range, bytes: bytes), at: place)
        return true
    }

    @discardableResult
    public mutating func replace(_ range: Range<Int>, with text: SIPText) -> Bool { replace(range, with: Array(text.bytes)) }

    @discardableResult
    public mutating func insert(_ bytes: [UInt8], at offset: Int) -> Bool { replace(offset..<offset, with: bytes) }

    @discardableResult
    public mutating func insert(_ text: SIPText, at offset: Int) -> Bool { insert(Array(text.bytes), at: offset) }

    @discardableResult
    public mutating func remove(_ range: Range<Int>) -> Bool { replace(range, with: [UInt8]()) }

    /// Where a byte of the original stands after the changes; nil for a byte that was replaced.
    public func place(of offset: Int) -> Int? {
        var moved = offset
        for edit in edits {
            if edit.range.contains(offset) { return nil }
            if edit.range.upperBound <= offset { moved += edit.bytes.count - edit.range.count }
        }
        return moved
    }

    /// The changed bytes.
    public func apply() -> [UInt8] {
        guard !edits.isEmpty else { return original }
        var result: [UInt8] = []
        result.reserveCapacity(original.count + edits.reduce(0) { $0 + $1.bytes.count })
        apply(in: 0..<original.count, to: &result)
        return result
    }

    /// Appends the bytes of `range` with the changes inside of it.
    func apply(in range: Range<Int>, to result: inout [UInt8]) {
        var at = range.lowerBound
        for edit in edits where edit.range.lowerBound >= at && edit.range.upperBound <= range.upperBound {
            result.append(contentsOf: original[at..<edit.range.lowerBound])
            result.append(contentsOf: edit.bytes)
            at = edit.range.upperBound
        }
        result.append(contentsOf: original[at..<range.upperBound])
    }

    /// Writes `length` into the first Content-Length of `message`, from whose bytes these edits were made; nothing where it
    /// has none.
    public mutating func setContentLength(of message: SIPMessage, to length: Int) {
        guard let header = message.first(.contentLength), message.contentLength != length else { return }
        replace(header.range, with: SIPText("\(length)"))
    }

    /// A whole field, `Name: value` with its line end, before the fields of `message`.
    @discardableResult
    public mutating func insertFirst(_ name: HeaderName, _ value: SIPText, in message: SIPMessage) -> Bool {
        insert(SIPEdits.line(name, value), at: message.headerStart)
    }

    /// The same behind the last field.
    @discardableResult
    public mutating func append(_ name: HeaderName, _ value: SIPText, to message: SIPMessage) -> Bool {
        insert(SIPEdits.line(name, value), at: message.headerEnd)
    }

    private static func line(_ name: HeaderName, _ value: SIPText) -> [UInt8] {
        var line: [UInt8] = []
        name.append(to: &line)
        line.append(ascii: ": ")
        line.append(value)
        line.append(ascii: "\r\n")
        return line
    }
}

extension SIPMessage {
    /// Where the first field begins; the empty line where there is none.
    public var headerStart: Int { fields.first.map { Int($0.name) } ?? headerEnd }

    /// Notes in the topmost Via where a request came from (RFC 3261 18.2.1, RFC 3581 4): `received` where sent-by is another
    /// address or a name or `rport` asks for it, and the value of `rport` where it stands. Nothing where Via is unreadable.
    public func markTopVia(received source: Endpoint, in edits: inout SIPEdits) {
        guard let via = try? topVia else { return }
        let parameters = via.parameters
        let rport = parameters.place(of: "rport")
        if let rport {
            var digits: [UInt8] = rport.value == nil ? [UInt8(ascii: "=")] : []
            digits.append(decimal: UInt64(source.port))
            edits.replace(rport.value ?? rport.name.upperBound..<rport.name.upperBound, with: digits)
        }
        if let received = parameters.place(of: "received") {
            var text: [UInt8] = received.value == nil ? [UInt8(ascii: "=")] : []
            text.append(plain: source.address)
            edits.replace(received.value ?? received.name.upperBound..<received.name.upperBound, with: text)
        } else if rport != nil || via.host.address != source.address {
            var text = Array(";received=".utf8)
            text.append(plain: source.address)
            edits.insert(text, at: via.written.range.upperBound)
        }
    }
}

extension [UInt8] {
    /// An address without brackets, as `received` has it.
    fileprivate mutating func append(plain address: IPAddress) {
        switch address {
        case .v4: SIPHost(address).append(to: &self)
        case .v6(let v6): append(contentsOf: v6.description.utf8)
        }
    }
}
