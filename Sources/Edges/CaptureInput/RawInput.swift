import CCapture
import Glibc

/// The octets of a descriptor as they lie there, in order. What comes out of a pipe may be kept for a second reading.
final class RawInput {
    let name: String
    let descriptor: Int32
    private let ownsDescriptor: Bool
    /// Octets of a regular file; nil for pipes.
    let size: UInt64?
    /// Everything read is copied there; negative: nowhere.
    private(set) var spool: Int32 = -1
    /// Octets read so far.
    private(set) var done: UInt64 = 0
    private var isAtEnd = false

    /// `descriptor` is read from where it stands.
    init(descriptor: Int32, owns: Bool, name: String, isSpooled: Bool) throws(InputError) {
        self.descriptor = descriptor
        ownsDescriptor = owns
        self.name = name
        var status = stat()
        let isKnown = fstat(descriptor, &status) == 0
        let isRegular = isKnown && status.st_mode & S_IFMT == S_IFREG
        size = isRegular ? UInt64(status.st_size) : nil
        if isKnown, status.st_mode & S_IFMT == S_IFDIR { throw InputError(name, "it is a directory") }
        if isSpooled, !isRegular {
            spool = TemporaryFile.make()
            if spool < 0 { throw InputError(name, code: errno, doing: "making a temporary file for it") }
        }
        if isRegular { posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
    }

    /// `path` `-`: standard input.
    static func open(_ path: String, isSpooled: Bool) throws(InputError) -> RawInput {
        if path == "-" { return try RawInput(descriptor: 0, owns: false, name: "standard input", isSpooled: isSpooled) }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(path, code: errno, doing: "opening it") }
        return try RawInput(descriptor: descriptor, owns: true, name: path, isSpooled: isSpooled)
    }

    deinit {
        if ownsDescriptor { close(descriptor) }
        if spool >= 0 { close(spool) }
    }

    /// How many octets, 0 at the end.
    func read(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        while !isAtEnd {
            let count = Glibc.read(descriptor, space.baseAddress, space.count)
            if count > 0 {
                done &+= UInt64(count)
                if spool >= 0 {
                    try TemporaryFile.write(UnsafeRawBufferPointer(rebasing: space[..<count]).bytes, to: spool, for: name)
                }
                return count
            }
            if count == 0 {
                // A terminal's end comes once; a file's stays, and whoever seeks may read on.
                if size == nil { isAtEnd = true }
                return 0
            } else if errno != EINTR {
                throw InputError(name, code: errno, doing: "reading it")
            }
        }
        return 0
    }

    /// Up to `wanted` octets; fewer at the end only.
    func chunk(_ wanted: Int) throws(InputError) -> [UInt8] {
        try gathered(wanted) { space throws(InputError) in try read(into: space) }
    }
}

/// Calls `read` until `wanted` octets are there or none come.
func gathered(
    _ wanted: Int, _ read: (UnsafeMutableRawBufferPointer) throws(InputError) -> Int
) throws(InputError) -> [UInt8] {
    var failure: InputError?
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { space, filled in
        do throws(InputError) {
            while filled < wanted {
                let count = try read(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(space)[filled...]))
                if count == 0 { break }
                filled += count
            }
        } catch {
            failure = error
        }
    }
    if let failure { throw failure }
    return bytes
}

/// A file without a name, gone when it is closed.
enum TemporaryFile {
    /// Negative and errno set on failure.
    static func make() -> Int32 {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let descriptor = pc_temporary_file(folder)
        if descriptor < 0 { errno = -descriptor }
        return descriptor
    }

    static func write(_ bytes: RawSpan, to descriptor: Int32, for name: String) throws(InputError) {
        var at = 0
        while at < bytes.byteCount {
            let count = bytes.extracting(droppingFirst: at).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw InputError(name, code: errno, doing: "keeping it in a temporary file") }
            at += max(0, count)
        }
    }
}
