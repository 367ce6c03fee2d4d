import Glibc

/// A file that was read, or a pipe's spooled content, to be read once more from its start.
public final class ByteCopy: Sendable {
    public let name: String
    private let descriptor: Int32

    /// What the archive around it did not give.
    private let shortfall: Shortfall?

    /// `descriptor` is closed with the copy.
    init(descriptor: Int32, name: String, shortfall: Shortfall? = nil) {
        self.descriptor = descriptor
        self.shortfall = shortfall
        self.name = name
    }

    deinit { close(descriptor) }

    /// From the start. One reader at a time: they share a place in the file.
    public func open() throws(InputError) -> ByteSource {
        let own = dup(descriptor)
        guard own >= 0, lseek(own, 0, SEEK_SET) == 0 else {
            let code = errno
            if own >= 0 { close(own) }
            throw InputError(name, code: code, doing: "reading it once more")
        }
        return try ByteSource(descriptor: own, owns: true, name: name, isSpooled: false, shortfall: shortfall)
    }
}
