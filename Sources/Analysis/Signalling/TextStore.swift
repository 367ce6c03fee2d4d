import Capture

/// The bytes of recent messages in chunks; the oldest chunk goes when there are too many.
///
/// A place is four octets: chunk and offset in units of four octets. Places of dropped chunks are simply not found any more.
struct TextStore: Sendable {
    static let chunkSize = 1 << 18
    /// Longest text kept of one message.
    static let mostOctets = 16_384

    private var chunks: [[UInt8]] = []
    /// Number of the first chunk held.
    private var first = 0
    private let mostChunks: Int

    /// Another message fits without dropping a chunk.
    var hasRoom: Bool { chunks.count < mostChunks }

    init(capacity: Int) { mostChunks = max(2, capacity / Self.chunkSize) }

    /// Where the text lies now; nil when it is too long or the numbers are used up.
    mutating func append(_ bytes: Bytes) -> UInt32? {
        guard bytes.count > 0, bytes.count <= Self.mostOctets else { return nil }
        if chunks.isEmpty || chunks[chunks.count - 1].count + bytes.count + 4 > Self.chunkSize {
            guard first + chunks.count < 0xffff else { return nil }
            if chunks.count >= mostChunks {
                // The oldest chunk's memory serves again.
                var chunk = chunks.removeFirst()
                chunk.removeAll(keepingCapacity: true)
                first += 1
                chunks.append(chunk)
            } else {
                var chunk: [UInt8] = []
                chunk.reserveCapacity(Self.chunkSize)
                chunks.append(chunk)
            }
        }
        let last = chunks.count - 1
        while chunks[last].count & 3 != 0 { chunks[last].append(0) }
        let offset = chunks[last].count
        chunks[last].append(contentsOf: bytes)
        return UInt32(first + last) << 16 | UInt32(offset >> 2)
    }

    func text(at place: UInt32, length: UInt32) -> ArraySlice<UInt8>? {
        guard length > 0 else { return nil }
        let chunk = Int(place >> 16) - first
        guard chunk >= 0, chunk < chunks.count else { return nil }
        let offset = Int(place & 0xffff) << 2
        guard offset + Int(length) <= chunks[chunk].count else { return nil }
        return chunks[chunk][offset..<(offset + Int(length))]
    }
}
