import Foundation
import Synchronization

/// A descriptor that text is written to and that may fail: a full disk, a closed pipe. It never traps; what is lost is counted, and said in the
/// first line that can be written again.
public final class OutputPort: Sendable {
    public static let standard = OutputPort(STDOUT_FILENO)
    public static let error = OutputPort(STDERR_FILENO)

    private let descriptor: Int32
    private let lost = Mutex(Loss())
    private let inAll = Atomic<UInt64>(0)

    private struct Loss {
        var texts = 0
        var octets = 0
        var why = ""
        /// Part of a text was written: what follows begins a line of its own.
        var isTorn = false
    }

    public init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// How many texts could not be written, or not whole, since the last that could.
    public var textsLost: Int { lost.withLock { $0.texts } }

    /// How many texts ever were.
    public var textsLostInAll: UInt64 { inAll.load(ordering: .relaxed) }

    /// Writes all of it, or counts it as lost. Texts of several threads do not mix.
    public func write(_ text: String) {
        lost.withLock { loss in
            if loss.texts > 0 {
                let before = loss.isTorn ? "\n" : ""
                let lines =
                    loss.texts == 1
                    ? "1 line of output before this one was" : "\(loss.texts) lines of output before this one were"
                let notice = "\(before)error: \(lines) lost (\(loss.octets) bytes): \(loss.why)\n"
                guard put(notice).count == notice.utf8.count else { return count(text, 0, &loss) }
                loss = Loss()
            }
            let (count, why) = put(text)
            guard count < text.utf8.count else { return }
            loss.why = why
            self.count(text, count, &loss)
        }
    }

    private func count(_ text: String, _ written: Int, _ loss: inout Loss) {
        loss.texts += 1
        inAll.wrappingAdd(1, ordering: .relaxed)
        loss.octets += text.utf8.count - written
        loss.isTorn = loss.isTorn || written > 0
    }

    /// How many octets went out, and why no more did.
    private func put(_ text: String) -> (count: Int, why: String) {
        var text = text
        return text.withUTF8 { bytes in
            let count = writeAll(UnsafeRawBufferPointer(bytes), to: descriptor)
            return (count, count < bytes.count ? String(cString: strerror(errno)) : "")
        }
    }
}

/// Writes all of it, whatever interrupts. Returns how many octets went out; where these are fewer, errno says why.
public func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
    var at = 0
    while at < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress! + at, bytes.count - at)
        if count < 0, errno != EINTR { break }
        at += max(0, count)
    }
    return at
}
