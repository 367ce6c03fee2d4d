import Base
import Capture
import CaptureInput
import Foundation
import Packet
import Testing

/// A file of these octets, gone afterwards.
func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-\(UUID().uuidString)")
    try Data(bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    return try body(file.path)
}

func all(_ source: ByteSource) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1_000)
    while true {
        let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return bytes
}

@Suite("Inputs")
struct ByteSourceTests {
    @Test("a file is read from its head on, its size known")
    func plain() throws {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        try withFile(bytes) { path in
            let source = try ByteSource(path: path)
            #expect(source.size == 10_000 && !source.isCompressed)
            #expect(try all(source) == bytes)
        }
    }

    @Test("what cannot be opened says why")
    func missing() {
        #expect(throws: InputError.self) { _ = try ByteSource(path: "/nonexistent/file") }
        #expect(throws: InputError("/", "it is a directory")) { _ = try ByteSource(path: "/") }
    }

    @Test("a copy reads the file once more, also while it is read")
    func copies() throws {
        let bytes = [UInt8](repeating: 3, count: 9_000)
        try withFile(bytes) { path in
            let source = try ByteSource(path: path)
            let copied = source.copy()
            let copy = try #require(copied)
            #expect(try all(source) == bytes)
            for _ in 0..<2 {
                let again = try copy.open()
                #expect(try all(again) == bytes)
            }
        }
    }

    @Test("copies joined are read one after the other, each as often as is asked for, a compressed one among them")
    func joined() throws {
        let (first, second) = ([UInt8](repeating: 3, count: 9_000), [UInt8](repeating: 4, count: 500))
        try withFile(first) { one in
            try withFile(compressed(second)) { two in
                let copies = [try ByteSource(path: one).copy(), try ByteSource(path: two).copy()].compactMap { $0 }
                let whole = try #require(ByteCopy.joined(copies))
                let source = try whole.open()
                let again = try #require(source.copy())
                #expect(source.name == "\(one) and 1 more")
                #expect(try all(source) == first + second)
                #expect(try all(again.open()) == first + second)
            }
        }
        #expect(ByteCopy.joined([]) == nil)
    }

    // MARK: gzip

    /// Compressed by the tool that everybody has.
    func compressed(_ bytes: [UInt8]) throws -> [UInt8] {
        try withFile(bytes) { path in
            let gzip = Process()
            gzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            gzip.arguments = ["gzip", "-c", path]
            let pipe = Pipe()
            gzip.standardOutput = pipe
            try gzip.run()
            let data = pipe.fileHandleForReading.readDataToEndOfFile()
            gzip.waitUntilExit()
            return Array(data)
        }
    }

    @Test("gzip is read through, in several members, and its content told apart")
    func gzip() throws {
        var writer = PcapWriter()
        for number in 0..<500 {
            writer.append([0x45, UInt8(number & 255)] + [UInt8](repeating: UInt8(number & 63), count: 200), at: .epoch)
        }
        let half = writer.bytes.count / 2
        let members = try compressed(Array(writer.bytes[..<half])) + compressed(Array(writer.bytes[half...]))
        try withFile(members) { path in
            let source = try ByteSource(path: path)
            #expect(source.isCompressed && source.kind == .pcap)
            #expect(try all(source) == writer.bytes)
        }
    }

    @Test("damaged or cut gzip gives what comes before, and says so", arguments: [true, false])
    func damagedGzip(isCut: Bool) throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }
        var members = try compressed(bytes)
        if isCut { members.removeLast(members.count / 2) } else { members[members.count / 2] ^= 0xff }
        try withFile(members) { path in
            let source = try ByteSource(path: path)
            var count = 0
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                let got = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
                if got == 0 { break }
                // Behind a flipped bit anything may come until zlib notices.
                if isCut { #expect(buffer[..<got].elementsEqual(bytes[count..<(count + got)])) }
                count += got
            }
            #expect(count > 0 && source.shortfall == .damaged)
        }
    }

    // MARK: Captures

    @Test("a capture comes in batches in order, whatever their size; the notes come with it")
    func reader() throws {
        var writer = PcapWriter()
        let (a, b) = (Endpoint("192.0.2.1:5060")!, Endpoint("192.0.2.2:5060")!)
        for number in 0..<5_000 {
            writer.append(
                try IPPacket.bytes(of: Datagram(from: a, to: b, Array("OPTIONS sip:\(number)@x SIP/2.0\r\n\r\n".utf8))),
                at: Instant(seconds: Int64(number)))
        }
        try withFile(writer.bytes) { path in
            var frames: [UInt64] = []
            var batches = 0
            let reader = CaptureFileReader(capacity: 65_536, boxes: 3)
            let notes = try reader.read(try ByteSource(path: path), file: 2, reading: 0) {
                $1 = $0.records.count
            } _: { batch, reading, _ in
                batches += 1
                #expect(batch.file == 2 && reading == batch.records.count)
                for record in batch.records { frames.append(record.frame) }
            }
            #expect(frames == Array(1...5_000) && batches > 3 && notes.frames == 5_000 && notes.damages == 0)
        }
    }

    @Test("damage of the compression is noted as damage of the capture")
    func damagedCapture() throws {
        var writer = PcapWriter()
        for number in 0..<2_000 { writer.append([0x45] + (0..<100).map { UInt8(truncatingIfNeeded: $0 * number) }, at: .epoch) }
        let cut = try compressed(writer.bytes).dropLast(500)
        try withFile(Array(cut)) { path in
            let notes = try CaptureFileReader().read(try ByteSource(path: path), file: 0, reading: 0, { _, _ in }, { _, _, _ in })
            #expect(notes.damage.contains { $0.reason == .compression } && notes.frames > 0)
        }
    }
}
