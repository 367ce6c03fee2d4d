import CArchive
import Glibc

/// Octets unpacked so far, against what is believed: one for an archive and all within it.
final class ExpansionBound {
    let limits: ExpansionLimits
    private let compressed: UInt64
    private(set) var expanded: UInt64 = 0

    init(_ limits: ExpansionLimits, compressed: UInt64) {
        self.limits = limits
        self.compressed = compressed
    }

    func reset() { expanded = 0 }

    /// False: this is too much.
    func take(_ count: Int) -> Bool {
        expanded &+= UInt64(count)
        return isKept
    }

    var isKept: Bool { expanded <= limits.kept && limits.allow(expanded, of: compressed) }
}

/// The files in a zip, 7z or tar archive, in order. Damage costs the members it touches, not the others.
final class ArchiveMembers {
    let bound: ExpansionBound
    private let input: RawInput
    private var name: String { input.name }
    private var handle: ArchiveHandle?
    /// Headers passed so far, those of folders and links included.
    private var passed = 0
    private var files = 0
    /// What came out of the compression around it is not all.
    private let shortfall: Shortfall?
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)

    /// `input`: a regular file.
    init(_ input: RawInput, bound: ExpansionBound, shortfall: Shortfall?) throws(InputError) {
        self.bound = bound
        self.input = input
        self.shortfall = shortfall
        handle = ArchiveHandle.members(input)
        if handle == nil { throw InputError(name, "the archive is damaged: nothing of it could be read") }
    }

    deinit { buffer.deallocate() }

    /// The next file as a source of its own. An error is about one member, or about the archive's rest.
    func next() throws(InputError) -> ByteSource? {
        while let handle {
            guard bound.isKept else {
                self.handle = nil
                throw InputError(name, Self.words(for: .bomb(octets: bound.expanded)))
            }
            switch handle.next() {
            case .end:
                self.handle = nil
                if files == 0 { throw InputError(name, "the archive holds no file") }
                if let shortfall { throw InputError(name, "\(Self.words(for: shortfall)): files may be missing") }
            case .damaged(let words):
                self.handle = nil
                if let failure = handle.failure { throw failure }
                if handle.hasEncryption || words.contains("ncrypt") { throw InputError(name, Self.encrypted) }
                throw InputError(
                    name,
                    "\(Self.words(for: shortfall ?? .damaged)) after \(files) \(files == 1 ? "file" : "files"): what follows is lost"
                )
            case .entry:
                passed += 1
                let member = handle.name
                guard handle.isFile, !Self.isClutter(member) else { continue }
                files += 1
                let whole = "\(name): \(member)"
                if handle.isEncrypted { throw InputError(whole, Self.encrypted) }
                return try unpack(handle, whole)
            }
        }
        return nil
    }

    static let encrypted = "it is encrypted: unpack it with its password, and give what is in it"

    static func words(for shortfall: Shortfall) -> String {
        switch shortfall {
        case .damaged: "the archive is damaged or cut off"
        case .bomb(let octets): "the archive expands beyond belief: stopped after \(octets >> 20) MiB"
        }
    }

    /// What macOS and Windows put beside files for themselves.
    static func isClutter(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let last = parts.last else { return true }
        return parts.contains("__MACOSX") || last.hasPrefix("._") || last == ".DS_Store" || last.lowercased() == "thumbs.db"
            || last.lowercased() == "desktop.ini"
    }

    private func unpack(_ handle: ArchiveHandle, _ member: String) throws(InputError) -> ByteSource {
        let file = TemporaryFile.make()
        guard file >= 0 else { throw InputError(member, code: errno, doing: "making a temporary file for it") }
        var amiss: Shortfall?
        do throws(InputError) {
            reading: while true {
                switch handle.read(into: buffer) {
                case .octets(let count):
                    try TemporaryFile.write(
                        UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes, to: file, for: member)
                    guard bound.take(count) else {
                        amiss = .bomb(octets: bound.expanded)
                        break reading
                    }
                case .end: break reading
                case .damaged(let isLast):
                    if let failure = handle.failure { throw failure }
                    amiss = shortfall ?? .damaged
                    if isLast { reopen() }
                    break reading
                }
            }
            guard lseek(file, 0, SEEK_SET) == 0 else { throw InputError(member, code: errno, doing: "reading it") }
        } catch {
            close(file)
            throw error
        }
        return try ByteSource(
            descriptor: file, owns: true, name: member, isSpooled: false, limits: bound.limits, shortfall: amiss)
    }

    /// libarchive gives an archive up with a damaged member; its others can be found all the same.
    private func reopen() {
        handle = ArchiveHandle.members(input)
        for _ in 0..<passed where handle?.next() != .entry { handle = nil }
    }
}
