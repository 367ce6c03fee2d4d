import Glibc

/// A file that was read, or a pipe's spooled content, to be read once more from its start.
public final class ByteCopy: Sendable {
    public let name: String
    private let descriptor: Int32

    /// What the archive around it did not give.
    private let shortfall: Shortfall?
    /// What is read after it.
    private let following: [ByteCopy]

    /// `descriptor` is closed with the copy.
    init(descriptor: Int32, name: String, shortfall: Shortfall? = nil, following: [ByteCopy] = []) {
        self.descriptor = descriptor
        self.following = following
        self.shortfall = shortfall
        self.name = name
    }

    deinit { close(descriptor) }

    /// Parts of one capture that follow each other, as one: captures joined end to end are read as such.
    public static func joined(_ copies: [ByteCopy]) -> ByteCopy? {
        guard let first = copies.first else { return nil }
        let own = dup(first.descriptor)
        guard own >= 0 else { return nil }
        return ByteCopy(
            descriptor: own, name: copies.count > 1 ? "\(first.name) and \(copies.count - 1) more" : first.name,
            shortfall: first.shortfall, following: Array(copies.dropFirst()))
    }

    /// From the start. One reader at a time: they share a place in the file.
    public func open() throws(InputError) -> ByteSource {
        let own = dup(descriptor)
        guard own >= 0, lseek(own, 0, SEEK_SET) == 0 else {
            let code = errno
            if own >= 0 { close(own) }
            throw InputError(name, code: code, doing: "reading it once more")
        }
        let source = try ByteSource(descriptor: own, owns: true, name: name, isSpooled: false, shortfall: shortfall)
        for copy in following { source.follow(with: try copy.open()) }
        return source
    }
}
