import CZlib

/// Uncompresses gzip (RFC 1952) through zlib, one member after another.
final class Inflater {
    enum Failure: Error {
        /// The data is damaged here; what came before was given.
        case damaged
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtMemberEnd = false
    /// The last member is complete: the input may end here.
    private(set) var isComplete = false

    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window, and 16 for gzip framing alone.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Uncompresses from `input` into `output`: how many octets were taken and given.
    func inflate(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> (taken: Int, given: Int) {
        guard let from = input.baseAddress, let to = output.baseAddress, !input.isEmpty, !output.isEmpty else { return (0, 0) }
        if isAtMemberEnd {
            // What follows the last member and is none (padding of tapes, for one) is ignored, as gzip does.
            guard input[0] == 0x1f else { return (input.count, 0) }
            inflateReset(stream)
            isAtMemberEnd = false
            isComplete = false
        }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: from.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = to.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let result = CZlib.inflate(stream, Z_NO_FLUSH)
        let taken = min(input.count, Int(UInt32.max)) - Int(stream.pointee.avail_in)
        let given = min(output.count, Int(UInt32.max)) - Int(stream.pointee.avail_out)
        switch result {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            isAtMemberEnd = true
            isComplete = true
        default:
            guard given > 0 else { throw .damaged }
        }
        return (taken, given)
    }
}
