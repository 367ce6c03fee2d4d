import Analysis
import Base
import Dispatch
import LabAnalysis
import LinuxEdge
import LogEdge
import Logging
import Serve
import ServerNode
import ShowExplain
import ShowLab
import ShowText
import Synchronization

/// What `pinhole serve` tells: one line a fact through swift-log, with `--sip-debug` every message, with `--explain` what it all meant. All of it is
/// put into words on the log's thread.
public final class ServeLog: Sendable {
    private let thread: LogThread
    private let clock: RealTime
    private let style: ReportStyle
    private let debug: SIPDebugView
    private let showsSIP: Bool
    /// nil: nobody asked for it.
    private let analysis: Mutex<LiveAnalysis?>
    private let explains: Bool
    /// By category.
    private let loggers: [LogCategory: Logger]
    /// Where what the analysis forgets is judged, so that lines need not wait for it.
    private let judge = DispatchQueue(label: "explain")
    private let waiting = Atomic(0)
    private static let failureMark = "auth-failure"
    /// What waits to be judged: more of accounts than of strangers, who may send faster than anybody judges.
    private static let most = (ofAccounts: 4, ofStrangers: 1)

    /// `clock`: the server's. `explains`: what the server saw is analysed as `pinhole explain` would a capture of it, and the findings are shown at the
    /// end.
    public init(_ settings: ServeSettings, on thread: LogThread, clock: RealTime, style: ReportStyle, explains: Bool = false) {
        self.thread = thread
        self.clock = clock
        self.style = style
        self.explains = explains
        showsSIP = settings.showsSIP
        analysis = Mutex(explains ? LiveAnalysis(name: "pinhole serve") : nil)
        debug = SIPDebugView(style, natHandling: settings.server.natHandling, showsSecrets: settings.showsSecrets)
        let handler = { @Sendable (label: String) in PinholeLogHandler(label: label, thread) { clock.shown(clock.now) } }
        loggers = Dictionary(
            uniqueKeysWithValues: LogCategory.allCases.map { ($0, Logger(label: $0.label, factory: handler)) })
    }

    /// False where no trace would be told: the server then need not collect them at all.
    public var wantsTraces: Bool {
        showsSIP || explains || LogCategory.allCases.contains { $0 != .libraries && thread.wants(.notice, $0) }
    }

    /// Called on the server's threads; nothing is put into words there. `now`: of `clock`; the wall clock's time is shown.
    public func take(_ event: ServeEvent, at now: Instant) {
        let (category, level) = event.place
        var octets = 256
        var isWanted = thread.wants(level, category)
        if case .server(let trace) = event {
            octets = trace.octets
            isWanted = isWanted || showsSIP || explains
            if case .authentication(let authentication) = trace, authentication.failure != nil {
                isWanted = isWanted || thread.wants(.notice, .security)
            }
        }
        if case .stopped = event { isWanted = isWanted || explains }
        guard isWanted else { return }
        thread.perform(octets: octets, at: clock.shown(now)) { [self] in tell(event, category, level, at: now) }
    }

    // MARK: On the log's thread

    private func tell(_ event: ServeEvent, _ category: LogCategory, _ level: Logger.Level, at now: Instant) {
        switch event {
        case .server(let trace):
            if explains { observe(trace, at: now) }
            if showsSIP, let text = debug.text(trace, at: clock.shown(now)) {
                // What a stranger writes into a message must not look like what we say of him.
                thread.show(text.contains(Self.failureMark) ? text.replacing(Self.failureMark, with: "(auth-failure)") : text)
            }
            if !showsSIP { log(category, level, trace.text, [:]) }
            guard case .authentication(let authentication) = trace, let line = authentication.failureLine,
                let failure = authentication.failure
            else { return }
            let fields = authentication.failureFields(failure).map { ($0.name, Logger.MetadataValue.string($0.value)) }
            log(.security, .notice, line, Dictionary(uniqueKeysWithValues: fields + [("event", "auth-failure")]))
        case .stopped:
            judge.sync {}
            if let result = analysis.withLock({ $0?.result() }) {
                thread.show("\n" + ExplainText(result, ExplainText.Options()).text(style) + "\n")
            }
            log(category, level, event.text, [:])
        case .relief: log(category, level, event.text, ["state": "over"])
        default: log(category, level, event.text, [:])
        }
    }

    private func log(_ category: LogCategory, _ level: Logger.Level, _ text: String?, _ metadata: Logger.Metadata) {
        guard let text else { return }
        loggers[category]?.log(level: level, "\(text)", metadata: metadata)
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
}
