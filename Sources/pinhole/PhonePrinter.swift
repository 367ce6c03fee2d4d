import Base
import LinuxEdge
import PhoneEdge
import PhoneNode
import ShowLab
import ShowText
import TerminalEdge

/// What `pinhole phone` prints: its status panel whenever that changes, lines about calls, with `--sip-debug` every message, and on a
/// terminal a line at the bottom that shows the present call.
final class PhonePrinter {
    let style = Terminal.style()
    /// Whether there is a line at the bottom; a pipe gets none.
    var isInteractive = false
    private let clock: RealTime
    private let debug: SIPDebugView
    private let sipDebug: Bool
    private let name: String
    private var last = ""
    private var bottom = ""
    private var shown = ""
    private var unreachable: Set<Endpoint> = []

    init(name: String, clock: RealTime, sipDebug: Bool, showsSecrets: Bool) {
        self.clock = clock
        self.name = name
        self.sipDebug = sipDebug
        debug = SIPDebugView(style, showsSecrets: showsSecrets)
    }

    func print(_ event: PhoneEvent, at now: Instant) {
        switch event {
        case .status(let status):
            let text = PhonePanel(name: name, status).text(style, at: now)
            guard text != last else { return }
            last = text
            write(text)
        case .trace(let trace):
            if sipDebug, let text = debug.text(trace, at: clock.shown(now)) { write(text) }
        case .sendFailed(let destination, let error):
            // Once a destination: fifty audio packets a second may meet the same fate.
            guard unreachable.count < 1_000, unreachable.insert(destination).inserted else { return }
            write("could not send to \(destination): \(error)\n")
        case .call, .audio, .text, .textSent, .woken: break
        }
    }

    func line(_ text: String) { write(ShowText.printable(text) + "\n") }

    /// Shows the bottom line anew where it changed.
    func status(_ text: String, at now: Instant? = nil) {
        guard isInteractive, text != bottom else { return }
        bottom = text
        draw()
    }

    private func draw() {
        let text = "\r\u{1b}[K" + bottom
        guard text != shown else { return }
        shown = text
        OutputPort.standard.write(text)
    }

    private func write(_ text: String) {
        let clear = shown.isEmpty || !isInteractive ? "" : "\r\u{1b}[K"
        OutputPort.standard.write(clear + text)
        shown = ""
        if isInteractive { draw() }
    }
}
