import Analysis
import Base
import Dispatch
import LabCommand
import LinuxEdge
import Serve
import ServerNode
import ShowExplain
import ShowLab
import ShowText
import Synchronization
import TerminalEdge

/// What `pinhole serve` prints: one line a fact, and with `--sip-debug` every message.
final class ServePrinter: Sendable {
    private let clock: RealTime
    private let debug: SIPDebugView
    private let showsSIP: Bool
    private let isQuiet: Bool
    /// nil: nobody asked for it.
    private let analysis: Mutex<LiveAnalysis?>
    /// Where what the analysis forgets is judged, so that the server's threads need not wait for it.
    private let judge = DispatchQueue(label: "explain")
    private let waiting = Atomic(0)
    /// What waits to be judged: more of accounts than of strangers, who may send faster than anybody judges.
    private static let most = (ofAccounts: 4, ofStrangers: 1)

    /// `clock`: the server's. `explains`: what the server saw is analysed as `pinhole explain` would a capture of it, and the findings are printed at the end.
    init(clock: RealTime, showsSIP: Bool, showsSecrets: Bool, isQuiet: Bool, natHandling: Bool, explains: Bool = false) {
        self.clock = clock
        self.showsSIP = showsSIP
        self.isQuiet = isQuiet
        analysis = Mutex(explains ? LiveAnalysis(name: "pinhole serve") : nil)
        debug = SIPDebugView(Terminal.style(), natHandling: natHandling, showsSecrets: showsSecrets)
    }

    /// True where nothing but errors is shown: the server then need not collect traces at all.
    var wantsTraces: Bool { showsSIP || !isQuiet || analysis.withLock { $0 != nil } }

    /// Called on the server's threads; a line is one write. `now`: of `clock`; the wall clock's time is shown.
    func print(_ event: ServeEvent, at now: Instant) {
        switch event {
        case .server(let trace):
            observe(trace, at: now)
            if showsSIP {
                if let text = debug.text(trace, at: clock.shown(now)) { write(text) }
            } else if !isQuiet, Self.isWorthALine(trace) {
                line(trace.text, now)
            }
        case .listening(let service, let endpoint): line("\(service): listening on \(endpoint)", now)
        case .notListening(let service, let endpoint, let why): line("\(service): not listening on \(endpoint): \(why)", now)
        case .certificate(let file, let fingerprint):
            line("TLS certificate \(file ?? "(made for this run only)"), SHA-256 \(fingerprint)", now)
        case .media(let ports, let range, let codecs, let speaks):
            line(
                "media: room for \(ports) streams on UDP \(range.lowerBound) to \(range.upperBound); rooms speak "
                    + codecs.joined(separator: ", ") + (speaks ? "" : "; announcements in Morse until espeak-ng is installed"),
                now)
        case .believesAnyone:
            line("media: taken from whoever sends first (media.source: any), be it a stranger who tries all ports", now)
        case .recording(.began(let file)): line("recording to \(file)", now)
        case .recording(.ended(let file, let seconds)): line("recorded \(Int(seconds)) s in \(file)", now)
        case .recording(.failed(let room, let reason)): line("room \(room) is not recorded: \(reason)", now)
        case .connected(let flow): line("\(flow.transport.viaToken) connection with \(flow.remote)", now)
        case .disconnected(let flow, let reason):
            line("\(flow.transport.viaToken) connection with \(flow.remote) ended: \(reason)", now)
        case .accounts(0):
            line("no accounts yet, so nobody can register; add one with: pinhole account add 100", now)
        case .accounts(let count): line("\(count) account\(count == 1 ? "" : "s")", now)
        case .warning(let text): line("warning: \(text)", now)
        case .database(let path?): line("database: \(path)", now)
        case .database(nil): line("no database: there are no accounts, and nothing is stored", now)
        case .restored(0): break
        case .restored(let count): line("\(count) binding\(count == 1 ? "" : "s") restored from storage", now)
        case .clockSet(let step):
            let seconds = step.wholeSeconds
            line("the system's clock was set \(seconds < 0 ? "back" : "forward") by \(abs(seconds)) s", now)
        case .sendFailed(let destination, let error): line("could not send to \(destination): \(error)", now)
        case .relief(let text): OutputPort.error.write("\(CalendarTime(clock.shown(now))) over: \(printable(text))\n")
        case .trouble(let text): OutputPort.error.write("\(CalendarTime(clock.shown(now))) error: \(printable(text))\n")
        case .stopped(let counters, let streams, let media):
            judge.sync {}
            if let result = analysis.withLock({ $0?.result() }) {
                let style = Terminal.style()
                let shown = ExplainText.Options()
                write("\n" + ExplainText(result, shown).text(style) + "\n")
            }
            line(
                "stopped: \(counters.received) messages in, \(counters.sent) out, \(counters.accepted) authenticated, "
                    + "\(counters.stale) stale, \(counters.wrongPassword) wrong passwords, \(counters.mangled) mangled; "
                    + "\(streams.accepted) connections, \(streams.unproved + streams.gaveWay) closed unproved, "
                    + "\(streams.refusedFull + streams.refusedAddress + streams.foreignOrigins) refused; "
                    + "\(media.reduce(0) { $0 + $1.received }) media packets in, \(media.reduce(0) { $0 + $1.forwarded + $1.sent }) out",
                now)
        }
    }

    private func observe(_ trace: ServerTrace, at now: Instant) {
        let forgotten = analysis.withLock { analysis in
            analysis?.observe(trace, at: now)
            return analysis?.nextForgotten()
        }
        guard let forgotten else { return }
        let most = forgotten.isOfStrangersAlone ? Self.most.ofStrangers : Self.most.ofAccounts
        guard waiting.load(ordering: .relaxed) < most else { return analysis.withLock { $0?.skip(forgotten) } }
        waiting.add(1, ordering: .relaxed)
        judge.async { [self] in
            let findings = forgotten.judged()
            analysis.withLock { $0?.take(findings) }
            waiting.subtract(1, ordering: .relaxed)
        }
    }

    /// Message by message belongs into the debug view; the plain log tells what came of them.
    private static func isWorthALine(_ trace: ServerTrace) -> Bool {
        switch trace {
        case .received, .sent, .challenged, .stunAnswered, .keepalive, .restored: false
        case .authentication(let authentication):
            switch authentication.verdict {
            case .accepted, .absent: false
            case .stale, .replayed, .wrongPassword, .mangled: true
            }
        case .bound(_, _, .refreshed): false
        case .bound, .unbound, .flowDead, .flowRevived, .probed, .refused, .dropped, .commitFailed, .storageWorks, .notice, .call:
            true
        }
    }

    private func line(_ text: String, _ now: Instant) {
        guard !isQuiet else { return }
        // Much of it came from strangers.
        write("\(CalendarTime(clock.shown(now))) \(printable(text))\n")
    }

    private func write(_ text: String) { OutputPort.standard.write(text) }
}
