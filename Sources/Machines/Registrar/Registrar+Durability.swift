import Base
import SIPStack

/// What storage says, and what it is given.
extension Registrar {
    /// Every change up to this sequence is durable; storage works again, if it did not.
    package mutating func persisted(through sequence: UInt64, at now: Instant) {
        if isStorageFailing {
            isStorageFailing = false
            note(.storageWorks)
        }
        while let done = commits.popFirst(through: sequence) {
            counters.commits &+= 1
            if let reply = done.reply { outbox.append(.registered(reply)) }
        }
    }

    /// Storage works no more: what waits for it is answered all the same, for `Expiry.unstored` at most, and so is what comes from now on.
    /// Storage keeps the changes and says `persisted` when it has them.
    package mutating func persistFailed(_ reason: String, at now: Instant) {
        isStorageFailing = true
        var waiting: [Registered] = []
        while let failed = commits.popFirst(through: .max) {
            counters.commitsFailed &+= 1
            if let reply = failed.reply { waiting.append(reply) }
        }
        note(.commitFailed(reason: reason, requests: waiting.count))
        for var reply in waiting {
            let aor = reply.aor
            shorten(&reply.locations, since: reply.at, at: now)
            var current = locations.locations(of: aor)
            if shorten(&current, since: reply.at, at: now) {
                locations.replace(aor, with: current)
                persistWithoutReply(aor)
            }
            counters.registeredUnstored &+= 1
            outbox.append(.registered(reply))
        }
    }

    /// What was registered since `start` ends after `Expiry.unstored`. Returns whether that changes anything.
    @discardableResult
    private func shorten(_ locations: inout [LocationTable.Location], since start: Instant, at now: Instant) -> Bool {
        let latest = now + .seconds(Int64(settings.expiry.unstored))
        var isChanged = false
        for index in locations.indices
        where locations[index].binding.updated >= start && locations[index].binding.expires > latest {
            locations[index].binding.expires = latest
            isChanged = true
        }
        return isChanged
    }

    /// Bindings of an earlier life, before the first registration. Their phones' UDP flows are taken to live still; connections are gone.
    package mutating func restore(_ stored: [StoredBinding], at now: Instant) {
        var lists: [AddressOfRecord: [LocationTable.Location]] = [:]
        var order: [AddressOfRecord] = []
        var counts = (restored: 0, unreachable: 0, refused: 0)
        var incomplete: Set<AddressOfRecord> = []
        for entry in stored {
            if lists[entry.aor] == nil { order.append(entry.aor) }
            guard entry.binding.expires > now, locations.count + counts.restored < settings.limits.bindings else {
                counts.refused += 1
                incomplete.insert(entry.aor)
                lists[entry.aor, default: []] += []
                continue
            }
            var location = LocationTable.Location(binding: entry.binding)
            if entry.binding.flow.transport.isReliable {
                if case .reachable = entry.binding.reach { location.binding.reach = .connectionLost(since: now) }
                if entry.binding.opensTo == nil { counts.unreachable += 1 }
            } else {
                restoreUDP(&location, at: now)
            }
            lists[entry.aor, default: []].append(location)
            counts.restored += 1
        }
        for aor in order {
            let list = lists[aor] ?? []
            locations.replace(aor, with: list)
            // What had expired meanwhile is taken out of storage as well.
            if incomplete.contains(aor) { persistWithoutReply(aor) }
        }
        note(.restored(bindings: counts.restored, unreachable: counts.unreachable, refused: counts.refused))
    }
}
