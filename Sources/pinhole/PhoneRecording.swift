import Codecs
import Foundation

/// A WAV file that grows while a call is heard; its header is right whenever the program ends.
final class PhoneRecording {
    let path: String
    private let file: FileHandle
    private var rate: Int?
    private var resampler: Resampler?
    private var written = 0

    init(_ path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
        self.file = file
    }

    /// `file.wav` for the first call, `file-2.wav` for the second.
    static func path(_ base: String, number: Int) -> String {
        guard number > 1 else { return base }
        let url = URL(fileURLWithPath: base)
        let name = url.deletingPathExtension().lastPathComponent + "-\(number)"
        return url.deletingLastPathComponent().appendingPathComponent(name).appendingPathExtension(url.pathExtension).path
    }

    /// The first samples settle the file's rate; later ones of another are converted.
    func add(_ samples: [Int16], rate: Int) throws {
        let own = self.rate ?? rate
        if self.rate == nil {
            self.rate = rate
            try file.write(contentsOf: Data(WAVFile.header(sampleRate: rate, dataLength: 0)))
        }
        var samples = samples
        if rate != own {
            if resampler?.from != rate { resampler = Resampler(from: rate, to: own) }
            samples = resampler?.process(samples) ?? []
        }
        let bytes = WAVFile.octets(of: samples)
        try file.write(contentsOf: Data(bytes))
        written += bytes.count
    }

    func close() {
        // A call without a sound is an empty file all the same.
        if rate == nil { rate = 8_000 }
        try? file.seek(toOffset: 0)
        try? file.write(contentsOf: Data(WAVFile.header(sampleRate: rate ?? 8_000, dataLength: written)))
        try? file.close()
    }
}
