public import Base
import CLinux
import DHCP
import Ethernet
public import LinuxEdge
import RouterNode
import Synchronization

/// The router on this machine: the lab's `RouterNode` between an interface and another one, or the machine's own sockets; one thread, real time.
public final class RouterLoop {
    private let clock: RealTime
    private let log: @Sendable (Instant, String) -> Void
    private let poll: EpollSet
    private let inside: Wire
    private let outside: Outside
    private var router: RouterNode
    private let sessions: RouterSessions?
    private let end: End

    private enum Outside {
        case wire(Wire)
        case host(HostUplink)
    }

    /// What `stop` may touch from any thread.
    private final class End: Sendable {
        let wake: WakeSignal
        let isWanted = Atomic(false)

        init() throws(SystemError) { wake = try WakeSignal() }
    }

    /// Opens both sides and the command line's socket. `log` hears in words what happens; it is called on the thread of `run`.
    /// `sharesInterfaces`: interfaces with addresses in the kernel are taken too.
    public init(
        _ setup: RouterSetup, sharesInterfaces: Bool = false, clock: RealTime = RealTime(),
        log: @escaping @Sendable (Instant, String) -> Void
    ) throws {
        self.clock = clock
        self.log = log
        guard setup.inside != setup.outside else {
            throw RouterEdgeError("\(setup.inside) is both inside and outside; the router needs two interfaces")
        }
        if !sharesInterfaces {
            for case .interface(let name) in [setup.inside, setup.outside] { try PacketPort.requireNoAddress(name) }
        }
        var entropy = Entropy.system()
        var setup = setup
        let macs = (MACAddress.locallyAdministered(&entropy), MACAddress.locallyAdministered(&entropy))
        guard let port = try PacketPort(setup.inside) else { throw RouterEdgeError("the inside needs an interface") }
        setup.router.lanMTU = min(setup.router.lanMTU, port.mtu)
        let outsidePort = try PacketPort(setup.outside)
        setup.router.wanMTU = min(setup.router.wanMTU, outsidePort?.mtu ?? setup.router.wanMTU)
        if setup.router.wanAddress == .any { setup.router.services.outsideDHCP = .init(mac: macs.1) }
        let now = clock.now
        poll = try EpollSet()
        inside = Wire(port, EthernetPort(setup.port(.lan, macs.0, mtu: port.mtu), at: now))
        if let outsidePort {
            outside = .wire(Wire(outsidePort, EthernetPort(setup.port(.wan, macs.1, mtu: outsidePort.mtu), at: now)))
        } else {
            outside = .host(
                HostUplink(address: setup.router.wanAddress, mtu: setup.router.wanMTU, poll: poll, entropy: entropy.fork()))
        }
        router = RouterNode(settings: setup.router, entropy: entropy.fork())
        router.isTracing = true
        end = try End()
        sessions = try setup.control.map { [poll] path throws(RouterEdgeError) in
            try RouterSessions(path, product: setup.router.name, poll: poll)
        }
        for descriptor in [port.descriptor, outsidePort?.descriptor, end.wake.descriptor, sessions?.listener].compactMap({ $0 }) {
            poll.watch(descriptor, for: .input)
        }
        if setup.router.services.dns?.upstreams.isEmpty == true, setup.router.services.outsideDHCP == nil {
            log(now, "warning: no name can be looked up inside, as no resolver is known; name one with --dns ADDRESS")
        }
    }

    /// Ends `run`; from any thread.
    public var stop: @Sendable () -> Void {
        { [end] in
            end.isWanted.store(true, ordering: .releasing)
            end.wake.signal()
        }
    }

    /// Forwards until `stop`. Once only. Throws where an interface is gone.
    public func run() throws {
        defer { sessions?.end() }
        settle(clock.now)
        while !end.isWanted.load(ordering: .acquiring) {
            let ready = try poll.wait(nextDeadline.map { max(0, ($0 - clock.now).wholeNanoseconds) } ?? -1)
            let now = clock.now
            for descriptor in ready { try receive(descriptor, now) }
            advance(now)
            settle(now)
        }
    }

    private var nextDeadline: Instant? {
        let outsideDeadline =
            switch outside {
            case .wire(let wire): wire.link.nextDeadline
            case .host(let uplink): uplink.nextDeadline
            }
        return [router.nextDeadline, inside.link.nextDeadline, outsideDeadline, sessions?.nextDeadline].compactMap { $0 }.min()
    }

    private func advance(_ now: Instant) {
        inside.link.advance(to: now)
        switch outside {
        case .wire(let wire): wire.link.advance(to: now)
        case .host(let uplink): uplink.advance(to: now)
        }
        router.advance(to: now)
        sessions?.advance(to: now)
    }

