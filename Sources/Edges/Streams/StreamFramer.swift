import SIP

/// Cuts whole messages and keepalives out of a connection's bytes (RFC 3261 18.3, RFC 5626 3.5.1).
package struct StreamFramer {
    private let limits: SIPLimits
    private var buffer: [UInt8] = []
    private var start = 0
    /// Up to here no end of a head was found: a peer that sends byte by byte costs no more than one that does not.
    private var searched = 0

    package init(limits: SIPLimits) { self.limits = limits }

    /// Whether part of a message has come.
    package var isPartial: Bool { start < buffer.count }

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 65_536)
            start = 0
            searched = 0
        } else if start > 32_768 {
            buffer.removeFirst(start)
            searched = max(0, searched - start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next message or keepalive; nil where more must come. Throws where the stream cannot be followed any more.
    package mutating func next() throws(SIPParseError) -> [UInt8]? {
        guard start < buffer.count else { return nil }
        if buffer[start] != 0x0d, !hasWholeHead {
            guard buffer.count - start <= limits.messageBytes else {
                throw SIPParseError(.messageTooLarge, at: limits.messageBytes)
            }
            return nil
        }
        let length: Int
        switch try SIPFraming.next(in: buffer, from: start, limits: limits) {
        case .incomplete: return nil
        case .ping: length = 4
        case .pong: length = 2
        case .message(let bytes): length = bytes
        }
        let message = Array(buffer[start..<(start + length)])
        start += length
        searched = start
        return message
    }

    private var hasWholeHead: Bool {
        mutating get {
            var place = max(searched - 3, start)
            while place + 3 < buffer.count {
                if buffer[place] == 0x0d, buffer[place + 1] == 0x0a, buffer[place + 2] == 0x0d, buffer[place + 3] == 0x0a {
                    searched = place
                    return true
                }
                place += 1
            }
            searched = buffer.count
            return false
        }
    }
}
