import Foundation
import TerminalEdge

/// Why a log cannot be written where it was told to.
public struct LogError: Error, Sendable, Hashable, CustomStringConvertible {
    public var description: String
}

/// Where lines go: a port that is there anyway, or a file that is opened here and closed with the last who writes to it.
final class LogOutput: Sendable {
    private let port: OutputPort
    private let descriptor: Int32?

    init(_ port: OutputPort) {
        self.port = port
        descriptor = nil
    }

    /// Appends to `path`; it is made where it is missing, for its owner and group to read as far as the process's umask lets them.
    init(file path: String) throws(LogError) {
        let opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else { throw LogError(description: Self.text(path, errno)) }
        descriptor = opened
        port = OutputPort(opened)
    }

    deinit {
        if let descriptor { close(descriptor) }
    }

    /// Throws where it could not be opened.
    static func check(_ path: String) throws(LogError) { _ = try LogOutput(file: path) }

    private static func text(_ path: String, _ code: Int32) -> String {
        "log.file: \(path) cannot be written: \(String(cString: strerror(code))). Name another, or give the server's user the right to write there."
    }

    func write(_ text: String) { port.write(text) }

    /// Texts that could not be written so far.
    var lost: UInt64 { port.textsLostInAll }
}
