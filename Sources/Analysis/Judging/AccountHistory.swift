import Base
import Capture

/// What registrars granted one account over all Call-IDs, and which calls to it were refused.
struct AccountHistory: Sendable {
    /// A 200 to a REGISTER.
    struct Grant: Sendable {
        var dialog: Int
        var record: MessageRecord
        /// The first REGISTER after the grant before it, or of the Call-ID.
        var began: MessageRecord
        var asked: UInt32
        var granted: UInt32
        var contact: HostPort
        var client: PackedEndpoint
        var registrar: PackedEndpoint
        var time: Int64 { record.nanoseconds }
    }

    /// A call to the account that its registrar refused as not there.
    struct Miss: Sendable {
        var dialog: Int
        var record: MessageRecord
        var registrar: PackedAddress
    }

    static let mostGrants = 64
    static let mostMisses = 16
    static let mostAccounts = 1 << 14

    var name: String
    var vantage: Vantage
    var grants: [Grant] = []
}

extension Judge {
    /// Files what a dialog tells of its account.
    mutating func noteAccount(_ c: DialogCase, _ table: SignallingTable) {
        if c.dialog.kind == .registration { noteGrants(c, table) } else if c.isFinal { noteMiss(c, table) }
    }

    func account(_ name: ArraySlice<UInt8>, _ c: DialogCase) -> UInt64 {
        hash(name) ^ UInt64(c.dialog.vantage.index) << 48
    }

    private mutating func noteGrants(_ c: DialogCase, _ table: SignallingTable) {
        let key = account(c.dialog.to, c)
        guard accounts.count < AccountHistory.mostAccounts || accounts[key] != nil else { return }
        var began: Step?
        var request: Step?
        for step in c.steps
        where step.method == .register && step.isFirst
            && step.nanoseconds != MessageRecord.unknownTime
        {
            if step.isRequest {
                if began == nil { began = step }
                request = step
                continue
            }
            guard step.status >= 200, step.status < 300, let asked = request, asked.record.sequence == step.record.sequence
            else { continue }
            defer { began = nil }
            var account = accounts[key] ?? AccountHistory(name: c.aor, vantage: c.dialog.vantage)
            guard account.grants.count < AccountHistory.mostGrants,
                !account.grants.contains(where: { $0.record.place == step.record.place })
            else { continue }
            account.grants.append(
                .init(
                    dialog: c.number, record: step.record, began: (began ?? asked).record, asked: Self.bounded(asked.expires),
                    granted: granted(step, asked), contact: asked.contact,
                    client: c.client(step, table),
                    registrar: c.server(step, table)))
            accounts[key] = account
        }
    }

    /// Of the asker's own Contact; an answer may list another one first.
    private func granted(_ answer: Step, _ asked: Step) -> UInt32 {
        if asked.expires == 0 { return 0 }
        return answer.contact.kind == .none || answer.contact == asked.contact ? Self.bounded(answer.expires) : Step.noNumber
    }

    /// Whatever is written, times stay within what can be added.
    private static func bounded(_ seconds: UInt32) -> UInt32 { seconds == Step.noNumber ? seconds : min(seconds, 100_000_000) }

    private mutating func noteMiss(_ c: DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, case .failed(let status) = c.dialog.outcome, [404, 408, 410, 480].contains(status),
            let step = c.steps.last(where: { !$0.isRequest && $0.method == .invite && $0.status == status })
        else { return }
        let key = account(c.dialog.to, c)
        guard misses.count < AccountHistory.mostAccounts || misses[key] != nil,
            misses[key, default: []].count < AccountHistory.mostMisses
        else { return }
        misses[key, default: []].append(
            .init(dialog: c.number, record: step.record, registrar: table.endpoints[step.record.source].address))
    }
}
