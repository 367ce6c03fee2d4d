import Base
import Capture

extension Judge {
    /// A phone that registered with one address refuses with 403 what comes from another, call after call: many take calls from their
    /// registrar alone.
    mutating func fromAnother(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let (phone, caller) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        guard let registrars = table.registered[phone.address], !registrars.contains(caller.address),
            let registrar = registrars.min(by: { $0.low < $1.low }), !table.registrars.contains(phone.address)
        else { return nil }
        let key = ends(step, c, table) ^ UInt64(step.record.status) << 40
        count(key) { $0.refused += 1 }
        let (called, calling) = (Self.name(phone), Self.name(caller))
        return RefusalCause(
            proof: .never(refused: key, accepted: ends(step, c, table), least: 2),
            summary:
                "\(called) refuses the calls that come from \(calling): it registered with \(registrar), and answered \(Self.words(step, table)).",
            details: ["Many phones take calls only from the address that they register with, against calls of strangers."],
            culprit: .between(calling, called),
            remedies: [
                Remedy(
                    .phone,
                    "If \(calling) belongs to the same provider: switch off at \(called) that it takes SIP from its registrar alone, or enter \(calling) there as trusted."
                )
            ])
    }

    /// Who answers whom, by address, whatever the caller's number.
    func ends(_ answer: Step, _ c: DialogCase, _ table: SignallingTable) -> UInt64 {
        end(table.endpoints[answer.record.source], c) &* 37 ^ table.endpoints[answer.record.destination].address.low
    }
}
