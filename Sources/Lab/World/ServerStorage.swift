import Base
import ServerNode

/// What a server's storage has made durable, and whether it makes anything so.
struct ServerStorage: Sendable {
    private(set) var state = LabWorld.StorageState.works
    private(set) var stored: [AddressOfRecord: [Binding]] = [:]
    private var waiting: [(sequence: UInt64, change: RegistrarChange)] = []

    /// Every binding that is durable, in an order that is the same in every run.
    var bindings: [StoredBinding] {
        stored.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }.flatMap { aor, bindings in
            bindings.map { StoredBinding(aor: aor, binding: $0) }
        }
    }

    /// What the server is told; nil: nothing as yet.
    mutating func store(_ sequence: UInt64, _ change: RegistrarChange) -> ServerNode.Input? {
        waiting.append((sequence, change))
        return report
    }

    mutating func become(_ state: LabWorld.StorageState) -> ServerNode.Input? {
        self.state = state
        return waiting.isEmpty ? nil : report
    }

    /// What was not durable is gone.
    mutating func restart() { waiting = [] }

    private var report: ServerNode.Input? {
        mutating get {
            switch state {
            case .slow: return nil
            case .fails: return .persistFailed(reason: "the disk is full")
            case .works:
                for (_, change) in waiting { stored[change.aor] = change.bindings.isEmpty ? nil : change.bindings }
                defer { waiting = [] }
                return waiting.last.map { .persisted(through: $0.sequence) }
            }
        }
    }
}
