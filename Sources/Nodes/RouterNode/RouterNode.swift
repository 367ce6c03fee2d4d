public import ALG
public import Base
public import NAT
import Packet

/// A home router: two interfaces, IP forwarding, a NAT and a SIP helper, and a command line to see and set them.
///
/// IPv4 is routed (RFC 1812) and, where `settings.nat` says so, translated; IPv6 is routed as it is. The helper reads what goes to and
/// comes from its ports, on datagrams and on whole segments of streams.
public struct RouterNode: Machine {
    public typealias Input = RouterInput
    public typealias Output = RouterOutput
    public typealias Trace = RouterTrace

    enum State: Sendable {
        case up
        case down(until: Instant)
    }

    public internal(set) var settings: RouterSettings
    var state: State = .up
    /// What the command line sets, as it runs and as `saveall` keeps it over a reboot.
    var running: RouterConfiguration
    var saved: RouterConfiguration
    var translator: AddressTranslator?
    /// The translator's, to look at for each packet without it; empty without a NAT.
    var externalAddresses: [IPv4Address]
    var gateway: ApplicationGateway
    var commandLine = RouterCommandLine()
    var reassembler = Reassembler()
    var held = HeldPackets()
    var shifts: StreamShifts
    var expected = PinholeExpectations()
    var errorBudget: ICMPErrorBudget
    var services: RouterServices
    var serviceEntropy: Entropy
    var outputs = Outbox<RouterOutput>()
    var traces = RouterNotes()
    var keepers = MappingKeepers()

    public init(settings: RouterSettings, entropy: Entropy) {
        self.settings = settings
        running = RouterConfiguration(settings)
        saved = running
        var entropy = entropy
        // Only where it is needed: without services a seed's run stays what it was.
        serviceEntropy = settings.services.isOn ? entropy.fork() : entropy
        services = RouterServices(settings, entropy: settings.services.isOn ? serviceEntropy.fork() : entropy)
        translator = settings.nat.map { AddressTranslator(settings: $0, entropy: entropy) }
        externalAddresses = settings.nat?.externalAddresses ?? []
        gateway = ApplicationGateway(profile: settings.alg)
        shifts = StreamShifts(cap: settings.limits.shiftedStreams)
        errorBudget = ICMPErrorBudget(settings.limits)
    }

    /// Whether anything is traced, here and in the NAT and the helper.
    public var isTracing: Bool {
        get { traces.isOn }
        set {
            traces.isOn = newValue
            translator?.isTracing = newValue
            gateway.isTracing = newValue
            services.isTracing = newValue
        }
    }

    // MARK: Looking at it

    public var isUp: Bool {
        switch state {
        case .up: true
        case .down: false
        }
    }

    /// Whether the SIP helper acts: switched on, and a profile that does something.
    public var isALGOn: Bool { running.isALGEnabled && settings.alg.name != ALGProfile.none.name }

    public var sipPorts: [RouterPortBinding] { running.sipPorts }

    /// The NAT's table as it stands; empty without a NAT.
    public var mappings: [NATMapping] { translator?.mappings ?? [] }

    public var pinholes: [ALGPinhole] { gateway.openPinholes }

    /// ICMP errors that were not sent, as too many had been.
    public var icmpErrorsWithheld: UInt64 { errorBudget.withheld }

    /// What crossed it and what did not.
    public var statistics: RouterStatistics { traces.statistics }

    /// What its SIP helper did.
    public var algStatistics: ALGStatistics { gateway.statistics }

    public var prompt: String { commandLine.prompt }

    // MARK: Machine

    /// A packet given away (not used by the caller afterwards) is edited where it lies, and goes on in the same buffer.
    public mutating func receive(_ input: consuming RouterInput, at now: Instant) {
        advance(to: now)
        switch consume input {
        case .packet(let interface, var bytes):
            traces.statistics[interface].packetsIn &+= 1
            traces.statistics[interface].octetsIn &+= UInt64(bytes.count)
            switch state {
            case .down: traces.note(.dropped(.down, interface))
            case .up: receive(&bytes, on: interface, now)
            }
        case .unreachable(let interface, let bytes):
            if isUp { undeliverable(bytes, interface, now) }
        case .command(let line):
            switch state {
            case .down: outputs.append(.text("the router is starting; try again in a moment\n"))
            case .up: run(line, now)
            }
        case .reboot:
            reboot(now)
        }
        collect(now)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .down(let until): until
        case .up:
            [
                held.nextDeadline, translator?.nextDeadline, gateway.nextDeadline, shifts.nextDeadline, reassembler.nextDeadline,
                services.nextDeadline,
            ]
            .compactMap { $0 }.min()
        }
    }

    public mutating func advance(to now: Instant) {
        traces.now = now
        errorBudget.advance(to: now)
        switch state {
        case .down(let until):
            guard now >= until else { return }
            state = .up
            traces.note(.up)
        case .up:
            while let packet = held.popDue(at: now) {
                traces.note(.released(heldFor: now - packet.since))
                transmit(packet.bytes, on: packet.interface, quoting: nil)
            }
            gateway.advance(to: now)
            translator?.advance(to: now)
            shifts.advance(to: now)
            while reassembler.expire(at: now) != nil {}
            if settings.services.isOn {
                services.advance(to: now)
                collectServices(now)
            }
            collect(now)
        }
    }

    public mutating func nextOutput() -> RouterOutput? {
        let output = outputs.next()
        if case .packet(let interface, let bytes)? = output {
            traces.statistics[interface].packetsOut &+= 1
            traces.statistics[interface].octetsOut &+= UInt64(bytes.count)
        }
        return output
    }

    public mutating func nextTrace() -> RouterTrace? { traces.next() }

    /// Off, and on again after the configured time, with the saved configuration and empty tables.
    mutating func reboot(_ now: Instant) {
        let until = now + settings.rebootTime
        traces.note(.rebooting(until: until, heldPacketsLost: held.count))
        translator?.reboot(at: now)
        gateway.reset()
        expected = PinholeExpectations()
        held = HeldPackets()
        shifts = StreamShifts(cap: settings.limits.shiftedStreams)
        reassembler = Reassembler()
        keepers.removeAll()
        if settings.services.isOn {
            services = RouterServices(settings, entropy: serviceEntropy.fork())
            services.isTracing = traces.isOn
        }
        running = saved
        if let timers = running.timers { translator?.setTimers(timers, at: now) }
        openStaticMappings(now)
        commandLine = RouterCommandLine()
        state = .down(until: until)
    }

    /// Carries the helper's wishes to the NAT, and both their traces and packets out.
    mutating func collect(_ now: Instant) {
        while let request = gateway.nextRequest() { carryOut(request, now) }
        while let output = translator?.nextOutput() {
            switch output {
            case .toExternal(let bytes): transmit(bytes, on: .wan, quoting: nil)
            case .toInternal(let bytes): transmit(bytes, on: .lan, quoting: nil)
            }
        }
        collectTraces()
    }

    mutating func collectTraces() {
        guard traces.isOn else { return }
        while let trace = translator?.nextTrace() { traces.note(.nat(trace)) }
        while let trace = gateway.nextTrace() { traces.note(.alg(trace)) }
    }
}
