import ArgumentParser
import Base
import Foundation
import LinuxEdge
import RouterEdge
import RouterNode
import ServerNode
import ShowText
import Storage
import Synchronization
import TerminalEdge

struct TryRouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try", abstract: "Put one program behind the router, without root.",
        discussion: """
            pinhole router try -- baresip

            The program runs in a network of its own, in which the router is its only way out; files, screen and sound stay as they are. What lies \
            before the router is this machine's network (192.0.0.8 is the machine itself), or, where there is none or with --server, a server of \
            Pinhole's with the accounts 100 and 101. The exit status is the program's.
            """)

    @OptionGroup var trial: RouterTrialOptions

    @Argument(parsing: .postTerminator, help: "The program and its words, after --.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("Which program? Name it after --, such as: pinhole router try -- baresip")
        }
    }

    func run() throws { throw ExitCode(try trial.run(command)) }
}

struct ShellRouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "A shell behind the router, without root.",
        discussion: "As pinhole router try with your shell; everything that is started there is behind the router. exit ends it.")

    @OptionGroup var trial: RouterTrialOptions

    func run() throws { throw ExitCode(try trial.run([ProcessInfo.processInfo.environment["SHELL"] ?? "/bin/sh"])) }
}

struct RouterTrialOptions: ParsableArguments {
    enum ServerKind: String, ExpressibleByArgument, CaseIterable {
        case pinhole
        case chanSIP = "chan_sip"
    }

    @OptionGroup var router: RouterOptions

    @Flag(help: "Before the router is a server of Pinhole's and nothing else.")
    var server = false

    @Option(help: "How that server authenticates: pinhole, or chan_sip, as Asterisk's old channel driver did.")
    var serverProfile: ServerKind?

    @Flag(help: "The program is root in its network, so that it may listen, filter and capture there.")
    var root = false

    private static let serverAddress = IPv4Address(203, 0, 113, 10)
    private static let outsideAddress = IPv4Address(203, 0, 113, 1)
    private static let accounts = ["100", "101"]

    /// The program's exit status.
    func run(_ command: [String]) throws -> Int32 {
        do {
            return try runTrial(command)
        } catch let error as RouterEdgeError {
            throw CommandFailure(error.description)
        }
    }

    private func runTrial(_ command: [String]) throws -> Int32 {
        let style = Terminal.style()
        let uplink = KernelRoute.source(towards: .v4(IPv4Address(198, 51, 100, 1)))
        var hostAddress: IPv4Address?
        if case .v4(let address)? = uplink, !server, serverProfile == nil { hostAddress = address }
        var settings = try router.settings(wan: hostAddress ?? Self.outsideAddress)
        guard settings.lanPrefix.length <= 28 else {
            throw ValidationError("--inside-address \(router.insideAddress): at most 28 bits leave room for the program.")
        }
        let resolvers = hostAddress == nil ? [] : Self.hostResolvers()
        settings.services = .home(lan: settings.lanAddress, prefixLength: settings.lanPrefix.length, upstreams: resolvers)
        settings.services.dns?.hosts = [
            hostAddress == nil ? "server" : "host": [.v4(hostAddress == nil ? Self.serverAddress : HostUplink.thisMachine)]
        ]
        guard let address = settings.services.dhcp?.pool.lowerBound else { throw ValidationError("no address is left inside") }

        var plan = RouterTrial.Plan(
            command, address: address == settings.lanAddress ? IPv4Address(bits: address.bits + 1) : address,
            prefixLength: settings.lanPrefix.length, gateway: settings.lanAddress,
            resolvers: "nameserver \(settings.lanAddress)\nsearch home.arpa\n")
        plan.isRoot = root
        let folder = hostAddress == nil ? try TrialServer(serverProfile?.rawValue ?? "pinhole", accounts: Self.accounts) : nil
        plan.server = folder.map {
            RouterTrial.Server($0.arguments, address: Self.serverAddress, prefixLength: 24, output: $0.log.fileDescriptor)
        }
        let trial = try RouterTrial(plan)
        var setup = RouterSetup(inside: trial.inside, outside: trial.outside, router: settings)
        setup.gateway = folder == nil ? nil : Self.serverAddress
        setup.control = router.controlPath
        // The program has the terminal; what the router has to say is asked for.
        let loop = try RouterLoop(setup) { _, _ in }
        try folder?.waitForServer()

        let place =
            folder.map {
                "a server at \(Self.serverAddress) (SIP 5060, STUN 3478; accounts \(Self.accounts.map { "\($0), password \(TrialServer.password($0))" }.joined(separator: "; ")); its log: \($0.logPath))"
            } ?? "this machine's network as \(hostAddress ?? .any); the machine itself is \(HostUplink.thisMachine)"
        FileHandle.standardError.write(
            Data(
                """
                \(style.paint(settings.name, .strong)) with its SIP ALG \(settings.isALGEnabled ? style.paint("on", .warning) : style.paint("off", .good)): \
                \(command[0]) is \(plan.address), before the router lies \(place).\(router.controlHint)

                """.utf8))
        signal(SIGPIPE, SIG_IGN)
        signal(SIGINT, SIG_IGN)
        signal(SIGQUIT, SIG_IGN)
        let status = Mutex<Int32>(1)
        let stop = loop.stop
        Thread {
            let ended = trial.wait()
            status.withLock { $0 = ended }
            stop()
        }.start()
        trial.begin()
        try loop.run()
        return status.withLock { $0 }
    }

    /// Whom this machine asks for names, as the router reaches them.
    private static func hostResolvers() -> [Endpoint] {
        let text = (try? String(contentsOfFile: "/etc/resolv.conf", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2, words[0] == "nameserver", case .v4(let address)? = IPAddress(words[1]) else { return nil }
            return Endpoint(.v4(address.octets.0 == 127 ? HostUplink.thisMachine : address), 53)
        }
    }
}
