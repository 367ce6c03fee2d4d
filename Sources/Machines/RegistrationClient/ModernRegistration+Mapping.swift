import Base

/// What the observers say of the SIP socket's address, and what the registration does about it.
extension ModernRegistration {
    /// What the STUN server answered about the socket `local`.
    mutating func stunSaw(_ mapped: Endpoint, of local: Endpoint, at now: Instant) {
        guard local == watch.local else { return }
        stunIsAwaited = false
        let bound: Endpoint?
        switch state {
        case .registered(let binding): bound = binding.contact
        case .off, .resolving, .discovering, .registering, .refreshing, .waiting, .deregistering: bound = nil
        }
        heed(watch.stunSaw(mapped, by: .server, bound: bound, at: now), seen: mapped, by: .stun, at: now)
        switch state {
        case .discovering(let targets, _): attempt(.start, targets, place: 0, at: now)
        case .off, .resolving, .registering, .registered, .refreshing, .waiting, .deregistering: publish()
        }
    }

    /// The registrar answered a STUN keepalive on its SIP port.
    mutating func keepaliveMapped(_ mapped: Endpoint, at now: Instant) {
        keepalive.answered()
        switch state {
        case .registered(let binding):
            let verdict = watch.stunSaw(mapped, by: .registrar, bound: binding.contact, at: now)
            heed(verdict, seen: mapped, by: .registrar, at: now)
            publish()
        case .off, .resolving, .discovering, .registering, .refreshing, .waiting, .deregistering: break
        }
    }

    /// The registrar answered an OPTIONS keepalive, or refused a STUN one (then `seenAs` is nil).
    mutating func keepaliveAnswered(seenAs: Endpoint?, at now: Instant) {
        keepalive.answered()
        guard let seenAs else { return }
        switch state {
        case .registered(let binding):
            heed(
                watch.registrarSaw(seenAs, on: .keepalive(bound: binding.contact), at: now), seen: seenAs, by: .registrar, at: now
            )
            publish()
        case .off, .resolving, .discovering, .registering, .refreshing, .waiting, .deregistering: break
        }
    }

    /// Acts on what the mapping watch thinks of an observation.
    mutating func heed(_ verdict: MappingWatch.Verdict, seen: Endpoint, by observer: RegistrationTrace.Observer, at now: Instant)
    {
        switch verdict {
        case .unchanged: break
        case .noted: if watch.contact == seen { outbox.append(.decided(.adoptsContact(watch.contact, seenBy: observer))) }
        case .keep(let contact, let because):
            outbox.append(.decided(.keepsContact(contact, though: seen, seenBy: observer, because: because)))
            if watch.isSettledOnRegistrar, observer == .registrar { outbox.append(.decided(.settlesOnRegistrar(watch.contact))) }
        case .follow(let from, let to):
            guard case .registered(let binding) = state else { return }
            attempt(.mappingChanged(from: from, to: to, seenBy: observer), binding.targets, place: binding.place, at: now)
        case .followLater(let until, let from, let to):
            guard case .registered(var binding) = state else { return }
            binding.followAt = until
            binding.followCause = .mappingChanged(from: from, to: to, seenBy: observer)
            state = .registered(binding)
            outbox.append(
                .decided(.keepsContact(from, though: to, seenBy: observer, because: "the last change was followed a moment ago")))
        }
    }
}
