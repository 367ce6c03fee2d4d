import Base
import CoreMetrics
import Synchronization

/// What rises: one word that any thread adds to; a fraction is kept apart.
final class CounterCell: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<UInt64>(0)
    /// nil: none was ever added.
    private let fractional = Mutex<Double?>(nil)

    /// What is not positive is left out: a counter never falls.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fractional.withLock { $0 = ($0 ?? 0) + amount }
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.withLock { $0 = nil }
    }

    var value: MetricFamily.Value {
        let whole = whole.load(ordering: .relaxed)
        return fractional.withLock { $0 }.map { .number(Double(whole) + $0) } ?? .count(whole)
    }
}

/// What rises and falls.
final class GaugeCell: MeterHandler, RecorderHandler {
    private let number = Mutex(0.0)

    func set(_ value: Int64) { number.withLock { $0 = Double(value) } }
    func set(_ value: Double) { number.withLock { $0 = value } }
    func increment(by amount: Double) { number.withLock { $0 += amount } }
    func decrement(by amount: Double) { number.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }

    var value: Double { number.withLock { $0 } }
}

/// Durations by how long they were. A lock that one thread takes most of the time costs it some 20 ns.
final class HistogramCell: TimerHandler, RecorderHandler {
    private let histogram: Mutex<DurationHistogram>

    init(_ buckets: DurationHistogram) { histogram = Mutex(DurationHistogram(buckets.bounds)) }

    func recordNanoseconds(_ duration: Int64) { histogram.withLock { $0.add(nanoseconds: duration) } }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite, abs(value) < 1e9 else { return }
        histogram.withLock { $0.add(.seconds(value)) }
    }

    var value: DurationHistogram { histogram.withLock { $0 } }
}
