import ALG
import Base
import Lab
import PhoneNode
import ServerNode

extension LabLadder {
    /// Of `records` those that tell how one attempt to register went: each message where it arrives, once; of what routers and servers notice
    /// the first of its kind, but no rewriting, which has little to do with it; commands that changed something; up to where a panel first says
    /// how the attempt ended. And how many messages arrive after that.
    static func brief(_ records: [LabRecord]) -> (kept: [LabRecord], omitted: Int) {
        var kept: [LabRecord] = []
        var noticed: Set<Remark> = []
        for (place, record) in records.enumerated() {
            switch record.trace {
            case .server(.received), .phone(.received), .phone(.stunObserved): kept.append(record)
            case .did(.command): if changes(records[(place + 1)...]) { kept.append(record) }
            case .did, .router(.algSwitched): kept.append(record)
            case .router(.alg(let trace)): if let remark = Remark(trace), noticed.insert(remark).inserted { kept.append(record) }
            case .server(.notice(.portJumps)): if noticed.insert(.portJumps).inserted { kept.append(record) }
            case .status(let status) where status.isDecided:
                kept.append(record)
                return (kept, records[(place + 1)...].count(where: isArrival))
            case .phone, .server, .router, .status, .host, .network, .text, .probed, .stunAnswered, .nameAnswered, .call,
                .recorded,
                .media,
                .mediaDropped:
                break
            }
        }
        return (kept, 0)
    }

    /// Whether a message came to where it was meant to.
    private static func isArrival(_ record: LabRecord) -> Bool {
        switch record.trace {
        case .server(.received(_, _, let meaning)): meaning != .keepaliveAnswer
        case .phone(.received(let message)): !isKeepalive(message.meaning)
        default: false
        }
    }

    /// What is said once.
    private enum Remark: Hashable {
        case freshMapping, holds, drops, redirects, portJumps

        init?(_ trace: ALGTrace) {
            switch trace {
            case .tookMapping(_, let isFresh, _):
                guard isFresh else { return nil }
                self = .freshMapping
            case .held: self = .holds
            case .dropped: self = .drops
            case .redirected: self = .redirects
            default: return nil
            }
        }
    }

    /// Whether what comes before the experimenter's next deed is that the ALG was switched.
    private static func changes(_ records: ArraySlice<LabRecord>) -> Bool {
        for record in records {
            switch record.trace {
            case .router(.algSwitched): return true
            case .did: return false
            default: continue
            }
        }
        return false
    }
}

extension PhoneStatus {
    /// Whether the attempt came to an end, good or bad.
    fileprivate var isDecided: Bool {
        switch registration {
        case .starting, .resolving, .registering, .deregistering: false
        case .registered, .authorizationError, .rejected, .noAnswer, .unreachable, .unresolvable, .misconfigured, .deregistered:
            true
        }
    }
}
