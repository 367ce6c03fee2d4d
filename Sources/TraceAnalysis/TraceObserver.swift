import Analysis
import Base
import SIP
import ServerNode

/// Turns what a server noticed into what an analysis takes, so that a running server, the lab and a capture of either are judged by the same
/// rules.
public struct TraceObserver: Sendable {
    private let file: Int
    private var number = 0

    /// `file`: the source's index among those analysed together.
    public init(file: Int = 0) { self.file = file }

    /// How many messages there were so far.
    public var count: Int { number }

    /// nil for traces that are no message: what the server concluded is for the analysis to find by itself.
    public mutating func observation(_ trace: ServerTrace, at now: Instant) -> Observation? {
        switch trace {
        case .received(let flow, let message, _):
            return observation(message, from: flow.remote, to: flow.local, flow.transport, at: now)
        case .sent(let flow, let message, _):
            return observation(message, from: flow.local, to: flow.remote, flow.transport, at: now)
        default:
            return nil
        }
    }

    private mutating func observation(
        _ message: SIPMessage, from source: Endpoint, to destination: Endpoint, _ transport: SIPTransport, at now: Instant
    ) -> Observation {
        number += 1
        return Observation(
            place: .live(file: file, number: number), time: now, source: source, destination: destination, transport: transport,
            what: .sip(Array(message.bytes), isCut: false))
    }
}

/// A live tap: feed it traces as they come, ask for the findings at the end.
public struct LiveAnalysis: Sendable {
    private var analyzer: Analyzer
    private var observer = TraceObserver()
    private var source: SourceSummary

    /// `name`: what reports call the source.
    public init(name: String, options: AnalysisOptions = AnalysisOptions(analyzesMedia: false)) {
        source = SourceSummary(name: name, kind: .live)
        analyzer = Analyzer(sources: [source], options: options)
    }

    public mutating func observe(_ trace: ServerTrace, at now: Instant) {
        if let observation = observer.observation(trace, at: now) { analyzer.observe(observation) }
    }

    /// The analysis so far. It goes on afterwards.
    public func result() -> AnalysisResult {
        var copy = analyzer
        return copy.finish()
    }
}
