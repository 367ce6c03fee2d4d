/// What is known of many, in two generations: when the younger is full it becomes the elder, and the elder is forgotten, so that it never
/// grows and nothing is scanned. Inlinable, as it is asked for every message.
public struct TwoGenerations<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline var young: [Key: Value] = [:]
    @usableFromInline var elder: [Key: Value] = [:]
    /// How often the younger generation was full.
    public var turns: UInt64 = 0
    @usableFromInline let cap: Int

    /// `cap`: entries of both generations together.
    @inlinable public init(cap: Int) { self.cap = max(cap / 2, 1) }

    @inlinable public var count: Int { young.count + elder.count }

    @inlinable public subscript(key: Key) -> Value? {
        // Asked for every message.
        @inline(__always) get { young[key] ?? elder[key] }
    }

    @inlinable
    public mutating func change<Result>(_ key: Key, or new: @autoclosure () -> Value, _ body: (inout Value) -> Result) -> Result {
        if let place = young.index(forKey: key) { return body(&young.values[place]) }
        if young.count >= cap {
            elder = young
            young = [:]
            turns &+= 1
        }
        return body(&young[key, default: elder.removeValue(forKey: key) ?? new()])
    }
}
