import Base
import SIPStack

extension Registrar {
    /// Stores what `aor` has now; nobody waits for it.
    mutating func persistWithoutReply(_ aor: AddressOfRecord, formerCount: Int = .max) {
        guard settings.isPersistent else { return }
        let sequence = commits.nextSequence()
        if !isStorageFailing { commits.append(.init(sequence: sequence)) }
        outbox.append(
            .persist(
                sequence: sequence,
                RegistrarChange(aor: aor, bindings: locations.locations(of: aor).map(\.binding), formerCount: formerCount)))
    }
}
