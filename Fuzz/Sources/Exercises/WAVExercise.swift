import Codecs

/// Reads `bytes` as a WAV file, for fuzzers: it must not trap.
package func exerciseWAVParser(_ bytes: [UInt8]) {
    guard let file = try? WAVFile(parsing: bytes) else { return }
    precondition(file.samples.count <= bytes.count && (1...2).contains(file.channels) && file.sampleRate > 0)
    // Nothing is lost that was read: what is written reads back.
    precondition(try! WAVFile(parsing: file.bytes) == file)
    // A filter for an odd rate takes a while to make.
    if file.sampleRate % 8_000 == 0 { _ = file.mono(at: 8_000) }
}
