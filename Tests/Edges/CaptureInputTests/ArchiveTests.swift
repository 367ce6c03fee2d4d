import Capture
import CaptureInput
import Testing

@Suite("Compressed files and archives")
struct ArchiveTests {
    static let streams = Packing.streams.map(\.0)
    static let archives = Packing.archives.map(\.0)

    func packing(_ name: String) throws -> Packing {
        try #require((Packing.streams + Packing.archives).first { $0.0 == name }).1
    }

    @Test("one compressed stream is read through and its content told apart", arguments: streams)
    func stream(name: String) throws {
        let capture = someCapture()
        let packed = try packing(name)(capture)
        try withFile(packed) { path in
            let source = try ByteSource(path: path)
            #expect(source.isCompressed && source.kind == .pcap && source.size == UInt64(packed.count))
            #expect(try all(source) == capture && source.shortfall == nil)
            let copied = source.copy()
            let again = try #require(copied).open()
            #expect(try all(again) == capture)
        }
    }

    @Test("a stream cut short gives what comes before, and says so; nothing is invented", arguments: streams)
    func cutStream(name: String) throws {
        let capture = someCapture(3_000)
        let packed = try packing(name)(capture)
        for keep in [20, packed.count / 3, packed.count * 9 / 10, packed.count - 1] {
            try withFile(Array(packed[..<keep])) { path in
                let source = try ByteSource(path: path)
                let bytes = try all(source)
                // LZW and LZ4 have no end that could be missed.
                #expect(source.shortfall == .damaged || name == "compress" || bytes == capture, "\(keep)")
                #expect(capture.starts(with: bytes))
                // bzip2 and LZ4 have blocks larger than this.
                if keep > packed.count / 2, name != "bzip2", name != "lz4" { #expect(bytes.count > capture.count / 2) }
            }
        }
    }

    @Test("compressed streams are read from pipes as they come; two in one are undone", arguments: ["gzip", "xz"])
    func twice(name: String) throws {
        let capture = someCapture(20)
        let given = try Given(packing(name)(packing("zstd")(capture)))
        #expect(given.contents == [capture] && given.names == ["x"] && given.errors.isEmpty && given.kinds == [.pcap])
    }

    @Test("each file of an archive is an input of its own, under its name", arguments: archives)
    func archive(name: String) throws {
        let log = Array("<--- SIP read from UDP:192.0.2.1:5060 --->\n".utf8)
        let packed = try packing(name)([("a/", []), ("a/phone.pcap", someCapture(30)), ("server.log", log)])
        let given = try Given(packed)
        #expect(given.names.sorted() == ["x: a/phone.pcap", "x: server.log"] && given.errors.isEmpty)
        #expect(Set(given.contents) == [someCapture(30), log] && given.shortfalls == [nil, nil])
    }

    @Test("what systems put beside files is passed over; names steer no terminal")
    func clutter() throws {
        let packed = Packing.zip([
            ("__MACOSX/._a.pcap", [1]), (".DS_Store", [1]), ("a/._b", [1]), ("Thumbs.db", [1]), ("a/Desktop.ini", [1]),
            ("\u{1b}[31mred\n.pcap", someCapture(1)),
        ])
        #expect(try Given(packed).names == ["x: ?[31mred?.pcap"])
    }

    @Test("archives in archives are opened, so deep and no deeper")
    func nested() throws {
        var packed = Packing.zip([("a.pcap", someCapture(1))])
        packed = Packing.zip([("inner.zip", packed), ("b.pcap.gz", try packing("gzip")(someCapture(2)))])
        let given = try Given(packed)
        #expect(given.names == ["x: inner.zip: a.pcap", "x: b.pcap.gz"] && given.contents == [someCapture(1), someCapture(2)])
        for _ in 0..<4 { packed = Packing.zip([("z", packed)]) }
        #expect(try Given(packed).errors == ["x: z: z: z: z: archives in archives, too deep: it was not opened"])
    }

    @Test("an encrypted member is named, the others are read")
    func encrypted() throws {
        var packing = Packing.zip
        packing.password = "secret"
        let given = try Given(packing([("a.pcap", someCapture(1)), ("b.pcap", someCapture(1))]))
        #expect(
            given.names.isEmpty
                && given.errors
                    == ["a", "b"].map { "x: \($0).pcap: it is encrypted: unpack it with its password, and give what is in it" }
        )
    }

