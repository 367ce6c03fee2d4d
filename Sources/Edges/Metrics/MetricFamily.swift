import Base

/// Everything that is told under one name: what it is, and its values by labels (Prometheus text format 0.0.4).
public struct MetricFamily: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable { case counter, gauge, histogram }

    public enum Value: Hashable, Sendable {
        case count(UInt64)
        case number(Double)
        case histogram(DurationHistogram)
    }

    public struct Sample: Hashable, Sendable {
        /// In this order; names of letters, digits and `_`, values of any text.
        public var labels: [Label]
        public var value: Value

        public init(_ labels: [Label] = [], _ value: Value) {
            self.labels = labels
            self.value = value
        }
    }

    public struct Label: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// With its unit, and with `_total` where it is a counter.
    public var name: String
    public var kind: Kind
    /// One sentence.
    public var help: String
    public var samples: [Sample]

    public init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }
}