    private func receive(_ descriptor: Int32, _ now: Instant) throws {
        switch descriptor {
        case inside.port.descriptor: try receive(inside, now)
        case end.wake.descriptor: end.wake.drain()
        case sessions?.listener: sessions?.accept(at: now)
        default:
            if sessions?.ready(descriptor, at: now) == true { return }
            switch outside {
            case .wire(let wire): if wire.port.descriptor == descriptor { try receive(wire, now) }
            case .host(let uplink): uplink.ready(descriptor, at: now)
            }
        }
    }

    /// A batch, then the other side's: neither can keep the other waiting.
    private func receive(_ wire: Wire, _ now: Instant) throws {
        let isUp = try wire.port.receive { frame in
            wire.link.receive(.frame(frame), at: now)
            carryOn(now)
        }
        if !isUp { log(now, "warning: \(wire.port.name) is down; nothing comes or goes there until it is up again") }
    }

    /// Frames, packets and what somebody typed, until nothing is left to be carried; then what is to be sent is sent.
    private func settle(_ now: Instant) {
        carryOn(now)
        while let command = sessions?.nextCommand(at: now) {
            router.receive(.command(command), at: now)
            carryOn(now)
        }
        while let trace = router.nextTrace() { tell(trace, now) }
        inside.port.flush()
        if case .wire(let wire) = outside { wire.port.flush() }
    }

    private func carryOn(_ now: Instant) {
        var isBusy = true
        while isBusy {
            isBusy = carry(inside, .lan, now)
            switch outside {
            case .wire(let wire): if carry(wire, .wan, now) { isBusy = true }
            case .host(let uplink):
                while let packet = uplink.nextPacket() {
                    isBusy = true
                    router.receive(.packet(.wan, packet), at: now)
                }
            }
            while let output = router.nextOutput() {
                isBusy = true
                take(output, now)
            }
        }
    }

    /// Whether there was anything.
    private func carry(_ wire: Wire, _ side: RouterInterface, _ now: Instant) -> Bool {
        var isBusy = false
        while let output = wire.link.nextOutput() {
            isBusy = true
            switch output {
            case .frame(let frame): wire.port.send(frame)
            case .packet(let packet): router.receive(.packet(side, packet), at: now)
            case .unreachable(let packet): router.receive(.unreachable(side, packet), at: now)
            }
        }
        return isBusy
    }

    private func take(_ output: RouterOutput, _ now: Instant) {
        switch output {
        case .packet(.lan, let packet): inside.link.receive(.packet(packet), at: now)
        case .packet(.wan, let packet):
            switch outside {
            case .wire(let wire): wire.link.receive(.packet(packet), at: now)
            case .host(let uplink): uplink.send(packet, at: now)
            }
        case .text(let text): sessions?.reply(text, at: now)
        case .neighbour(let side, let address, let mac):
            wire(side)?.link.receive(mac.map { .neighbour(address, $0) } ?? .forget(address), at: now)
        case .outside(let configuration): setOutside(configuration, now)
        }
    }

    private func wire(_ side: RouterInterface) -> Wire? {
        switch (side, outside) {
        case (.lan, _): inside
        case (.wan, .wire(let wire)): wire
        case (.wan, .host): nil
        }
    }

    private func setOutside(_ configuration: DHCPConfiguration?, _ now: Instant) {
        guard let wire = wire(.wan) else { return }
        var settings = wire.link.settings
        settings.addresses = settings.addresses.filter(\.address.isIPv6)
        if let configuration {
            settings.addresses.append(
                InterfaceAddress(address: .v4(configuration.address), prefixLength: configuration.prefixLength))
            let gateway = configuration.gateway.map { " by \($0)" } ?? ""
            log(
                now,
                "outside: \(configuration.address)/\(configuration.prefixLength)\(gateway), from the DHCP server \(configuration.server)"
            )
        } else {
            log(now, "outside: no address any more; asking for one by DHCP")
        }
        settings.gatewayV4 = configuration?.gateway
        wire.link.receive(.settings(settings), at: now)
    }

    private func tell(_ trace: RouterTrace, _ now: Instant) {
        switch trace {
        case .rebooting: log(now, "restarting; all mappings are forgotten")
        case .up: log(now, "up again")
        case .algSwitched(let isOn): log(now, "SIP ALG switched \(isOn ? "on" : "off")")
        case .command(let line): log(now, "command: \(line)")
        default: break
        }
    }
}

/// An interface, and the Ethernet spoken there.
private final class Wire {
    let port: PacketPort
    var link: EthernetPort

    init(_ port: PacketPort, _ link: EthernetPort) {
        self.port = port
        self.link = link
    }
}
