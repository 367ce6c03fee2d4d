import Base
import CoreMetrics
import MetricsEdge
import Testing

@Suite("The back end of swift-metrics")
struct MetricsRegistryTests {
    let registry = MetricsRegistry()

    func value(_ name: String, _ labels: [MetricFamily.Label] = []) -> MetricFamily.Value? {
        registry.families().first { $0.name == name }?.samples.first { $0.labels == labels }?.value
    }

    @Test("counters rise, and only rise; whole and broken amounts add up")
    func counters() {
        let counter = Counter(label: "a.b-c_total", factory: registry)
        counter.increment()
        counter.increment(by: 41)
        counter.increment(by: -7)
        #expect(value("a_b_c_total") == .count(42))
        let broken = FloatingPointCounter(label: "a.b-c_total", factory: registry)
        broken.increment(by: 0.5)
        broken.increment(by: -1)
        broken.increment(by: Double.nan)
        #expect(value("a_b_c_total") == .number(42.5))
        counter.reset()
        #expect(value("a_b_c_total") == .count(0))
    }

    @Test("gauges and meters hold what was set last")
    func gauges() {
        let meter = Meter(label: "m", dimensions: [("side", "left")], factory: registry)
        meter.set(5)
        meter.increment(by: 1.5)
        meter.decrement(by: 0.5)
        #expect(value("m", [.init("side", "left")]) == .number(6))
        Gauge(label: "g", factory: registry).record(2.5)
        #expect(value("g") == .number(2.5))
    }

    @Test("timers and recorders are histograms with the buckets their name has")
    func histograms() {
        registry.describe("t_seconds", "How long.", buckets: DurationHistogram([.milliseconds(1), .seconds(1)]))
        let timer = Timer(label: "t_seconds", factory: registry)
        timer.recordNanoseconds(1_000_000)
        timer.recordMilliseconds(999)
        timer.recordSeconds(3)
        var expected = DurationHistogram([.milliseconds(1), .seconds(1)])
        for duration in [.milliseconds(1), .milliseconds(999), .seconds(3)] as [Duration] { expected.add(duration) }
        #expect(value("t_seconds") == .histogram(expected))
        #expect(registry.families().map(\.help) == ["How long."])
        Recorder(label: "r", factory: registry).record(0.25)
        var recorded = DurationHistogram.waits
        recorded.add(.milliseconds(250))
        #expect(value("r") == .histogram(recorded))
    }

    @Test("a name with its labels is one instrument, gone when destroyed as often as made")
    func uses() {
        let one = Counter(label: "c_total", dimensions: [("k", "v")], factory: registry)
        let other = Counter(label: "c_total", dimensions: [("k", "v")], factory: registry)
        one.increment()
        other.increment()
        #expect(value("c_total", [.init("k", "v")]) == .count(2))
        one.destroy()
        #expect(value("c_total", [.init("k", "v")]) == .count(2))
        other.destroy()
        #expect(registry.families().isEmpty)
    }

    @Test("too many instruments, and another kind under a taken name, are counted and told nowhere")
    func bounds() {
        for number in 0..<(MetricsRegistry.most + 3) {
            Counter(label: "c_total", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        #expect(registry.families().first?.samples.count == MetricsRegistry.most && registry.refused == 3)
        Meter(label: "c_total", dimensions: [("n", "1")], factory: registry).set(9)
        #expect(registry.families().count == 1 && registry.refused == 4)
        #expect(value("c_total", [.init("n", "1")]) == .count(1))
    }

    @Test("threads that count at once lose nothing")
    func threads() async {
        let (counter, timer) = (Counter(label: "c_total", factory: registry), Timer(label: "t", factory: registry))
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        counter.increment()
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        var expected = DurationHistogram.waits
        for _ in 0..<8_000 { expected.add(.nanoseconds(1)) }
        #expect(value("c_total") == .count(8_000) && value("t") == .histogram(expected))
    }
}
