import CArchive
import Glibc

/// libarchive's reader over an input: it asks for octets, and skips or seeks where the input is a file.
final class ArchiveHandle {
    enum Step: Equatable {
        case entry
        case end
        /// What libarchive says against it.
        case damaged(String)
    }

    let archive: OpaquePointer
    private var entry: OpaquePointer?
    private let input: RawInput
    /// Octets that were looked at before.
    private var head: [UInt8]
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    /// Why the input itself could not be read.
    private(set) var failure: InputError?

    /// One compressed stream, of which `head` was read.
    static func stream(_ input: RawInput, head: [UInt8]) -> ArchiveHandle? {
        guard let handle = ArchiveHandle(input, head: head) else { return nil }
        let filters = [
            archive_read_support_filter_xz, archive_read_support_filter_zstd, archive_read_support_filter_bzip2,
            archive_read_support_filter_lz4, archive_read_support_filter_lzip, archive_read_support_filter_compress,
        ]
        // A warning: it would start a program for it.
        for filter in filters where filter(handle.archive) != ARCHIVE_OK { return nil }
        archive_read_support_format_raw(handle.archive)
        return handle.open() && handle.next() == .entry ? handle : nil
    }

    /// A file of members, read from its start.
    static func members(_ input: RawInput) -> ArchiveHandle? {
        guard lseek(input.descriptor, 0, SEEK_SET) == 0, let handle = ArchiveHandle(input, head: []) else { return nil }
        archive_read_support_format_zip(handle.archive)
        archive_read_support_format_7zip(handle.archive)
        archive_read_support_format_tar(handle.archive)
        archive_read_set_seek_callback(handle.archive) { _, context, offset, whence in
            let handle = ArchiveHandle.of(context)
            let place = lseek(handle.input.descriptor, Int(offset), whence)
            return place < 0 ? la_int64_t(ARCHIVE_FATAL) : la_int64_t(place)
        }
        archive_read_set_skip_callback(handle.archive) { _, context, count in
            let handle = ArchiveHandle.of(context)
            let from = lseek(handle.input.descriptor, 0, SEEK_CUR)
            guard from >= 0, let size = handle.input.size else { return 0 }
            // Beyond the end there is nothing to skip to: reading tells so.
            let to = min(from + Int(max(0, count)), max(from, Int(clamping: size)))
            return lseek(handle.input.descriptor, to, SEEK_SET) == to ? la_int64_t(to - from) : 0
        }
        return handle.open() ? handle : nil
    }

    private init?(_ input: RawInput, head: [UInt8]) {
        guard let archive = archive_read_new() else { return nil }
        self.archive = archive
        self.input = input
        self.head = head
    }

    deinit {
        archive_read_free(archive)
        buffer.deallocate()
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> ArchiveHandle {
        Unmanaged<ArchiveHandle>.fromOpaque(context!).takeUnretainedValue()
    }

    private func open() -> Bool {
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(self).toOpaque())
        archive_read_set_read_callback(archive) { _, context, bytes in
            let handle = ArchiveHandle.of(context)
            bytes?.pointee = UnsafeRawPointer(handle.buffer.baseAddress)
            return handle.fill()
        }
        return archive_read_open1(archive) == ARCHIVE_OK
    }

    private func fill() -> Int {
        if !head.isEmpty {
            buffer.copyBytes(from: head)
            let count = head.count
            head = []
            return count
        }
        do throws(InputError) { return try input.read(into: buffer) } catch {
            failure = error
            return Int(ARCHIVE_FATAL)
        }
    }

    /// To the next member.
    func next() -> Step {
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK, ARCHIVE_WARN, ARCHIVE_RETRY: .entry
        case ARCHIVE_EOF: .end
        default: .damaged(archive_error_string(archive).map { String(cString: $0) } ?? "")
        }
    }

    /// Of the member in hand. Nothing in it breaks a line or steers a terminal.
    var name: String {
        guard let pointer = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else { return "?" }
        let name = String(decoding: UnsafeRawBufferPointer(start: pointer, count: strlen(pointer)), as: UTF8.self)
        return String(
            String.UnicodeScalarView(name.unicodeScalars.prefix(240).map { $0.properties.generalCategory == .control ? "?" : $0 })
        )
    }

    var isFile: Bool { archive_entry_filetype(entry) & S_IFMT == S_IFREG }
    var isEncrypted: Bool { archive_entry_is_encrypted(entry) != 0 }
    var hasEncryption: Bool { archive_read_has_encrypted_entries(archive) > 0 }

    enum Piece {
        case octets(Int)
        case end
        /// The member is damaged; others may follow unless `isLast`.
        case damaged(isLast: Bool)
    }

    func read(into space: UnsafeMutableRawBufferPointer) -> Piece {
        let count = archive_read_data(archive, space.baseAddress, space.count)
        if count > 0 { return .octets(count) }
        return count == 0 ? .end : .damaged(isLast: count == Int(ARCHIVE_FATAL))
    }
}
