import CaptureInput
import Glibc

/// A bar on standard error while a long input is read; nothing where standard error is no terminal, or the input short.
struct ProgressLine {
    private let what: String
    private let total: UInt64
    private let isShown: Bool
    private let began: Double
    private var last = 0.0
    private var isOnScreen = false

    /// `total` nil: unknown, as for pipes; then octets are counted.
    init(_ what: String, total: UInt64?) {
        self.what = what
        self.total = total ?? 0
        isShown = isatty(STDERR_FILENO) != 0
        began = Self.now()
    }

    mutating func show(_ done: UInt64) {
        guard isShown else { return }
        let now = Self.now()
        guard now - began > 0.3, now - last > 0.1 else { return }
        last = now
        isOnScreen = true
        let megabytes = done >> 20
        guard total > 0 else {
            ExplainOutput.write("\r\(what): \(megabytes) MB\u{1b}[K", to: STDERR_FILENO)
            return
        }
        let cells = 30
        let filled = Int(min(1, Double(done) / Double(total)) * Double(cells))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: cells - filled)
        let left = done > 0 ? (now - began) * Double(total - min(done, total)) / Double(done) : 0
        ExplainOutput.write("\r\(what) [\(bar)] \(megabytes) of \(total >> 20) MB, \(Int(left) + 1) s\u{1b}[K", to: STDERR_FILENO)
    }

    mutating func clear() {
        if isOnScreen { ExplainOutput.write("\r\u{1b}[K", to: STDERR_FILENO) }
        isOnScreen = false
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// What has come in so far, while listening.
struct StatusLine {
    private let isShown = isatty(STDERR_FILENO) != 0
    private var isOnScreen = false

    mutating func show(_ counts: LiveInput.Counts) {
        guard isShown else { return }
        isOnScreen = true
        var text = "\r\(counts.packets) packets"
        if counts.hep > 0 { text += ", \(counts.hep) HEP" }
        if counts.drops > 0 { text += ", \(counts.drops) dropped by the kernel" }
        ExplainOutput.write(text + "\u{1b}[K", to: STDERR_FILENO)
    }

    mutating func clear() {
        if isOnScreen { ExplainOutput.write("\r\u{1b}[K", to: STDERR_FILENO) }
        isOnScreen = false
    }
}
