/// What stands next in a stream buffer (RFC 3261 18.3, RFC 5626 3.5.1).
public enum SIPFrame: Hashable, Sendable {
    /// Come back with more bytes.
    case incomplete
    /// CRLF CRLF, which asks for a CRLF back: 4 bytes.
    case ping
    /// A single CRLF, the answer to a ping or a stray line end: 2 bytes.
    case pong
    /// A message of that many bytes.
    case message(length: Int)
}

/// Cuts messages out of a byte stream by Content-Length.
public enum SIPFraming {
    /// What begins at `offset`. A CRLF at the very end of the buffer is `incomplete`, as a ping may be on its way, unless
    /// `isQuiet` says that no more came for a while.
    ///
    /// Throws where the stream cannot be followed any more (close the connection): no or malformed Content-Length
    /// (RFC 3261 20.14), or more than the limits allow.
    public static func next(
        in buffer: [UInt8], from offset: Int = 0, limits: SIPLimits = .default, isQuiet: Bool = false
    ) throws(SIPParseError) -> SIPFrame {
        guard offset < buffer.count else { return .incomplete }
        if buffer[offset] == 0x0D {
            guard offset + 1 < buffer.count else { return .incomplete }
            guard buffer[offset + 1] == 0x0A else { throw SIPParseError(.lineEnd, at: 0) }
            let rest = buffer[(offset + 2)...].prefix(2)
            if rest.elementsEqual([0x0D, 0x0A]) { return .ping }
            return (rest.isEmpty || rest.elementsEqual([0x0D])) && !isQuiet ? .incomplete : .pong
        }
        guard let length = try messageLength(in: buffer, from: offset, limits: limits) else { return .incomplete }
        return .message(length: length)
    }

    /// The bytes of the message that begins at `offset`; nil where more must come. Offsets of errors count from `offset`.
    public static func messageLength(
        in buffer: [UInt8], from offset: Int = 0, limits: SIPLimits = .default
    ) throws(SIPParseError) -> Int? {
        let text = SIPText(buffer, in: min(max(offset, 0), buffer.count)..<buffer.count)
        let start = text.range.lowerBound
        return try text.withCursor { (cursor, _) throws(SIPParseError) -> Int? in
            var length: Int?
            var lines = 0
            while true {
                let line = cursor.at
                let lineEnd = cursor.placeOfLineEnd()
                guard lineEnd &- start <= limits.messageBytes else {
                    throw SIPParseError(.messageTooLarge, at: limits.messageBytes)
                }
                guard lineEnd &+ 1 < cursor.end else { return nil }
                guard cursor.base[lineEnd] == 0x0D, cursor.base[lineEnd &+ 1] == 0x0A else {
                    throw SIPParseError(.lineEnd, at: lineEnd &- start)
                }
                if lineEnd == line {
                    guard let length else { throw SIPParseError(.lengthMissing, at: lineEnd &- start) }
                    let total = lineEnd &+ 2 &- start &+ length
                    guard total <= limits.messageBytes else {
                        throw SIPParseError(.messageTooLarge, at: limits.messageBytes)
                    }
                    return total <= cursor.end &- start ? total : nil
                }
                lines += 1
                guard lines <= limits.headers &+ 1 else { throw SIPParseError(.tooManyHeaders, at: line &- start) }
                cursor.skip(.token)
                let name = cursor.nameKey(line, cursor.at)
                if lines > 1, let name, HeaderNameTable.shared.id(of: name) == HeaderName.contentLength.id,
                    cursor.skipSeparator(UInt8(ascii: ":"))
                {
                    guard length == nil else { throw SIPParseError(.repeated(.contentLength), at: line &- start) }
                    let place = cursor.at
                    guard let value = try? cursor.decimal(.number) else {
                        throw SIPParseError(.number, at: place &- start)
                    }
                    cursor.skipWhitespace()
                    guard cursor.at == lineEnd else { throw SIPParseError(.number, at: place &- start) }
                    length = Int(value)
                }
                cursor.at = lineEnd &+ 2
            }
        }
    }
}