    @Test("an archive cut short gives its first files, and says that others are lost", arguments: ["zip", "tar", "tar.gz"])
    func cutArchive(name: String) throws {
        let files = (0..<6).map { ("\($0).pcap", someCapture(60 + $0)) }
        let packed = try packing(name)(files)
        for part in [3, 5, 8] {
            let given = try Given(Array(packed[..<(packed.count * part / 10)]))
            #expect(!given.contents.isEmpty && given.contents.count < 6)
            for (index, bytes) in given.contents.enumerated() {
                let whole = given.shortfalls[index] == nil
                #expect(whole ? bytes == files[index].1 : files[index].1.starts(with: bytes), "\(index)")
            }
            #expect(given.shortfalls.contains(.damaged) || !given.errors.isEmpty, "\(part)")
        }
    }

    @Test("a damaged member costs no other")
    func damagedMember() throws {
        let files = (0..<4).map { ("\($0).pcap", someCapture(100 + $0)) }
        var packed = Packing.zip(files)
        for place in 0..<40 { packed[packed.count * 3 / 8 + place] ^= 0x5a }
        let given = try Given(packed)
        #expect(given.names.count == 4 && given.shortfalls == [nil, .damaged, nil, nil])
        #expect(given.contents[0] == files[0].1 && given.contents[2] == files[2].1 && given.contents[3] == files[3].1)
    }

    @Test("cut at every length, and with octets changed: no crash, and something is said")
    func hostile() throws {
        for (name, packing) in Packing.archives {
            let packed = packing([("a.pcap", someCapture(2)), ("b.pcap", someCapture(1))])
            for keep in stride(from: 1, to: packed.count, by: max(1, packed.count / 90)) {
                let given = try Given(Array(packed[..<keep]))
                #expect(!given.names.isEmpty || !given.errors.isEmpty, "\(name) \(keep)")
                var changed = packed
                changed[keep] ^= 0xff
                changed[keep / 2] &+= 1
                _ = try Given(changed)
            }
        }
    }

    @Test("what expands beyond belief is stopped, and the reason counted", arguments: ["gzip", "bzip2", "zip", "tar.gz"])
    func bomb(name: String) throws {
        var limits = ExpansionLimits()
        (limits.free, limits.ratio) = (1 << 20, 20)
        let packed = try packing(name)([("zeros", [UInt8](repeating: 0, count: 8 << 20))])
        let given = try Given(packed, limits: limits)
        let read = given.contents.reduce(0) { $0 + $1.count }
        #expect(read <= 2 << 20)
        #expect(
            given.errors.contains { $0.contains("beyond belief") } || given.shortfalls.contains { $0 != nil && $0 != .damaged })
    }

    @Test("members beyond number are left out, and that is said")
    func manyMembers() throws {
        var limits = ExpansionLimits()
        limits.members = 3
        let given = try Given(Packing.zip((0..<9).map { ("\($0).pcap", someCapture(1)) }), limits: limits)
        #expect(given.names.count == 3 && given.errors == ["x: it holds more than 3 files: the rest is left out"])
    }

    @Test("an archive of nothing says so", arguments: ["zip", "tar"])
    func hollow(name: String) throws {
        let errors = try Given(packing(name)([("a/", [])])).errors
        #expect(errors == ["x: the archive holds no file"])
    }

    @Test("a text that begins as an archive does is a text")
    func lookAlikes() throws {
        for text in ["PK\nRegistered SIP '100' at 192.0.2.1\n", "BZh is a name\n", "7z x trace.7z\n", "Rar! LZIP ustar\n"] {
            let given = try Given(Array(text.utf8))
            #expect(given.kinds == [.textLog] && given.contents == [Array(text.utf8)])
        }
    }
}
