import Base
import Foundation
import LabCommand
import PhoneEdge
import PhoneNode
import Report

/// What `pinhole phone` prints: its status panel whenever that changes, and with `--sip-debug` every message.
final class PhonePrinter {
    private let style = Terminal.style()
    private let debug: SIPDebugView
    private let sipDebug: Bool
    private let name: String
    private var last = ""

    init(name: String, sipDebug: Bool) {
        self.name = name
        self.sipDebug = sipDebug
        debug = SIPDebugView(style)
    }

    func print(_ event: PhoneEvent, at now: Instant) {
        switch event {
        case .status(let status):
            let text = PhonePanel(name: name, status).text(style, at: now)
            guard text != last else { return }
            last = text
            write(text)
        case .trace(let trace):
            if sipDebug, let text = debug.text(trace, at: now) { write(text) }
        case .sendFailed(let destination, let error): write("could not send to \(destination): \(error)\n")
        }
    }

    private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
