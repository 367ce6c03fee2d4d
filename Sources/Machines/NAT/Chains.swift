/// Doubly linked lists over the indices of a table, each index in at most one list of a `Chains`; every operation is O(1).
///
/// Kept in order of use, the first element of a chain is the one idle longest.
struct Chains: Sendable {
    private struct Link: Sendable {
        var before: Int32 = -1
        var after: Int32 = -1
    }

    private var links: [Link] = []

    mutating func append(_ index: Int, to chain: inout Chain) {
        while links.count <= index { links.append(Link()) }
        links[index] = Link(before: chain.last, after: -1)
        if chain.last >= 0 { links[Int(chain.last)].after = Int32(index) } else { chain.first = Int32(index) }
        chain.last = Int32(index)
        chain.count += 1
    }

    mutating func remove(_ index: Int, from chain: inout Chain) {
        let link = links[index]
        if link.before >= 0 { links[Int(link.before)].after = link.after } else { chain.first = link.after }
        if link.after >= 0 { links[Int(link.after)].before = link.before } else { chain.last = link.before }
        chain.count -= 1
    }

    /// Moves `index` to the end of the chain it is in.
    mutating func touch(_ index: Int, in chain: inout Chain) {
        guard chain.last != index else { return }
        remove(index, from: &chain)
        append(index, to: &chain)
    }

    func next(after index: Int) -> Int? {
        let after = links[index].after
        return after >= 0 ? Int(after) : nil
    }
}

/// The ends of one list in a `Chains`.
struct Chain: Sendable {
    fileprivate(set) var first: Int32 = -1
    fileprivate(set) var last: Int32 = -1
    fileprivate(set) var count = 0

    var oldest: Int? { first >= 0 ? Int(first) : nil }
    var newest: Int? { last >= 0 ? Int(last) : nil }
}
