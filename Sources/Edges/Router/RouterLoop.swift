public import Base
import CLinux
import DHCP
import Ethernet
public import LinuxEdge
import RouterNode
import Synchronization

/// The router on two interfaces of this machine: the lab's `RouterNode` between two `EthernetPort`s, one thread, real time.
public final class RouterLoop {
    private let setup: RouterSetup
    private let clock: RealTime
    private let log: @Sendable (Instant, String) -> Void
    private let ports: (lan: PacketPort, wan: PacketPort)
    private var links: (lan: EthernetPort, wan: EthernetPort)
    private var router: RouterNode
    private let sessions: RouterSessions?
    private let wake: WakeSignal
    private let isStopping = Atomic(false)
    private let epoll: Int32

    /// Opens both interfaces and the command line's socket. `log` hears in words what happens; it is called on the thread of `run`.
    /// `sharesInterfaces`: interfaces with addresses in the kernel are taken too.
    public init(
        _ setup: RouterSetup, sharesInterfaces: Bool = false, clock: RealTime = RealTime(),
        log: @escaping @Sendable (Instant, String) -> Void
    ) throws {
        self.clock = clock
        self.log = log
        var entropy = Entropy.system()
        guard setup.inside != setup.outside else {
            throw RouterEdgeError("\(setup.inside) is both inside and outside; the router needs two interfaces")
        }
        if !sharesInterfaces {
            for name in [setup.inside, setup.outside] { try PacketPort.requireNoAddress(name) }
        }
        ports = (try PacketPort(setup.inside), try PacketPort(setup.outside))
        let macs = (MACAddress.locallyAdministered(&entropy), MACAddress.locallyAdministered(&entropy))
        var setup = setup
        setup.router.lanMTU = min(setup.router.lanMTU, ports.lan.mtu)
        setup.router.wanMTU = min(setup.router.wanMTU, ports.wan.mtu)
        if setup.router.wanAddress == .any { setup.router.services.outsideDHCP = .init(mac: macs.1) }
        self.setup = setup
        let now = clock.now
        links = (
            EthernetPort(setup.port(.lan, macs.0, mtu: ports.lan.mtu), at: now),
            EthernetPort(setup.port(.wan, macs.1, mtu: ports.wan.mtu), at: now)
        )
        router = RouterNode(settings: setup.router, entropy: entropy.fork())
        router.isTracing = true
        sessions = try setup.control.map { path throws(RouterEdgeError) in
            try RouterSessions(path, product: setup.router.name)
        }
        wake = try WakeSignal()
        epoll = pl_epoll_create()
        guard epoll >= 0 else { throw SystemError(code: -epoll, doing: "creating an epoll") }
        for (tag, descriptor) in [
            (Tag.lan, ports.lan.descriptor), (Tag.wan, ports.wan.descriptor), (Tag.wake, wake.descriptor),
        ] { pl_epoll_add(epoll, descriptor, tag) }
        if let sessions { pl_epoll_add(epoll, sessions.listener, Tag.listener) }
    }

    deinit { if epoll >= 0 { pl_close(epoll) } }

    private enum Tag {
        static let lan: UInt64 = 0
        static let wan: UInt64 = 1
        static let wake: UInt64 = 2
        static let listener: UInt64 = 3
        /// Sessions: this and their descriptor.
        static let session: UInt64 = 16
    }

    /// Ends `run`; from any thread.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Forwards until `stop`. Once only.
    public func run() throws(SystemError) {
        var ready = [UInt64](repeating: 0, count: 64)
        settle(clock.now)
        while !isStopping.load(ordering: .acquiring) {
            var wait: Int64 = -1
            if let deadline = nextDeadline { wait = max(0, (deadline - clock.now).wholeNanoseconds) }
            let count = pl_epoll_wait(epoll, &ready, Int32(ready.count), wait)
            guard count >= 0 else { throw SystemError(code: -count, doing: "waiting for frames") }
            let now = clock.now
            for tag in ready[..<Int(count)] {
                switch tag {
                case Tag.lan: try receive(.lan, now)
                case Tag.wan: try receive(.wan, now)
                case Tag.wake: wake.drain()
                case Tag.listener:
                    if let descriptor = sessions?.accept(at: now) {
                        pl_epoll_add(epoll, descriptor, Tag.session + UInt64(descriptor))
                    }
                default: sessions?.read(Int32(tag - Tag.session), at: now)
                }
            }
            advance(now)
            settle(now)
        }
        ports.lan.flush()
        ports.wan.flush()
        sessions?.end()
    }

    private var nextDeadline: Instant? {
        [router.nextDeadline, links.lan.nextDeadline, links.wan.nextDeadline, sessions?.nextDeadline].compactMap { $0 }.min()
    }

    private func advance(_ now: Instant) {
        links.lan.advance(to: now)
        links.wan.advance(to: now)
        router.advance(to: now)
        sessions?.advance(to: now)
    }

    private func receive(_ side: RouterInterface, _ now: Instant) throws(SystemError) {
        let port = side == .lan ? ports.lan : ports.wan
        // A batch, then the other side's: neither can keep the other waiting.
        _ = try port.receive { frame in
            switch side {
            case .lan: links.lan.receive(.frame(frame), at: now)
            case .wan: links.wan.receive(.frame(frame), at: now)
            }
            settle(now)
        }
    }

    /// Carries everything on until nothing is left to be carried.
    private func settle(_ now: Instant) {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let output = links.lan.nextOutput() {
                isBusy = true
                take(output, .lan, now)
            }
            while let output = links.wan.nextOutput() {
                isBusy = true
                take(output, .wan, now)
            }
            while let output = router.nextOutput() {
                isBusy = true
                take(output, now)
            }
            while let command = sessions?.nextCommand() {
                isBusy = true
                router.receive(.command(command), at: now)
                while let output = router.nextOutput() { take(output, now) }
            }
        }
        while let trace = router.nextTrace() { tell(trace, now) }
        ports.lan.flush()
        ports.wan.flush()
    }

    private func take(_ output: EthernetPort.Output, _ side: RouterInterface, _ now: Instant) {
        switch output {
        case .frame(let frame): (side == .lan ? ports.lan : ports.wan).send(frame)
        case .packet(let packet): router.receive(.packet(side, packet), at: now)
        case .unreachable(let packet): router.receive(.unreachable(side, packet), at: now)
        }
    }

    private func take(_ output: RouterOutput, _ now: Instant) {
        switch output {
        case .packet(.lan, let packet): links.lan.receive(.packet(packet), at: now)
        case .packet(.wan, let packet): links.wan.receive(.packet(packet), at: now)
        case .text(let text): sessions?.reply(text, at: now)
        case .neighbour(let side, let address, let mac):
            let input = mac.map { EthernetPort.Input.neighbour(address, $0) } ?? .forget(address)
            if side == .lan { links.lan.receive(input, at: now) } else { links.wan.receive(input, at: now) }
        case .outside(let configuration): setOutside(configuration, now)
        }
    }

    private func setOutside(_ configuration: DHCPConfiguration?, _ now: Instant) {
        var settings = links.wan.settings
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
        links.wan.receive(.settings(settings), at: now)
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
