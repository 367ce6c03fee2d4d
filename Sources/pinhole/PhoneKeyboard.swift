import Foundation
import Synchronization

/// The keyboard, byte by byte: the terminal is taken out of line mode and put back at the end.
final class PhoneKeyboard: Sendable {
    private let former: termios
    private let isDone = Atomic(false)

    /// nil where standard input is no terminal.
    init?(_ key: @escaping @Sendable (UInt8) -> Void) {
        guard isatty(STDIN_FILENO) != 0, isatty(STDOUT_FILENO) != 0 else { return nil }
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0 else { return nil }
        former = mode
        // Ctrl-C stays a signal.
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        Thread.detachNewThread { [self] in
            var byte: UInt8 = 0
            while !isDone.load(ordering: .acquiring), read(STDIN_FILENO, &byte, 1) == 1 { key(byte) }
        }
    }

    func restore() {
        isDone.store(true, ordering: .releasing)
        var mode = former
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
    }
}
