import Base

/// Packets on their way, soonest first; equal times in the order in which they were put in.
struct DeliveryHeap: Sendable {
    struct Delivery: Sendable {
        var at: Instant
        var order: UInt64
        var to: InterfaceID
        /// nil for what never touched a link: an ICMP error of the sender's own.
        var link: LinkID?
        var packet: [UInt8]

        func isBefore(_ other: Delivery) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    private(set) var elements: [Delivery] = []
    private var orders: UInt64 = 0

    var next: Instant? { elements.first?.at }

    mutating func add(_ packet: [UInt8], to: InterfaceID, over link: LinkID?, at: Instant) {
        orders += 1
        elements.append(Delivery(at: at, order: orders, to: to, link: link, packet: packet))
        var place = elements.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard elements[place].isBefore(elements[parent]) else { break }
            elements.swapAt(place, parent)
            place = parent
        }
    }

    mutating func popDue(at now: Instant) -> Delivery? {
        guard let first = elements.first, first.at <= now else { return nil }
        let last = elements.removeLast()
        guard !elements.isEmpty else { return first }
        elements[0] = last
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < elements.count && elements[child].isBefore(elements[least])
            {
                least = child
            }
            guard least != place else { return first }
            elements.swapAt(place, least)
            place = least
        }
    }

    /// Takes out one of those on their way, the soonest being the first; nil beyond the last.
    mutating func take(_ place: Int) -> Delivery? {
        // A sorted array is a heap.
        elements.sort { $0.isBefore($1) }
        return elements.indices.contains(place) ? elements.remove(at: place) : nil
    }

    /// Takes out everything on its way over `link`.
    mutating func cut(_ link: LinkID) -> [Delivery] {
        let gone = elements.filter { $0.link == link }.sorted { $0.isBefore($1) }
        guard !gone.isEmpty else { return [] }
        // A sorted array is a heap.
        elements = elements.filter { $0.link != link }.sorted { $0.isBefore($1) }
        return gone
    }
}
