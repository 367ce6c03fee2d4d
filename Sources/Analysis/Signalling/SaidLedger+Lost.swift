extension SaidLedger {
    private static let fewestLost = 3
    private static let atOnce: Int64 = 60_000_000_000

    /// Whoever a log names was lost at once: what they share failed. nil where some stayed, or they went one by one.
    func allLost() -> String? {
        let moments = swings.values.map(\.lostAt)
        guard swings.count >= Self.fewestLost, !moments.contains(MessageRecord.unknownTime), let first = moments.min(),
            let last = moments.max(), last - first <= Self.atOnce
        else { return nil }
        let back = swings.values.map(\.backAt)
        let isBack = swings.values.allSatisfy { $0.back >= $0.lost } && !back.contains(MessageRecord.unknownTime)
        let after = isBack ? back.max().map { " All came back within \(spoken($0 - first))." } ?? "" : ""
        return
            "The log says that all \(swings.count) peers it names were lost within \(spoken(max(last - first, 1_000_000_000))): "
            + "what they share failed, the server's own connection, or that of a site where all of them are.\(after)"
    }
}
