/// A first-in first-out queue that gives its storage back to itself: what a machine has decided and nobody has fetched yet.
public struct Outbox<Element: Sendable>: Sendable {
    @usableFromInline var elements: [Element] = []
    @usableFromInline var head = 0

    public init() {}

    @inlinable
    public var isEmpty: Bool { head == elements.count }

    @inlinable
    public var count: Int { elements.count - head }

    @inlinable
    public mutating func append(_ element: Element) { elements.append(element) }

    @inlinable
    public mutating func next() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256, head >= elements.count - head {
            // A queue that never runs empty must give back what was fetched as well.
            elements.removeFirst(head)
            head = 0
        }
        return element
    }
}

/// An `Outbox` for traces that costs nothing while nobody listens.
///
/// `note` takes its element as an autoclosure, so a masked trace is not even built. A listener that never fetches
/// cannot make it grow: beyond `cap` elements new ones are counted in `lost` and dropped.
public struct TraceBox<Element: Sendable>: Sendable {
    @usableFromInline var box = Outbox<Element>()
    public var isOn: Bool
    public let cap: Int
    /// How many traces were dropped because nobody fetched.
    public private(set) var lost: UInt64 = 0

    public init(isOn: Bool = true, cap: Int = 65_536) {
        self.isOn = isOn
        self.cap = cap
    }

    @inlinable
    public mutating func note(_ element: @autoclosure () -> Element) {
        guard isOn else { return }
        add(element())
    }

    @usableFromInline
    mutating func add(_ element: Element) {
        guard box.count < cap else {
            lost += 1
            return
        }
        box.append(element)
    }

    @inlinable
    public mutating func next() -> Element? { box.next() }
}
