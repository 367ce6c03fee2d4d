extension MediaAnalysis {
    /// A new call began after the last packet, and one had ended about then: some send on from the same port with the same SSRC.
    func isOfNextCall(_ index: Int, _ file: UInt16) -> Bool {
        guard let turn = turns[file], turn.began != .min, turn.ended != .min else { return false }
        let last = table.streams[index].last
        return turn.began > last && turn.ended > last &- Self.betweenCalls && turn.ended <= turn.began
    }
}
