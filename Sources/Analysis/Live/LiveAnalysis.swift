import Base
import SIP

/// A live tap of a server: tell it what comes and goes, ask for the findings at the end. A running server, the lab and a capture of either
/// are judged by the same rules; what the server concluded is for the analysis to find by itself.
///
/// It holds what was said within `room` and forgets the oldest; findings about what is forgotten stay, with their counts.
public struct LiveAnalysis: Sendable {
    /// Octets of messages that are held; analysing them takes about twice as much for the while.
    public static let usualRoom = 32 << 20

    private var memory: LiveMemory
    private let name: String
    private let options: AnalysisOptions
    private var waiting: ForgottenMessages?
    private var findings = ForgottenFindings()
    public private(set) var forgotten = ForgottenTally()

    /// `name`: what reports call the source.
    public init(name: String, room: Int = LiveAnalysis.usualRoom, options: AnalysisOptions = Self.usualOptions) {
        memory = LiveMemory(room: room)
        self.name = name
        self.options = options
    }

    public static let usualOptions = AnalysisOptions(analyzesMedia: false)

    /// A message that came. `isProved`: its sender proved to be an account.
    public mutating func received(_ message: SIPMessage, on flow: FlowID, isProved: Bool, at now: Instant) {
        memory.take(message, on: flow, isReceived: true, isProved: isProved, at: now)
        makeRoom(at: now)
    }

    /// A message that left.
    public mutating func sent(_ message: SIPMessage, on flow: FlowID, at now: Instant) {
        memory.take(message, on: flow, isReceived: false, isProved: false, at: now)
        makeRoom(at: now)
    }

    /// Line ends or STUN: what keeps a mapping open and says nothing.
    public mutating func keepalive(on flow: FlowID, at now: Instant) {
        memory.keepalive(on: flow, at: now)
        makeRoom(at: now)
    }

    private mutating func makeRoom(at now: Instant) {
        guard memory.isFull else { return }
        if let waiting { take(waiting.judged()) }
        let forgotten = memory.forget(at: now)
        self.forgotten.add(forgotten.tally)
        waiting = forgotten
    }

    /// What has just been forgotten, for whoever wants to judge it elsewhere and `take` the findings, or to `skip` it; otherwise it is judged
    /// here, when more is forgotten.
    public mutating func nextForgotten() -> ForgottenMessages? {
        defer { waiting = nil }
        return waiting
    }

    public mutating func take(_ findings: ForgottenFindings) { self.findings.add(findings) }

    /// There was no time to judge these.
    public mutating func skip(_ messages: ForgottenMessages) { forgotten.unjudged += messages.tally.messages }

    /// The analysis so far. It goes on afterwards.
    public func result() -> AnalysisResult {
        var findings = findings
        if let waiting { findings.add(waiting.judged()) }
        var source = SourceSummary(name: name, kind: .live)
        if let text = forgotten.text { source.blindness = [Blindness(.forgotten, text, count: forgotten.messages)] }
        var result = Self.result(of: memory.messages(), memory.trail.marks, source, options)
        result.findings = findings.joined(with: result.findings)
        return result
    }

    /// How much each table holds: octets counted, dialogs, marks of the trail, proved flows, findings about what is forgotten.
    package var held: (octets: Int, dialogs: Int, marks: Int, flows: Int, findings: Int) {
        (memory.used, memory.dialogCount, memory.trail.marks.count, memory.proved.count, findings.count)
    }

    /// What an analysis says of these messages, keepalives between them.
    static func result(
        of messages: [LiveMessage], _ trail: [LiveTrail.Mark], _ source: SourceSummary, _ options: AnalysisOptions = usualOptions
    ) -> AnalysisResult {
        var analyzer = Analyzer(sources: [source], options: options)
        var marks = trail.sorted { $0.number < $1.number }[...]
        for message in messages.sorted(by: { $0.number < $1.number }) {
            while let mark = marks.first, mark.number < message.number {
                analyzer.observe(observation(of: mark))
                marks.removeFirst()
            }
            analyzer.observe(observation(of: message))
        }
        for mark in marks { analyzer.observe(observation(of: mark)) }
        return analyzer.finish()
    }

    private static func observation(of message: LiveMessage) -> Observation {
        let flow = message.flow
        return Observation(
            place: .live(number: message.number), time: message.time,
            source: message.isReceived ? flow.remote : flow.local, destination: message.isReceived ? flow.local : flow.remote,
            transport: flow.transport, what: .sip(message.bytes, isCut: false))
    }

    private static func observation(of mark: LiveTrail.Mark) -> Observation {
        Observation(
            place: .live(number: mark.number), time: mark.time, source: mark.flow.remote, destination: mark.flow.local,
            transport: mark.flow.transport, what: .keepalive)
    }
}
