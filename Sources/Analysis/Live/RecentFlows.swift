import Base

/// Flows over which an account proved itself of late: the latest so and so many, a little more at times.
struct RecentFlows: Sendable {
    let most: Int
    private var current: Set<FlowID> = []
    private var former: Set<FlowID> = []

    init(most: Int) { self.most = most }

    var count: Int { current.count + former.count }

    func contains(_ flow: FlowID) -> Bool { current.contains(flow) || former.contains(flow) }

    mutating func insert(_ flow: FlowID) {
        guard !current.contains(flow) else { return }
        if current.count >= most / 2 {
            former = current
            current = []
        }
        current.insert(flow)
    }
}
