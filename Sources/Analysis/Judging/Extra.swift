import Base
import Capture

/// What a call or a registration does not need, and many ends therefore ignore.
enum Extra: UInt64, Sendable {
    case waitingMessages = 1, presence, publication

    var name: String {
        switch self {
        case .waitingMessages: "SUBSCRIBE for waiting messages"
        case .presence: "SUBSCRIBE for presence"
        case .publication: "PUBLISH"
        }
    }

    var remedy: Remedy {
        switch self {
        case .waitingMessages:
            Remedy(.phone, "Switch the mailbox's subscription (MWI) off in this account, if the server has none.")
        case .presence, .publication: Remedy(.phone, "Switch presence off in this account, if the server has none.")
        }
    }

    var method: MessageMethod {
        switch self {
        case .waitingMessages, .presence: .subscribe
        case .publication: .publish
        }
    }
}

extension Judge {
    /// What a request outside of any dialog asks that can be done without; lamps (Event: dialog) cannot.
    func extra(_ step: Step, _ table: SignallingTable) -> Extra? {
        guard step.toTag == 0 else { return nil }
        if step.method == .publish { return .publication }
        guard step.method == .subscribe, let bytes = Self.bytes(step, table) else { return nil }
        let event = (MessageExcerpt.value(of: "Event", in: bytes) ?? "").lowercased().prefix { $0 != ";" && $0 != " " }
        switch event {
        case "message-summary": return .waitingMessages
        case "presence", "presence.winfo": return .presence
        default: return nil
        }
    }
}

extension PeerUse {
    /// Who asks whom.
    struct Pair: Hashable, Sendable {
        var asker: PackedAddress
        var end: PackedAddress
    }

    /// Notes what a dialog shows of who serves whom, by final answers.
    mutating func noteService(_ c: DialogCase, _ table: SignallingTable) {
        for step in c.steps where !step.isRequest && step.status >= 200 && step.nanoseconds != MessageRecord.unknownTime {
            let pair = Pair(
                asker: table.endpoints[step.record.destination].address, end: table.endpoints[step.record.source].address)
            guard services.count < Self.most || services[pair] != nil else { return }
            if step.method == .subscribe || step.method == .publish {
                services[pair, default: Service()].extras.insert(step.method)
            } else {
                services[pair, default: Service()].answered(at: step.nanoseconds)
            }
        }
    }

    mutating func ignores(_ extra: Extra, asker: PackedAddress, end: PackedAddress, from time: Int64) {
        let pair = Pair(asker: asker, end: end)
        guard time != MessageRecord.unknownTime, ignored.count < Self.most || ignored[pair] != nil else { return }
        ignored[pair, default: [:]][extra] = min(time, ignored[pair]?[extra] ?? .max)
    }

    /// An end answers the asker's other requests after it began to ignore that, and never took one like it.
    func serves(_ asker: PackedAddress, _ end: PackedAddress, besides extra: Extra) -> Bool {
        let pair = Pair(asker: asker, end: end)
        guard let since = ignored[pair]?[extra], let service = services[pair] else { return false }
        return !service.extras.contains(extra.method) && service.last > since
    }
}
