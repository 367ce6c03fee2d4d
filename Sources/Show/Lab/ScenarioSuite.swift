import Base
public import Lab
public import ShowText

/// What came of one or more scenario files, for machines that run them: JUnit's XML, TAP, JSON and an exit status.
public struct ScenarioSuite: Sendable {
    /// One file.
    public struct File: Sendable {
        public enum Outcome: Sendable {
            /// `length`: of the scenario, in virtual time.
            case ran(name: String, seed: UInt64, length: Duration, [ScenarioResult.Outcome])
            /// It is missing, or no scenario; `line`: 1-based, where one is to blame.
            case unreadable(String, line: Int?)
        }

        public var path: String
        public var outcome: Outcome
        /// Where the links' captures were written.
        public var captures: [String]
        /// What became of each call, as `CallReviewReport` writes it.
        public var calls: JSONValue

        public init(_ path: String, _ outcome: Outcome, captures: [String] = [], calls: JSONValue = .array([])) {
            self.path = path
            self.outcome = outcome
            self.captures = captures
            self.calls = calls
        }

        var outcomes: [ScenarioResult.Outcome] {
            switch outcome {
            case .ran(_, _, _, let outcomes): outcomes
            case .unreadable: []
            }
        }

        var isUnreadable: Bool {
            switch outcome {
            case .ran: false
            case .unreadable: true
            }
        }

        var expectsNothing: Bool { !isUnreadable && outcomes.isEmpty }
    }

    /// What a file's exit status tells apart.
    public enum Status: Int32, Hashable, Sendable {
        case met = 0
        case unmet = 1
        /// A file expects nothing: it can never fail.
        case expectsNothing = 2
        /// A file is missing or no scenario (EX_USAGE, as for a wrong option).
        case unreadable = 64
    }

    /// In the order in which they ran.
    public var files: [File]

    public init(_ files: [File]) { self.files = files }

    /// The worst of all files: unreadable, unmet, expecting nothing.
    public var status: Status {
        if files.isEmpty || files.contains(where: \.isUnreadable) { return .unreadable }
        if files.contains(where: { $0.outcomes.contains { !$0.isMet } }) { return .unmet }
        return files.contains(where: \.expectsNothing) ? .expectsNothing : .met
    }

    /// One line a file, for people who ran several.
    public func text(_ style: ReportStyle = .plain) -> String {
        files.map { file in
            switch file.outcome {
            case .unreadable(let why, _):
                return style.paint("\(style.glyph("✗", "FAIL")) \(printable(file.path))", .bad) + "  \(printable(why))\n"
            case .ran(_, _, _, let outcomes):
                let met = outcomes.count(where: \.isMet)
                let tone: ReportTone = met < outcomes.count ? .bad : outcomes.isEmpty ? .warning : .good
                let mark = met < outcomes.count ? style.glyph("✗", "FAIL") : outcomes.isEmpty ? "?" : style.glyph("✓", "ok  ")
                let count = outcomes.isEmpty ? "expects nothing" : "\(met) of \(outcomes.count) met"
                return style.paint("\(mark) \(printable(file.path))", tone) + "  \(count)\n"
            }
        }.joined()
    }

    /// An object with an array `scenarios`; times are seconds.
    public var json: JSONValue {
        .object([
            ("status", .integer(Int(status.rawValue))), ("scenarios", .array(files.map(\.json))),
        ])
    }

    static func seconds(_ duration: Duration) -> Double { Double(duration.wholeMilliseconds) / 1_000 }
}

extension ScenarioSuite.File {
    /// An object with an array `expectations`, or with an `error`.
    public var json: JSONValue {
        switch outcome {
        case .unreadable(let why, let line):
            .object([
                ("file", .string(path)), ("success", false), ("error", .string(why)),
                ("line", line.map { .integer($0) } ?? .null),
            ])
        case .ran(let name, let seed, let length, let outcomes):
            .object([
                ("file", .string(path)), ("scenario", .string(name)), ("success", .bool(outcomes.allSatisfy(\.isMet))),
                ("seed", .string(String(seed))), ("seconds", .number(ScenarioSuite.seconds(length))), ("calls", calls),
                ("expectations", .array(outcomes.map(\.json))), ("captures", .array(captures.map { .string($0) })),
            ])
        }
    }
}

extension ScenarioResult.Outcome {
    /// Where it is written: 1-based; nil where it was not read from a file.
    var line: Int? {
        if case .file(_, let line, _) = expectation.place { return line }
        return nil
    }

    var file: String? {
        if case .file(let name, _, _) = expectation.place { return name }
        return nil
    }

    public var json: JSONValue {
        .object([
            ("expected", .string("\(expectation)")), ("met", .bool(isMet)), ("seen", .string(seen)),
            ("file", file.map { .string($0) } ?? .null), ("line", line.map { .integer($0) } ?? .null),
            ("seconds", .number(ScenarioSuite.seconds(expectation.at))),
        ])
    }
}
