import Base

/// Metrics as Prometheus reads them: the text exposition format, version 0.0.4.
public struct PrometheusText {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// All of a family stands together; a name may come once.
    public mutating func append(_ family: MetricFamily) {
        add("# HELP \(family.name) ")
        escape(family.help, quotes: false)
        add("\n# TYPE \(family.name) \(family.kind.rawValue)\n")
        for sample in family.samples {
            switch sample.value {
            case .count(let count): line(family.name, "", sample.labels, "\(count)")
            case .number(let number): line(family.name, "", sample.labels, Self.text(number))
            case .histogram(let histogram): append(histogram, family.name, sample.labels)
            }
        }
    }

    private mutating func append(_ histogram: DurationHistogram, _ name: String, _ labels: [MetricFamily.Label]) {
        var count: UInt64 = 0
        for (bound, here) in zip(histogram.bounds, histogram.counts) {
            count &+= here
            line(name, "_bucket", labels + [.init("le", Self.text(Self.seconds(bound)))], "\(count)")
        }
        count &+= histogram.counts.last ?? 0
        line(name, "_bucket", labels + [.init("le", "+Inf")], "\(count)")
        line(name, "_sum", labels, Self.text(Self.seconds(histogram.sum)))
        line(name, "_count", labels, "\(count)")
    }

    private mutating func line(_ name: String, _ suffix: String, _ labels: [MetricFamily.Label], _ value: String) {
        add(name)
        add(suffix)
        for (index, label) in labels.enumerated() {
            add(index == 0 ? "{" : ",")
            add("\(label.name)=\"")
            escape(label.value, quotes: true)
            add("\"")
        }
        add(labels.isEmpty ? " \(value)\n" : "} \(value)\n")
    }

    private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func escape(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): add("\\\\")
            case UInt8(ascii: "\n"): add("\\n")
            case UInt8(ascii: "\"") where quotes: add("\\\"")
            default: bytes.append(byte)
            }
        }
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    /// As Go's ParseFloat reads it; whole numbers without a fraction.
    static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: number) { return "\(whole)" }
        return "\(number)"
    }
}
