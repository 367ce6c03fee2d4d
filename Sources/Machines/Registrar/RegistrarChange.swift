import Base
import SIPStack

/// What storage has to make durable before a REGISTER is answered: the whole truth about one address of record.
///
/// Applying a change twice does no harm; applying them in order of their sequence gives the registrar's table.
public struct RegistrarChange: Hashable, Sendable {
    public var aor: AddressOfRecord
    /// Every binding of `aor` from now on; empty: none are left.
    public var bindings: [Binding]
    /// At most so many bindings of `aor` are stored already; `Int.max`: not known.
    public var formerCount: Int

    public init(aor: AddressOfRecord, bindings: [Binding], formerCount: Int = .max) {
        self.aor = aor
        self.bindings = bindings
        self.formerCount = formerCount
    }
}

/// A binding with its address of record, as storage hands it back after a restart.
public struct StoredBinding: Hashable, Sendable {
    public var aor: AddressOfRecord
    public var binding: Binding

    public init(aor: AddressOfRecord, binding: Binding) {
        self.aor = aor
        self.binding = binding
    }
}

// Times are kept as the wall clock shows them, so that other programs, and a later start, understand them.
extension RegistrarChange {
    /// With all its times so much later.
    public func moved(by duration: Duration) -> RegistrarChange {
        guard duration != .zero else { return self }
        var change = self
        for index in change.bindings.indices { change.bindings[index].move(by: duration) }
        return change
    }
}

extension Binding {
    fileprivate mutating func move(by duration: Duration) {
        expires += duration
        updated += duration
        answered = answered.map { $0 + duration }
        switch reach {
        case .reachable: break
        case .flowDead(let since): reach = .flowDead(since: since + duration)
        case .connectionLost(let since): reach = .connectionLost(since: since + duration)
        }
    }
}
