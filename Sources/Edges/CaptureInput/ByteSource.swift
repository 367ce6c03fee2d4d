import Capture
import Glibc

/// The octets of a file or of standard input, read in pieces, uncompressed where they are one compressed stream, told apart by content.
public final class ByteSource {
    /// As given; "standard input" for `-`.
    public var name: String { raw.name }
    /// What it holds, below the compression. A compressed kind: nothing came out of it, or it is compressed twice.
    public private(set) var kind = InputKind.empty
    public private(set) var isCompressed = false
    /// Why less came out than it says it holds.
    public private(set) var shortfall: Shortfall?
    /// Octets of the file itself; nil for pipes.
    public var size: UInt64? { raw.size.map { following.reduce($0) { $0 + ($1.size ?? 0) } } }
    /// Octets read from the file so far.
    public var done: UInt64 { following.reduce(raw.done) { $0 + $1.done } }

    let raw: RawInput
    private let limits: ExpansionLimits
    private var inflater: Inflater?
    private var unpacker: ArchiveHandle?
    /// Octets of the file that were read and not yet given.
    private var pending: [UInt8] = []
    private var pendingStart = 0
    /// Uncompressed octets that were looked at to tell the kind.
    private var head: [UInt8] = []
    private var headStart = 0
    /// What is read after it, and how much of that is done.
    private var following: [ByteSource] = []
    private var at = 0
    /// Octets given by the decompressor.
    private var expanded: UInt64 = 0
    /// Nothing more comes out. What was amiss in the archive around does not stop the reading.
    private var isStopped = false

    /// `path` `-`: standard input. `isSpooled`: a pipe is kept in an unnamed temporary file, so that `copy()` can read it once more.
    public init(path: String, isSpooled: Bool = false, limits: ExpansionLimits = .init()) throws(InputError) {
        raw = try RawInput.open(path, isSpooled: isSpooled)
        self.limits = limits
        try detect()
    }

    /// `descriptor` is read from where it stands. `shortfall`: what is known of it from the archive it came out of.
    init(
        descriptor: Int32, owns: Bool, name: String, isSpooled: Bool, limits: ExpansionLimits = .init(),
        shortfall: Shortfall? = nil
    ) throws(InputError) {
        raw = try RawInput(descriptor: descriptor, owns: owns, name: name, isSpooled: isSpooled)
        self.limits = limits
        self.shortfall = shortfall
        try detect()
    }

    /// The same octets once more, for later: while this source is read, or after. nil for a pipe that is not spooled.
    public func copy() -> ByteCopy? {
        guard raw.size != nil || raw.spool >= 0 else { return nil }
        let own = dup(raw.spool >= 0 ? raw.spool : raw.descriptor)
        return own >= 0
            ? ByteCopy(
                descriptor: own, name: name, shortfall: isCompressed ? nil : shortfall,
                following: following.compactMap { $0.copy() })
            : nil
    }

    /// Another is read after it.
    func follow(with source: ByteSource) { following.append(source) }

    /// Fills `space` as far as there is input: how many octets, 0 at the end.
    public func read(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        let count = try readOwn(into: space)
        guard count == 0, space.count > 0 else { return count }
        while at < following.count {
            let next = try following[at].read(into: space)
            if next > 0 { return next }
            if let missing = following[at].shortfall { shortfall = shortfall ?? missing }
            at += 1
        }
        return 0
    }

    private func readOwn(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        if headStart < head.count {
            let count = min(space.count, head.count - headStart)
            head.withUnsafeBytes { bytes in
                space.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[headStart..<(headStart + count)]))
            }
            headStart += count
            if headStart == head.count { head = [] }
            return count
        }
        return try isCompressed ? uncompressed(into: space) : raw.read(into: space)
    }

    // MARK: Private

    private func detect() throws(InputError) {
        let first = try raw.chunk(InputKind.wanted)
        kind = InputKind.detect(first)
        guard case .compressed(let compression) = kind else {
            head = first
            return
        }
        isCompressed = true
        if compression == .gzip {
            pending = first
            inflater = Inflater()
            guard inflater != nil else { throw InputError(name, "there is no memory to uncompress it") }
        } else {
            unpacker = ArchiveHandle.stream(raw, head: first)
            if unpacker == nil { shortfall = .damaged }
        }
        head = try gathered(InputKind.wanted) { space throws(InputError) in try uncompressed(into: space) }
        if !head.isEmpty || shortfall == nil { kind = InputKind.detect(head) }
    }

    private func uncompressed(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        guard !isStopped else { return 0 }
        let count = try inflater != nil ? inflated(into: space) : unpacked(into: space)
        expanded &+= UInt64(count)
        if !limits.allow(expanded, of: raw.done) {
            shortfall = .bomb(octets: expanded)
            isStopped = true
        }
        return count
    }

    private func fail() -> Int {
        shortfall = .damaged
        isStopped = true
        return 0
    }

    private func unpacked(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        guard let unpacker else { return 0 }
        switch unpacker.read(into: space) {
        case .octets(let count): return count
        case .end: return 0
        case .damaged:
            if let failure = unpacker.failure { throw failure }
            return fail()
        }
    }

    private func inflated(into space: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        while true {
            if pendingStart == pending.count {
                pending = try raw.chunk(65_536)
                pendingStart = 0
                if pending.isEmpty { return inflater?.isComplete ?? true ? 0 : fail() }
            }
            let result = pending.withUnsafeBytes { bytes -> (taken: Int, given: Int)? in
                try? inflater?.inflate(UnsafeRawBufferPointer(rebasing: bytes[pendingStart...]), into: space)
            }
            guard let result, result.taken > 0 || result.given > 0 else { return fail() }
            pendingStart += result.taken
            if result.given > 0 { return result.given }
        }
    }
}
