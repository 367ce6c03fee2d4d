import Base
import CArchive
import Capture
import CaptureInput
import Packet

/// A capture of `count` packets whose octets compress badly.
func someCapture(_ count: Int = 300) -> [UInt8] {
    var writer = PcapWriter()
    var noise: UInt32 = 1
    for number in 0..<count {
        let payload = (0..<200).map { _ -> UInt8 in
            noise = noise &* 1_664_525 &+ 1_013_904_223
            return UInt8(noise >> 24)
        }
        let datagram = Datagram(from: Endpoint("192.0.2.1:5060")!, to: Endpoint("192.0.2.2:5060")!, payload)
        writer.append(try! IPPacket.bytes(of: datagram), at: Instant(seconds: Int64(number)))
    }
    return writer.bytes
}

/// What libarchive writes: an archive of files, or one compressed stream.
struct Packing {
    var form: @Sendable (OpaquePointer) -> Int32 = { archive_write_set_format_raw($0) }
    var filter: @Sendable (OpaquePointer) -> Int32 = { archive_write_add_filter_none($0) }
    var password: String?

    static let zip = Packing(form: { archive_write_set_format_zip($0) })
    static let sevenZip = Packing(form: { archive_write_set_format_7zip($0) })
    static let tar = Packing(form: { archive_write_set_format_ustar($0) })

    static func stream(_ filter: @escaping @Sendable (OpaquePointer) -> Int32) -> Packing { Packing(filter: filter) }

    /// By name, as test arguments want them.
    static let streams: [(String, Packing)] = [
        ("xz", stream { archive_write_add_filter_xz($0) }), ("zstd", stream { archive_write_add_filter_zstd($0) }),
        ("bzip2", stream { archive_write_add_filter_bzip2($0) }), ("lz4", stream { archive_write_add_filter_lz4($0) }),
        ("lzip", stream { archive_write_add_filter_lzip($0) }), ("compress", stream { archive_write_add_filter_compress($0) }),
        ("gzip", stream { archive_write_add_filter_gzip($0) }),
    ]
    static let archives: [(String, Packing)] = [
        ("zip", zip), ("7z", sevenZip), ("tar", tar),
        ("tar.gz", Packing(form: tar.form, filter: { archive_write_add_filter_gzip($0) })),
        ("tar.xz", Packing(form: tar.form, filter: { archive_write_add_filter_xz($0) })),
        ("tar.zst", Packing(form: tar.form, filter: { archive_write_add_filter_zstd($0) })),
    ]

    func callAsFunction(_ files: [(String, [UInt8])]) -> [UInt8] {
        let archive = archive_write_new()!
        defer { archive_write_free(archive) }
        let capacity = 1 << 20 + files.reduce(0) { $0 + 2 * $1.1.count }
        return [UInt8](unsafeUninitializedCapacity: capacity) { space, count in
            var used = 0
            precondition(form(archive) == ARCHIVE_OK && filter(archive) == ARCHIVE_OK)
            archive_write_set_bytes_in_last_block(archive, 1)
            if let password {
                precondition(archive_write_set_options(archive, "zip:encryption=zipcrypt") == ARCHIVE_OK)
                archive_write_set_passphrase(archive, password)
            }
            precondition(archive_write_open_memory(archive, space.baseAddress, space.count, &used) == ARCHIVE_OK)
            for (name, bytes) in files {
                let entry = archive_entry_new()!
                defer { archive_entry_free(entry) }
                archive_entry_set_pathname(entry, name)
                archive_entry_set_size(entry, la_int64_t(bytes.count))
                archive_entry_set_filetype(entry, name.hasSuffix("/") ? 0o040000 : 0o100000)
                archive_entry_set_perm(entry, 0o644)
                precondition(archive_write_header(archive, entry) == ARCHIVE_OK)
                if !bytes.isEmpty { precondition(archive_write_data(archive, bytes, bytes.count) == bytes.count) }
            }
            precondition(archive_write_close(archive) == ARCHIVE_OK)
            count = used
        }
    }

    func callAsFunction(_ bytes: [UInt8]) -> [UInt8] { self([("data", bytes)]) }
}

/// What a queue gives, until it is empty.
struct Given: Equatable {
    var names: [String] = []
    var kinds: [InputKind] = []
    var contents: [[UInt8]] = []
    var shortfalls: [Shortfall?] = []
    var errors: [String] = []

    /// Names and errors without the path before the last slash.
    init(_ bytes: [UInt8], limits: ExpansionLimits = .init()) throws {
        try withFile(bytes) { path in
            func short(_ text: String) -> String { text.replacing(path, with: "x") }
            do {
                let queue = try InputQueue(path: path, limits: limits)
                for _ in 0..<100 {
                    do {
                        guard let source = try queue.next() else { return }
                        names.append(short(source.name))
                        kinds.append(source.kind)
                        contents.append(try all(source))
                        shortfalls.append(source.shortfall)
                    } catch { errors.append(short("\(error)")) }
                }
            } catch { errors.append(short("\(error)")) }
        }
    }
}
