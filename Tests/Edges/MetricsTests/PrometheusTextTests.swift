import Base
import MetricsEdge
import Testing

@Suite("Prometheus text, format 0.0.4")
struct PrometheusTextTests {
    func text(_ families: MetricFamily...) -> String {
        var text = PrometheusText()
        for family in families { text.append(family) }
        return String(decoding: text.bytes, as: UTF8.self)
    }

    @Test("help, type, labels in order, one line a value")
    func plain() {
        let family = MetricFamily(
            "a_total", .counter, "What happened.",
            [
                .init([], .count(.max)), .init([.init("reason", "x"), .init("loop", "0")], .number(0.5)),
                .init([.init("b", "")], .number(3)),
            ])
        #expect(
            text(family) == """
                # HELP a_total What happened.
                # TYPE a_total counter
                a_total 18446744073709551615
                a_total{reason="x",loop="0"} 0.5
                a_total{b=""} 3

                """)
    }

    @Test("what a label or a help may hold is escaped")
    func escapes() {
        let family = MetricFamily("g", .gauge, "a\\b \"c\"\nd", [.init([.init("l", "a\\b \"c\"\nd é")], .count(1))])
        #expect(
            text(family) == "# HELP g a\\\\b \"c\"\\nd\n# TYPE g gauge\ng{l=\"a\\\\b \\\"c\\\"\\nd é\"} 1\n")
    }

    @Test(
        "numbers that are none", arguments: [(Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (1e300, "1e+300")])
    func numbers(value: Double, shown: String) {
        #expect(text(MetricFamily("g", .gauge, "h", [.init([], .number(value))])).hasSuffix("g \(shown)\n"))
    }

    @Test("a histogram: buckets add up, a bound is in its bucket, the rest is in +Inf")
    func histogram() {
        var histogram = DurationHistogram([.milliseconds(1), .milliseconds(500), .seconds(2)])
        for duration in [.microseconds(5), .milliseconds(1), .milliseconds(2), .seconds(2), .seconds(60), .seconds(-1)]
            as [Duration]
        {
            histogram.add(duration)
        }
        #expect(histogram.counts == [3, 1, 1, 1] && histogram.count == 6)
        #expect(
            text(MetricFamily("h_seconds", .histogram, "h", [.init([.init("loop", "1")], .histogram(histogram))])) == """
                # HELP h_seconds h
                # TYPE h_seconds histogram
                h_seconds_bucket{loop="1",le="0.001"} 3
                h_seconds_bucket{loop="1",le="0.5"} 4
                h_seconds_bucket{loop="1",le="2"} 5
                h_seconds_bucket{loop="1",le="+Inf"} 6
                h_seconds_sum{loop="1"} 62.003005
                h_seconds_count{loop="1"} 6

                """)
    }

    @Test("nothing happened yet: the family is named all the same")
    func none() { #expect(text(MetricFamily("n", .gauge, "h", [])) == "# HELP n h\n# TYPE n gauge\n") }
}
