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
            }
        }
    }

    private func view(_ now: Instant) -> RouterCommandLine.View {
        RouterCommandLine.View(
            name: settings.name, profile: settings.alg.name, configuration: running, mappings: mappings, pinholes: pinholes,
            timers: settings.nat?.timers, addresses: [(.lan, .v4(settings.lanAddress)), (.wan, .v4(settings.wanAddress))],
            now: now)
    }

    private mutating func configure(_ configuration: RouterConfiguration, _ now: Instant) {
        let was = running
        running = configuration
        guard was.isALGEnabled != configuration.isALGEnabled else { return }
        traces.note(.algSwitched(isOn: configuration.isALGEnabled))
        if !configuration.isALGEnabled { dissolveALG(now) }
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
}
