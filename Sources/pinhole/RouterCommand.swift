import ArgumentParser
import Base
import Foundation
import LinuxEdge
import RouterEdge
import RouterNode
import ShowText
import TerminalEdge

struct RouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "A NAT router between two interfaces of this machine, with the SIP ALG of a product you choose.",
        discussion: """
            Real devices and programs behind one interface reach what lies before the other, through the same NAT and ALG as in the lab. See the \
            documentation of the router, docs/router.md, for its command line and what it offers its inside.
            """,
        subcommands: [RunRouterCommand.self, TryRouterCommand.self, ShellRouterCommand.self, RouterCLICommand.self],
        defaultSubcommand: RunRouterCommand.self)
}

struct RunRouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the router until Ctrl-C.",
        discussion: """
            The interfaces must be up and need no address in the kernel: the router answers ARP and neighbour discovery itself, under a MAC address of \
            its own, and changes nothing of them. It takes root, or CAP_NET_RAW. Its command line: pinhole router cli.
            """)

    @Option(help: "The interface towards the phones.")
    var inside: String

    @Option(help: "The interface towards the server.")
    var outside: String

    @OptionGroup var router: RouterOptions

    @Option(help: ArgumentHelp("Its address outside. Without: by DHCP.", valueName: "address/bits"))
    var outsideAddress: String?

    @Option(help: ArgumentHelp("Its neighbour outside through which everything else is reached.", valueName: "address"))
    var gateway: String?

    @Option(
        help: ArgumentHelp(
            "A resolver for names asked inside; may be repeated. Without: those that DHCP names.", valueName: "address"))
    var dns: [String] = []

    @Flag(help: "Give no addresses and no names inside: the phones have them set.")
    var noServices = false

    @Flag(help: "Use interfaces that have addresses in the kernel, too.")
    var shareInterfaces = false

    func run() throws {
        let loop: RouterLoop
        let style = Terminal.style()
        let setup = try setup()
        let clock = RealTime()
        let tell = { @Sendable (now: Instant, text: String) in
            OutputPort.standard.write("\(CalendarTime(clock.shown(now))) \(text)\n")
        }
        do {
            loop = try RouterLoop(setup, sharesInterfaces: shareInterfaces, clock: clock, log: tell)
        } catch let error as RouterEdgeError {
            throw CommandFailure(error.description)
        }
        let outside = setup.router.wanAddress == .any ? "an address by DHCP" : outsideAddress ?? ""
        OutputPort.standard.write(
            "\(style.paint(setup.router.name, .strong)): inside \(inside), \(router.insideAddress); outside \(self.outside), \(outside). SIP ALG "
                + (setup.router.isALGEnabled ? style.paint("on", .warning) : style.paint("off", .good))
                + ".\(router.controlHint)\n")
        signal(SIGPIPE, SIG_IGN)
        let signals = Interrupts(loop.stop)
        defer { signals.cancel() }
        do {
            try loop.run()
        } catch let error as RouterEdgeError {
            throw CommandFailure(error.description)
        }
    }

    private func setup() throws -> RouterSetup {
        let wan = try outsideAddress.map { try hostAddress($0, "--outside-address") }
        var settings = try router.settings(wan: wan?.0)
        let prefix = settings.lanPrefix
        if let (wan, bits) = wan, prefix.contains(.v4(wan)) || IPPrefix(.v4(wan), length: bits).contains(.v4(settings.lanAddress))
        {
            throw ValidationError(
                "--outside-address \(wan)/\(bits) and --inside-address \(router.insideAddress): one network cannot lie on both sides."
            )
        }
        if wan == nil, gateway != nil {
            throw ValidationError("--gateway: without --outside-address the DHCP server outside names it; give both or neither.")
        }
        if noServices, !dns.isEmpty {
            throw ValidationError("--dns: with --no-services nobody is asked for names; give one of them.")
        }
        let resolvers = try dns.map { text in
            guard let address = IPAddress(text) else { throw ValidationError("--dns \(text): an IP address is wanted.") }
            return Endpoint(address, 53)
        }
        if !noServices { settings.services = .home(lan: settings.lanAddress, prefixLength: prefix.length, upstreams: resolvers) }
        var setup = RouterSetup(inside: .interface(inside), outside: .interface(outside), router: settings)
        setup.outsidePrefixLength = wan?.1 ?? 24
        if let gateway {
            guard let address = IPv4Address(gateway) else {
                throw ValidationError("--gateway \(gateway): an IPv4 address is wanted.")
            }
            setup.gateway = address
        }
        setup.control = router.controlPath
        return setup
    }
}

struct RouterCLICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cli", abstract: "The command line of a running router.",
        discussion:
            "Type help there. Lines can be piped into it as well: echo 'connection appinfo application=SIP' | pinhole router cli")

    @Option(help: ArgumentHelp("Where the router's command line is reached.", valueName: "path"))
    var control = RouterOptions.control

    func run() throws {
        guard let socket = RouterTerminal(control) else {
            throw CommandFailure(
                "No router answers at \(control). Is it running, and by this user? Another place is named with --control PATH.")
        }
        signal(SIGPIPE, SIG_IGN)
        socket.run()
    }
}
