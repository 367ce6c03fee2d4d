import Base
import Conference
import Glibc
import LinuxEdge

/// Recordings of rooms as WAV files in one folder: `8000-20261125T101200Z.wav`.
package struct RecordingFolder {
    /// Recordings at a time.
    static let mostOpen = 256

    private let folder: String
    private let limit: Int
    private var files: [RecordingID: Open] = [:]
    /// What is not written any more: it failed.
    private var failed: Set<RecordingID> = []

    private struct Open {
        var file: GrowingWAV
        /// The path up to the part's number.
        let stem: String
        var part = 1
    }

    package init(_ folder: String, limit: Int = GrowingWAV.longest) {
        self.folder = folder
        self.limit = limit
    }

    package var openCount: Int { files.count }

    package mutating func take(_ event: RecordingEvent, _ report: (RecordingReport) -> Void) {
        switch event {
        case .began(let id, let room, let rate, let at): begin(id, room, rate, at, report)
        case .samples(let id, let samples): append(samples, to: id, report)
        case .ended(let id):
            failed.remove(id)
            end(id, report)
        }
    }

    /// Nothing more comes: every file is finished.
    package mutating func finish(_ report: (RecordingReport) -> Void) { for id in Array(files.keys) { end(id, report) } }

    private mutating func begin(
        _ id: RecordingID, _ room: String, _ rate: Int, _ at: Instant, _ report: (RecordingReport) -> Void
    ) {
        guard files.count < Self.mostOpen, rate > 0 else {
            failed.insert(id)
            return report(.failed(room: room, reason: "\(files.count) recordings are being made already"))
        }
        let stem = "\(folder)/\(Self.fileName(room))-\(Self.stamp(at))"
        do {
            let file = try create(stem, part: 1, rate)
            report(.began(file: file.path))
            files[id] = Open(file: file, stem: stem)
        } catch {
            failed.insert(id)
            report(.failed(room: room, reason: "\(error)"))
        }
    }

    /// Takes the first name that is free: two recordings may begin within a second.
    private func create(_ stem: String, part: Int, _ rate: Int) throws(SystemError) -> GrowingWAV {
        var number = part
        while true {
            let path = number == 1 ? "\(stem).wav" : "\(stem)-\(number).wav"
            do { return try GrowingWAV(creating: path, sampleRate: rate, limit: limit) } catch {
                guard error.code == EEXIST, number < part + 1_000 else { throw error }
                number += 1
            }
        }
    }

    private mutating func append(_ samples: [Int16], to id: RecordingID, _ report: (RecordingReport) -> Void) {
        guard var open = files[id] else { return }
        do {
            if open.file.isFull {
                try open.file.sayLength()
                report(.ended(file: open.file.path, seconds: open.file.seconds))
                open.part += 1
                open.file = try create(open.stem, part: open.part, open.file.sampleRate)
                files[id] = open
                report(.began(file: open.file.path))
            }
            try open.file.append(samples)
        } catch {
            // What was written stays; a full disk is not tried again with every 200 ms of sound.
            try? open.file.sayLength()
            report(.failed(room: open.stem, reason: "\(error)"))
            files[id] = nil
            failed.insert(id)
        }
    }

    private mutating func end(_ id: RecordingID, _ report: (RecordingReport) -> Void) {
        guard let open = files.removeValue(forKey: id) else { return }
        do {
            try open.file.sayLength()
            report(.ended(file: open.file.path, seconds: open.file.seconds))
        } catch { report(.failed(room: open.stem, reason: "\(error)")) }
    }

    /// A room's name as a part of a file's: it comes from configuration or from a caller's URI.
    package static func fileName(_ room: String) -> String {
        let kept = room.utf8.prefix(64).map { byte -> Character in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                Character(Unicode.Scalar(byte))
            default: "_"
            }
        }
        return kept.isEmpty ? "room" : String(kept)
    }

    static func stamp(_ at: Instant) -> String {
        let date = CivilDate(unixSeconds: at.unixSeconds)
        let seconds = Int(at.unixSeconds - date.daysSinceEpoch * 86_400)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return
            "\(date.year)\(two(date.month))\(two(date.day))T\(two(seconds / 3_600))\(two(seconds / 60 % 60))\(two(seconds % 60))Z"
    }
}
