import ALG
import Base
import NAT

/// Lines typed at the command line.
extension RouterNode {
    mutating func run(_ line: String, _ now: Instant) {
        let reply = commandLine.enter(line, view(now))
        traces.note(.command(line))
        outputs.append(.text(reply.text))
        for action in reply.actions {
            switch action {
            case .configure(let configuration): configure(configuration, now)
            case .save: saved = running
            case .reboot: reboot(now)
            case .flushMappings: forgetConnections(now)
            case .reset:
                configure(RouterConfiguration(settings), now)
                saved = running
                forgetConnections(now)
            }
        }
    }

    private func view(_ now: Instant) -> RouterCommandLine.View {
        RouterCommandLine.View(settings: settings, configuration: running, snapshot: snapshot(at: now))
    }

    private mutating func configure(_ configuration: RouterConfiguration, _ now: Instant) {
        let was = running
        running = configuration
        if was.isALGEnabled != configuration.isALGEnabled {
            traces.note(.algSwitched(isOn: configuration.isALGEnabled))
            if !configuration.isALGEnabled { dissolveALG(now) }
        }
        if was.sipPorts != configuration.sipPorts { noteUnbound(now) }
        if was.sipTimeout != configuration.sipTimeout, let timeout = configuration.sipTimeout { setSIPTimeout(timeout, now) }
        if was.timers != configuration.timers, let timers = configuration.timers {
            translator?.setTimers(timers, at: now)
            for mapping in mappings { keepers.note(mapping.id, .command, at: now) { _ in true } }
        }
        if was.staticMappings != configuration.staticMappings {
            closeStaticMappings(was.staticMappings.filter { !configuration.staticMappings.contains($0) }, now)
            openStaticMappings(now)
        }
    }

    /// The helper lets go of the flows of ports that are bound no longer.
    private mutating func noteUnbound(_ now: Instant) {
        guard !running.sipPorts.isEmpty else { return dissolveALG(now) }
        let ports = running
        gateway.stopFollowing { !ports.isSIP($0.remote.port) }
        collect(now)
    }

    /// What carries SIP already gets the new time at once.
    private mutating func setSIPTimeout(_ timeout: Duration, _ now: Instant) {
        guard isALGOn else { return }
        for mapping in mappings {
            let isOwn = gateway.slotEndpoints(of: mapping.internal).contains(mapping.external)
            let isSIP = mapping.proto != .icmp && mapping.remote.map { running.isSIP($0.port) } == true
            if isOwn || isSIP { setIdle(of: mapping.id, to: timeout, by: .command, now) }
        }
    }

    mutating func setIdle(of id: MappingID, to idle: Duration, by keeper: MappingKeeper, _ now: Instant) {
        guard translator?.setIdle(of: id, to: idle, at: now) == true else { return }
        let nat = translator
        keepers.note(id, keeper, at: now) { nat?.mapping($0) != nil }
    }

    /// The helper's own mappings and pinholes go with it, so that SIP shares the ordinary mapping from the next packet on.
    /// What it holds back still goes out in its time.
    private mutating func dissolveALG(_ now: Instant) {
        for mapping in mappings where gateway.slotEndpoints(of: mapping.internal).contains(mapping.external) {
            _ = translator?.remove(mapping.id, at: now)
        }
        for id in expected.all { _ = translator?.cancel(id) }
        expected = PinholeExpectations()
        gateway.reset()
    }

    private mutating func forgetConnections(_ now: Instant) {
        for mapping in mappings { _ = translator?.remove(mapping.id, at: now) }
        for id in expected.all { _ = translator?.cancel(id) }
        expected = PinholeExpectations()
        gateway.reset()
        shifts = StreamShifts(cap: settings.limits.shiftedStreams)
    }

    // MARK: Static mappings

    /// Marks the expectations that are static mappings.
    private static let staticOwner = UInt64.max

    /// Closes all, and ends what came through those that are `gone`.
    private mutating func closeStaticMappings(_ gone: [StaticMapping], _ now: Instant) {
        translator?.flush(nil, owner: Self.staticOwner)
        for mapping in mappings {
            let isGone = gone.contains {
                $0.proto == mapping.proto && $0.outsidePort == mapping.external.port && $0.inside == mapping.internal
            }
            if isGone { translator?.remove(mapping.id, at: now) }
        }
    }

    mutating func openStaticMappings(_ now: Instant) {
        guard let external = translator?.settings.externalAddresses.first else { return }
        for mapping in running.staticMappings {
            let expectation = Expectation(
                mapping.proto, from: .any, to: Endpoint(.v4(external), mapping.outsidePort), for: mapping.inside,
                expires: .distantFuture, isPermanent: true, purpose: .media, owner: Self.staticOwner)
            _ = try? translator?.expect(expectation, at: now)
        }
    }
}
