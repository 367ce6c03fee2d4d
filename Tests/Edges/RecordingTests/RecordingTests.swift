import Base
import Codecs
import Conference
import Foundation
import LinuxEdge
import Recording
import Synchronization
import Testing

@Suite struct RecordingTests {
    /// A folder that is gone when the test is over.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-rec-\(UUID().uuidString)").path
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
        var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
        func wav(_ name: String) throws -> WAVFile {
            try WAVFile(parsing: [UInt8](try #require(FileManager.default.contents(atPath: path + "/" + name))))
        }
    }

    private let at = Instant(seconds: 1_764_065_520)
    private let block = (0..<3_200).map { Int16(truncatingIfNeeded: $0 * 7) }

    @Test("A recording is a WAV file of its room and time, playable while it grows, with a right header when it ends")
    func growing() throws {
        let folder = try Folder()
        var recordings = RecordingFolder(folder.path)
        var reports: [RecordingReport] = []
        let id = RecordingID(1)
        recordings.take(.began(id, room: "8000", sampleRate: 16_000, at: at)) { reports.append($0) }
        let name = "8000-20251125T101200Z.wav"
        #expect(folder.files == [name])
        for count in 1...30 {
            recordings.take(.samples(id, block)) { reports.append($0) }
            #expect(try folder.wav(name).samples.count == (count < 25 ? count * 3_200 : 25 * 3_200))
        }
        recordings.take(.ended(id)) { reports.append($0) }
        let wav = try folder.wav(name)
        #expect(wav.sampleRate == 16_000 && wav.channels == 1)
        #expect(wav.samples == (0..<30).flatMap { _ in block })
        let path = folder.path + "/" + name
        #expect(reports == [.began(file: path), .ended(file: path, seconds: 6)])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("Two recordings of one room and second get names of their own; nothing there is overwritten")
    func names() throws {
        let folder = try Folder()
        var recordings = RecordingFolder(folder.path)
        for number in 1...3 {
            recordings.take(.began(RecordingID(UInt64(number)), room: "8000", sampleRate: 8_000, at: at)) { _ in }
        }
        #expect(folder.files == ["8000-20251125T101200Z-2.wav", "8000-20251125T101200Z-3.wav", "8000-20251125T101200Z.wav"])
        #expect(recordings.openCount == 3)
        recordings.finish { _ in }
        #expect(recordings.openCount == 0)
    }

    @Test("A room's name cannot leave the folder")
    func hostileNames() {
        #expect(RecordingFolder.fileName("../../etc/passwd") == "______etc_passwd")
        #expect(RecordingFolder.fileName("") == "room" && RecordingFolder.fileName("a\0b/ü") == "a_b___")
        #expect(RecordingFolder.fileName(String(repeating: "x", count: 500)).count == 64)
    }

    @Test("A file that is full is followed by the next part, without a sample lost")
    func parts() throws {
        let folder = try Folder()
        var recordings = RecordingFolder(folder.path, limit: 10_000)
        let id = RecordingID(1)
        recordings.take(.began(id, room: "r", sampleRate: 8_000, at: at)) { _ in }
        for _ in 0..<5 { recordings.take(.samples(id, block)) { _ in } }
        recordings.take(.ended(id)) { _ in }
        let lengths = try folder.files.map { try folder.wav($0).samples.count }
        #expect(lengths == [6_400, 3_200, 6_400])
    }

    @Test("A folder that cannot be written to is told of, once a recording, and what follows is passed over")
    func failures() throws {
        var recordings = RecordingFolder("/nonexistent/recordings")
        var reports: [RecordingReport] = []
        recordings.take(.began(RecordingID(1), room: "8000", sampleRate: 16_000, at: at)) { reports.append($0) }
        recordings.take(.samples(RecordingID(1), block)) { reports.append($0) }
        recordings.take(.ended(RecordingID(1))) { reports.append($0) }
        guard case .failed("8000", let reason)? = reports.first else {
            Issue.record("no failure told")
            return
        }
        #expect(reports.count == 1 && reason.contains("/nonexistent/recordings"))
        #expect(throws: SystemError.self) { try WAVRecorder(folder: "/nonexistent/recordings") }
    }

    @Test("A recording whose next part cannot be made ends there, told of once")
    func failureMidway() throws {
        let folder = try Folder()
        var recordings = RecordingFolder(folder.path, limit: 10_000)
        var reports: [RecordingReport] = []
        recordings.take(.began(RecordingID(1), room: "8000", sampleRate: 16_000, at: at)) { reports.append($0) }
        for _ in 0..<2 { recordings.take(.samples(RecordingID(1), block)) { reports.append($0) } }
        try FileManager.default.removeItem(atPath: folder.path)
        for _ in 0..<5 { recordings.take(.samples(RecordingID(1), block)) { reports.append($0) } }
        recordings.take(.ended(RecordingID(1))) { reports.append($0) }
        #expect(reports.count == 3 && recordings.openCount == 0)
        guard case .failed? = reports.last else {
            Issue.record("no failure told")
            return
        }
    }

    @Test("The recorder's thread writes what was posted before it stops, and finishes what did not end")
    func thread() throws {
        let folder = try Folder()
        let reports = Mutex<[RecordingReport]>([])
        let recorder = try WAVRecorder(folder: folder.path + "/new") { report in reports.withLock { $0.append(report) } }
        recorder.start()
        let id = RecordingID(7)
        recorder.mailbox.post(.began(id, room: "8000", sampleRate: 16_000, at: at))
        for _ in 0..<50 { recorder.mailbox.post(.samples(id, block)) }
        recorder.stop()
        let path = folder.path + "/new/8000-20251125T101200Z.wav"
        #expect(reports.withLock { $0 } == [.began(file: path), .ended(file: path, seconds: 10)])
        #expect(try folder.wav("new/8000-20251125T101200Z.wav").samples.count == 160_000)
    }
}
