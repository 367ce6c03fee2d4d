import Base
import CoreMetrics
import Synchronization

/// Our back end of swift-metrics: what live instruments hold, told as families.
///
/// An instrument is a few machine words that any thread changes; recording allocates nothing. Names become Prometheus' (`a.b-c` is `a_b_c`); a
/// timer is a histogram in seconds, a recorder that aggregates one of what it is handed, taken as seconds. Each name with its labels exists once, however often it
/// is made, and is kept until it is destroyed as often; there are at most `most`, further ones are counted and hold nothing.
public final class MetricsRegistry: MetricsFactory {
    private enum Instrument: Sendable {
        case counter(CounterCell)
        case gauge(GaugeCell)
        case histogram(HistogramCell)
    }

    private struct Key: Hashable, Sendable {
        var name: String
        var labels: [MetricFamily.Label]
    }

    private struct Entry: Sendable {
        var instrument: Instrument
        var uses: Int
    }

    private struct State: Sendable {
        var entries: [Key: Entry] = [:]
        var helps: [String: String] = [:]
        var bounds: [String: DurationHistogram] = [:]
        var refused: UInt64 = 0
    }

    public static let most = 1_024

    private let state = Mutex(State())

    public init() {}

    /// What is told of a name beside its values, and for a histogram its buckets.
    public func describe(_ name: String, _ help: String, buckets: DurationHistogram? = nil) {
        state.withLock { state in
            state.helps[name] = help
            state.bounds[name] = buckets
        }
    }

    /// All there is, by name.
    public func families() -> [MetricFamily] {
        let (entries, helps) = state.withLock { ($0.entries, $0.helps) }
        var families: [String: MetricFamily] = [:]
        for (key, entry) in entries {
            let (kind, value): (MetricFamily.Kind, MetricFamily.Value) =
                switch entry.instrument {
                case .counter(let cell): (.counter, cell.value)
                case .gauge(let cell): (.gauge, .number(cell.value))
                case .histogram(let cell): (.histogram, .histogram(cell.value))
                }
            // Another kind under a name that is taken already would not be readable.
            if let known = families[key.name], known.kind != kind { continue }
            families[key.name, default: MetricFamily(key.name, kind, helps[key.name] ?? key.name, [])].samples
                .append(.init(key.labels, value))
        }
        return families.values.sorted { $0.name < $1.name }.map { family in
            var family = family
            family.samples.sort { one, other in
                one.labels.map(\.value).lexicographicallyPrecedes(other.labels.map(\.value))
            }
            return family
        }
    }

    /// How many instruments were asked for beyond `most`, or under a name of another kind.
    public var refused: UInt64 { state.withLock { $0.refused } }

    // MARK: - swift-metrics

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { counter(label, dimensions) }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler { counter(label, dimensions) }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { histogram(label, dimensions) } else { gauge(label, dimensions) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { histogram(label, dimensions) }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterCell {
        use(label, dimensions) { _ in
            .counter(CounterCell())
        } as: {
            if case .counter(let cell) = $0 { cell } else { nil }
        }
            ?? CounterCell()
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeCell {
        use(label, dimensions) { _ in
            .gauge(GaugeCell())
        } as: {
            if case .gauge(let cell) = $0 { cell } else { nil }
        }
            ?? GaugeCell()
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramCell {
        use(label, dimensions) {
            .histogram(HistogramCell($0))
        } as: {
            if case .histogram(let cell) = $0 { cell } else { nil }
        } ?? HistogramCell(.waits)
    }

    /// The instrument there is, or a new one. nil: there are too many, or the name is another kind's; what is recorded then is told nowhere.
    private func use<Cell: AnyObject & Sendable>(
        _ label: String, _ dimensions: [(String, String)], make: (DurationHistogram) -> Instrument,
        as cell: (Instrument) -> Cell?
    ) -> Cell? {
        let name = Self.name(label)
        let key = Key(name: name, labels: dimensions.map { .init(Self.name($0.0), $0.1) })
        return state.withLock { state in
            let known = state.entries[key]?.instrument
            if known == nil, state.entries.count < Self.most {
                state.entries[key] = Entry(instrument: make(state.bounds[name] ?? .waits), uses: 0)
            }
            guard let found = state.entries[key].flatMap({ cell($0.instrument) }) else {
                state.refused &+= 1
                return nil
            }
            state.entries[key]?.uses += 1
            return found
        }
    }

    private func destroy(_ handler: AnyObject) {
        state.withLock { state in
            let key = state.entries.first { _, entry in
                switch entry.instrument {
                case .counter(let cell): cell === handler
                case .gauge(let cell): cell === handler
                case .histogram(let cell): cell === handler
                }
            }?.key
            guard let key, let uses = state.entries[key]?.uses else { return }
            if uses > 1 { state.entries[key]?.uses = uses - 1 } else { state.entries[key] = nil }
        }
    }

    private static func name(_ label: String) -> String {
        let name = String(
            label.unicodeScalars.map { scalar in
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) || scalar == "_"
                    ? Character(scalar) : "_"
            })
        guard let first = name.first, !first.isNumber else { return "_" + name }
        return name
    }
}
