import Codecs
import Glibc
import LinuxEdge

/// A WAV file on disk that is playable at any moment while it grows: its header is put right every few seconds and when it ends.
package final class GrowingWAV {
    /// Octets of samples beyond which a file is full: players take lengths for signed numbers.
    package static let longest = 1 << 31

    let path: String
    let sampleRate: Int
    private let descriptor: Int32
    /// Octets of samples written.
    private(set) var length = 0
    private var saidLength = 0
    private let headerLength: Int
    private let limit: Int

    /// Makes the file; one of that name must not be there. Only its owner may read it.
    init(creating path: String, sampleRate: Int, limit: Int = GrowingWAV.longest) throws(SystemError) {
        let header = WAVFile.header(sampleRate: sampleRate, dataLength: 0)
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemError(code: errno, doing: "making \(path)") }
        self.path = path
        self.sampleRate = sampleRate
        self.descriptor = descriptor
        self.limit = limit
        headerLength = header.count
        try write(header, at: 0)
    }

    deinit { close(descriptor) }

    var isFull: Bool { length >= limit }
    var seconds: Double { Double(length / 2) / Double(sampleRate) }

    func append(_ samples: [Int16]) throws(SystemError) {
        try write(WAVFile.octets(of: samples), at: headerLength + length)
        length += samples.count * 2
        // Every five seconds.
        if length - saidLength >= sampleRate * 10 { try sayLength() }
    }

    /// The header says how much there is.
    func sayLength() throws(SystemError) {
        try write(WAVFile.header(sampleRate: sampleRate, dataLength: length), at: 0)
        saidLength = length
    }

    private func write(_ octets: [UInt8], at offset: Int) throws(SystemError) {
        var done = 0
        while done < octets.count {
            let written = octets.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, $0.count - done, off_t(offset + done))
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw SystemError(code: errno, doing: "writing \(path)")
            }
            done += written
        }
    }
}
