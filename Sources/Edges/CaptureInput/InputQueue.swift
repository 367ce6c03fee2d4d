import Capture
import Glibc

/// What lies behind one path: a file, or the members of an archive one after another, of archives within it, too.
///
/// Members are unpacked into unnamed temporary files, one at a time.
public final class InputQueue {
    /// As given.
    public let name: String
    /// What is in it is given, instead of itself.
    public var isArchive: Bool { outermost != nil }

    private let limits: ExpansionLimits
    private var first: ByteSource?
    private var levels: [ArchiveMembers] = []
    private var outermost: (file: RawInput, bound: ExpansionBound, shortfall: Shortfall?)?
    private var given = 0

    public init(path: String, isSpooled: Bool = false, limits: ExpansionLimits = .init()) throws(InputError) {
        self.limits = limits
        let source = try ByteSource(path: path, isSpooled: isSpooled, limits: limits)
        name = source.name
        switch try Self.opened(source, limits) {
        case .source(let source): first = source
        case .archive(let file, let shortfall):
            outermost = (file, ExpansionBound(limits, compressed: source.size ?? source.done), shortfall)
            try restart()
        }
    }

    /// From an archive's first member again. A file is given once.
    public func restart() throws(InputError) {
        guard let outermost else { return }
        outermost.bound.reset()
        given = 0
        levels = [try ArchiveMembers(outermost.file, bound: outermost.bound, shortfall: outermost.shortfall)]
    }

    /// The next input; nil when there are no more. An error is about one of them: more may follow.
    public func next() throws(InputError) -> ByteSource? {
        if let source = first.take() { return source }
        while let level = levels.last {
            guard given < limits.members else {
                levels = []
                throw InputError(name, "it holds more than \(limits.members) files: the rest is left out")
            }
            guard let source = try level.next() else {
                levels.removeLast()
                continue
            }
            given += 1
            switch try Self.opened(source, limits) {
            case .source(let source): return source
            case .archive(let file, let shortfall):
                guard levels.count < limits.depth else {
                    throw InputError(file.name, "archives in archives, too deep: it was not opened")
                }
                levels.append(try ArchiveMembers(file, bound: level.bound, shortfall: shortfall))
            }
        }
        return nil
    }

    private enum Opened {
        case source(ByteSource)
        case archive(RawInput, Shortfall?)
    }

    /// Something compressed twice is uncompressed until it is neither that nor an archive.
    private static func opened(_ source: ByteSource, _ limits: ExpansionLimits) throws(InputError) -> Opened {
        var source = source
        for _ in 0..<limits.depth {
            switch source.kind {
            case .archive:
                let descriptor = try source.unpackedFile()
                return .archive(
                    try RawInput(descriptor: descriptor, owns: true, name: source.name, isSpooled: false), source.shortfall)
            case .compressed where source.shortfall == nil:
                let descriptor = try source.unpackedFile()
                source = try ByteSource(
                    descriptor: descriptor, owns: true, name: source.name, isSpooled: false, limits: limits,
                    shortfall: source.shortfall)
            default: return .source(source)
            }
        }
        throw InputError(source.name, "it is compressed too many times over: it was not opened")
    }
}

extension ByteSource {
    /// Its content in a file that can be read from anywhere, at its start: itself where it is one, otherwise a temporary file.
    func unpackedFile() throws(InputError) -> Int32 {
        let file = size != nil && !isCompressed ? dup(raw.descriptor) : TemporaryFile.make()
        guard file >= 0 else { throw InputError(name, code: errno, doing: "making a temporary file for it") }
        do throws(InputError) {
            while size == nil || isCompressed {
                let bytes = try gathered(256 << 10) { space throws(InputError) in try read(into: space) }
                if bytes.isEmpty { break }
                try TemporaryFile.write(bytes.span.bytes, to: file, for: name)
            }
            guard lseek(file, 0, SEEK_SET) == 0 else { throw InputError(name, code: errno, doing: "reading it once more") }
        } catch {
            close(file)
            throw error
        }
        return file
    }
}
