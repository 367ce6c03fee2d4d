import Base

/// By what two recordings are told to be of the same talks: their Call-IDs without the host, which helpers rewrite.
public struct TalkNames: Sendable {
    /// Names kept of one recording.
    static let most = 20_000
    /// Shorter ones count with their host; what is shorter still is everybody's.
    static let shortest = 6

    private let names: Set<String>
    private let first: Instant?
    private let last: Instant?

    /// `vantages`: of which sources; nil: of all.
    public init(_ result: AnalysisResult, of vantages: Set<UInt16>? = nil) {
        var names: Set<String> = []
        for dialog in result.dialogs where !dialog.isLinkedByOrder && names.count < Self.most {
            if let vantages, !vantages.contains(dialog.vantage.index) { continue }
            let local = dialog.callID.prefix { $0 != "@" }
            let name = local.utf8.count >= Self.shortest ? String(local) : dialog.callID
            if name.utf8.count >= Self.shortest { names.insert(name + " " + dialog.from.prefix { $0 != "@" }) }
        }
        self.names = names
        let sources = result.sources.enumerated().filter { vantages?.contains(UInt16($0.offset)) ?? true }.map(\.element)
        first = sources.compactMap(\.first).min()
        last = sources.compactMap(\.last).max()
    }

    public var isEmpty: Bool { names.isEmpty }

    /// A talk is in both.
    public func shares(_ other: TalkNames) -> Bool { !names.isDisjoint(with: other.names) }

    /// They were taken at the same time, as far as is known: parts of one long recording were not.
    public func overlaps(_ other: TalkNames) -> Bool {
        guard let first, let last, let from = other.first, let to = other.last else { return true }
        return first <= to && from <= last
    }

    /// Which of several belong together, in the order of their first members; those without any name go with the first.
    public static func groups(_ count: Int, _ belong: (Int, Int) -> Bool) -> [[Int]] {
        var group = Array(0..<count)
        for a in 0..<count {
            for b in (a + 1)..<max(a + 1, count) where group[a] != group[b] && belong(a, b) {
                let (kept, gone) = (min(group[a], group[b]), max(group[a], group[b]))
                for index in group.indices where group[index] == gone { group[index] = kept }
            }
        }
        var result: [[Int]] = []
        var places: [Int: Int] = [:]
        for index in 0..<count {
            if let place = places[group[index]] {
                result[place].append(index)
            } else {
                places[group[index]] = result.count
                result.append([index])
            }
        }
        return result
    }
}

extension AnalysisResult {
    /// The sources that belong together, by their indices: they show the same talks, or both sides of a router. One that holds no talk, as a
    /// log of events, goes with the others.
    public var cases: [[Int]] {
        let files = sources.indices.filter { sources[$0].holder == nil }
        let names = files.map { file in
            TalkNames(self, of: Set(sources.indices.filter { $0 == file || sources[$0].holder == file }.map { UInt16($0) }))
        }
        let matched = Set(sides.map { [holder(of: $0.inside), holder(of: $0.outside)].sorted() })
        let named = files.indices.filter { !names[$0].isEmpty }
        return TalkNames.groups(files.count) { a, b in
            if names[a].isEmpty || names[b].isEmpty { return (names[a].isEmpty ? b : a) == named.first || named.isEmpty }
            return names[a].shares(names[b]) || matched.contains([files[a], files[b]].sorted())
        }.map { $0.map { files[$0] } }
    }
}
