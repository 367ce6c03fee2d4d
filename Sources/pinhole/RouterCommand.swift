import ArgumentParser
import Base
import Foundation
import LinuxEdge
import RouterEdge
import RouterNode
import TerminalEdge

struct RouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "A NAT router between two interfaces of this machine, with the SIP ALG of a product you choose.",
        discussion: """
            Real devices and programs behind one interface reach what lies before the other, through the same NAT and ALG as in the lab. See the \
            documentation of the router, docs/router.md, for its command line and what it offers its inside.
            """,
        subcommands: [RunRouterCommand.self, RouterCLICommand.self], defaultSubcommand: RunRouterCommand.self)

    static let control = "/run/pinhole-router.sock"
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

    @Option(help: "Whose NAT and ALG it has: \(RunRouterCommand.profiles.joined(separator: ", ")).")
    var profile = "speedtouch780"

    @Flag(inversion: .prefixedNo, help: "Begin with the SIP ALG on.")
    var alg = true

    @Option(help: ArgumentHelp("Its address inside, and how many bits name the inside.", valueName: "address/bits"))
    var insideAddress = "192.168.1.254/24"

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

    @Option(help: ArgumentHelp("Where its command line is reached, or off.", valueName: "path"))
    var control = RouterCommand.control

    private static let profiles = ["speedtouch780", "linux", "generic"]

    func run() throws {
        let loop: RouterLoop
        let style = Terminal.style()
        let setup = try setup()
        let tell = { @Sendable (now: Instant, text: String) in OutputPort.standard.write(text + "\n") }
        do {
            loop = try RouterLoop(setup, sharesInterfaces: shareInterfaces, log: tell)
        } catch let error as RouterEdgeError {
            throw CommandFailure(error.description)
        }
        let outside = setup.router.wanAddress == .any ? "an address by DHCP" : outsideAddress ?? ""
        OutputPort.standard.write(
            "\(style.paint(setup.router.name, .strong)): inside \(inside), \(insideAddress); outside \(self.outside), \(outside). SIP ALG "
                + (setup.router.isALGEnabled ? style.paint("on", .warning) : style.paint("off", .good))
                + (setup.control.map {
                    ". Its command line: pinhole router cli" + ($0 == RouterCommand.control ? "" : " --control \($0)")
                } ?? "")
                + ".\n")
        let router = Unchecked(loop)
        let signals = Interrupts { router.value.stop() }
        defer { signals.cancel() }
        try loop.run()
    }

    private struct Unchecked: @unchecked Sendable {
        let value: RouterLoop

        init(_ value: RouterLoop) { self.value = value }
    }

    private func setup() throws -> RouterSetup {
        let (lan, bits) = try address(insideAddress, "--inside-address")
        let wan = try outsideAddress.map { try address($0, "--outside-address") }
        guard (1...30).contains(bits) else {
            throw ValidationError("--inside-address \(insideAddress): 1 to 30 bits leave room for phones.")
        }
        var settings: RouterSettings
        switch profile {
        case "speedtouch780": settings = .speedtouch780(lan: lan, wan: wan?.0 ?? .any)
        case "linux": settings = .linux(lan: lan, wan: wan?.0 ?? .any)
        case "generic":
            settings = .generic(lan: lan, wan: wan?.0 ?? .any, mapping: .endpointIndependent, filtering: .addressDependent)
        default:
            throw ValidationError("--profile \(profile): there are \(Self.profiles.joined(separator: ", ")).")
        }
        settings.lanPrefix = IPPrefix(.v4(lan), length: bits)
        settings.isALGEnabled = alg
        let resolvers = try dns.map { text in
            guard let address = IPAddress(text) else { throw ValidationError("--dns \(text): an IP address is wanted.") }
            return Endpoint(address, 53)
        }
        if !noServices { settings.services = .home(lan: lan, prefixLength: bits, upstreams: resolvers) }
        var setup = RouterSetup(inside: inside, outside: outside, router: settings)
        setup.outsidePrefixLength = wan?.1 ?? 24
        if let gateway {
            guard let address = IPv4Address(gateway) else {
                throw ValidationError("--gateway \(gateway): an IPv4 address is wanted.")
            }
            setup.gateway = address
        }
        setup.control = control == "off" ? nil : control
        return setup
    }

    private func address(_ text: String, _ flag: String) throws -> (IPv4Address, Int) {
        guard text.contains("/"), let prefix = IPPrefix(text), case .v4(let address)? = IPAddress(text.prefix { $0 != "/" })
        else {
            throw ValidationError("\(flag) \(text): an IPv4 address with its bits is wanted, such as 192.168.1.254/24.")
        }
        return (address, prefix.length)
    }
}

struct RouterCLICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cli", abstract: "The command line of a running router.",
        discussion:
            "Type help there. Lines can be piped into it as well: echo 'connection appinfo application=SIP' | pinhole router cli")

    @Option(help: ArgumentHelp("Where the router's command line is reached.", valueName: "path"))
    var control = RouterCommand.control

    func run() throws {
        guard let socket = RouterTerminal(control) else {
            throw CommandFailure(
                "No router answers at \(control). Is it running, and by this user? Another place is named with --control PATH.")
        }
        socket.run()
    }
}
