/// One header field of a message, where it stands (RFC 3261 7.3.1).
public struct SIPHeader: Hashable, Sendable {
    /// Empty for a line that is no field (only in a salvaged message).
    public var name: HeaderName
    /// Without white space around it; folds appear as spaces, so that its length and offsets are those of the original.
    public var value: SIPText
    /// From the first letter of the name past the final line end, in `SIPMessage.bytes`.
    public var line: Range<Int>

    /// The value's place in `SIPMessage.bytes`, white space around it left out.
    public var range: Range<Int> { value.range }
}

/// The header fields of a message in their order, as a collection.
public struct SIPHeaders: RandomAccessCollection, Sendable {
    let message: SIPMessage

    public var startIndex: Int { 0 }
    public var endIndex: Int { message.fields.count }

    public subscript(index: Int) -> SIPHeader {
        let field = message.fields[index]
        let id = field.id == SIPMessage.Field.broken ? 0 : field.id
        return SIPHeader(
            name: HeaderName(id: id, spelling: SIPText(unchecked: message.text, Int(field.name), Int(field.nameEnd))),
            value: message.value(of: field), line: message.line(index))
    }
}
