import CCapture
import Capture
import Glibc

/// The octets of a file or of standard input, read in pieces, uncompressed where they are gzip, told apart by content.
public struct ByteSource: ~Copyable {
    /// As given; "standard input" for `-`.
    public let name: String
    /// What it holds, below any compression.
    public private(set) var kind = InputKind.empty
    public private(set) var isCompressed = false
    /// gzip data was damaged, or ended too early.
    public private(set) var isDamaged = false
    /// Octets of the file itself; nil for pipes.
    public let size: UInt64?
    /// Octets read from the file so far.
    public private(set) var done: UInt64 = 0

    private let descriptor: Int32
    private let ownsDescriptor: Bool
    /// Everything read is copied there, for whoever wants to read it once more.
    private let spool: Int32
    private var inflater: Inflater?
    /// Octets of the file that were read and not yet given.
    private var raw: [UInt8] = []
    private var rawStart = 0
    /// Uncompressed octets that were looked at to tell the kind.
    private var head: [UInt8] = []
    private var headStart = 0
    private var isAtEnd = false

    /// `path` `-`: standard input. `isSpooled`: a pipe is kept in an unnamed temporary file, so that `again()` can read it once more.
    public init(path: String, isSpooled: Bool = false) throws(InputError) {
        if path == "-" {
            try self.init(descriptor: 0, owns: false, name: "standard input", isSpooled: isSpooled)
            return
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(path, code: errno, doing: "opening it") }
        try self.init(descriptor: descriptor, owns: true, name: path, isSpooled: isSpooled)
    }

    /// `descriptor` is read from where it stands.
    init(descriptor: Int32, owns: Bool, name: String, isSpooled: Bool) throws(InputError) {
        self.descriptor = descriptor
        ownsDescriptor = owns
        self.name = name
        var status = stat()
        let isKnown = fstat(descriptor, &status) == 0
        let isRegular = isKnown && status.st_mode & S_IFMT == S_IFREG
        size = isRegular ? UInt64(status.st_size) : nil
        var spool: Int32 = -1
        if isSpooled, !isRegular { spool = Self.temporaryFile() }
        self.spool = spool
        if isKnown, status.st_mode & S_IFMT == S_IFDIR { throw InputError(name, "it is a directory") }
        if isSpooled, !isRegular, spool < 0 { throw InputError(name, code: errno, doing: "making a temporary file for it") }
        if isRegular { posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
        try detect()
    }

    deinit {
        if ownsDescriptor { close(descriptor) }
        if spool >= 0 { close(spool) }
    }

    /// The same octets once more, for later: while this source is read, or after. nil for a pipe that is not spooled.
    public func copy() -> ByteCopy? {
        guard size != nil || spool >= 0 else { return nil }
        let own = dup(spool >= 0 ? spool : descriptor)
        return own >= 0 ? ByteCopy(descriptor: own, name: name) : nil
    }

    /// Fills `space` as far as there is input: how many octets, 0 at the end.
    public mutating func read(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        if headStart < head.count {
            let count = min(space.count, head.count - headStart)
            head.withUnsafeBytes { bytes in
                space.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[headStart..<(headStart + count)]))
            }
            headStart += count
            if headStart == head.count { head = [] }
            return count
        }
        return try isCompressed ? inflated(into: space) : plain(into: space)
    }

    // MARK: Private

    private mutating func detect() throws(InputError) {
        raw = try chunk(InputKind.wanted)
        kind = InputKind.detect(raw)
        guard kind == .gzip else {
            swap(&head, &raw)
            return
        }
        inflater = Inflater()
        guard inflater != nil else { throw InputError(name, "there is no memory to uncompress it") }
        isCompressed = true
        var first = [UInt8](repeating: 0, count: InputKind.wanted)
        var filled = 0
        while filled < first.count {
            let from = filled
            var failure: InputError?
            let count = first.withUnsafeMutableBytes { bytes -> Int in
                do throws(InputError) {
                    return try inflated(into: UnsafeMutableRawBufferPointer(rebasing: bytes[from...]))
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            if count == 0 { break }
            filled += count
        }
        head = Array(first[..<filled])
        kind = InputKind.detect(head)
    }

    private mutating func chunk(_ wanted: Int) throws(InputError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: wanted)
        var filled = 0
        while filled < wanted {
            let from = filled
            var failure: InputError?
            let count = bytes.withUnsafeMutableBytes { space -> Int in
                do throws(InputError) {
                    return try plain(into: UnsafeMutableRawBufferPointer(rebasing: space[from...]))
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(wanted - filled)
        return bytes
    }

    private mutating func plain(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        while !isAtEnd {
            let count = Glibc.read(descriptor, space.baseAddress, space.count)
            if count > 0 {
                done &+= UInt64(count)
                if spool >= 0 { try keep(UnsafeRawBufferPointer(rebasing: space[..<count])) }
                return count
            }
            if count == 0 {
                isAtEnd = true
            } else if errno != EINTR {
                throw InputError(name, code: errno, doing: "reading it")
            }
        }
        return 0
    }

    private mutating func inflated(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        guard !isDamaged else { return 0 }
        while true {
            if rawStart == raw.count {
                raw = try chunk(65_536)
                rawStart = 0
                if raw.isEmpty {
                    if !(inflater?.isComplete ?? true) { isDamaged = true }
                    return 0
                }
            }
            let result = raw.withUnsafeBytes { bytes -> (taken: Int, given: Int)? in
                try? inflater?.inflate(UnsafeRawBufferPointer(rebasing: bytes[rawStart...]), into: space)
            }
            guard let result, result.taken > 0 || result.given > 0 else {
                isDamaged = true
                return 0
            }
            rawStart += result.taken
            if result.given > 0 { return result.given }
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) throws(InputError) {
        var at = 0
        while at < bytes.count {
            let count = write(spool, bytes.baseAddress! + at, bytes.count - at)
            if count < 0, errno != EINTR { throw InputError(name, code: errno, doing: "keeping it in a temporary file") }
            at += max(0, count)
        }
    }

    /// A file without a name, gone when it is closed; negative and errno set on failure.
    static func temporaryFile() -> Int32 {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let descriptor = pc_temporary_file(folder)
        if descriptor < 0 { errno = -descriptor }
        return descriptor
    }
}
