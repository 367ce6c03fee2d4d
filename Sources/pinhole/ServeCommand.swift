import ArgumentParser
import Base
import Foundation
import LinuxEdge
import Serve
import ServerNode
import ShowLab

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "A SIP registrar and STUN server that phones behind any NAT reach.",
        discussion: """
            Works without any settings: SIP on UDP and TCP 5060 and on TLS 5061, STUN on UDP 3478, IPv4 and IPv6. Give someone an account with \
            'pinhole account add 100'. Settings come from a YAML file, the environment (PINHOLE_STUN_PORT for stun.port) and flags, \
            the later over the earlier.
            """)

    @OptionGroup var configuration: ConfigurationOptions

    @Option(
        help: ArgumentHelp(
            "Address and port for SIP over UDP and TCP; may be repeated. Default: every address, port 5060. TLS: --set tls.listen=address:port.",
            valueName: "address:port"))
    var listen: [String] = []

    @Option(help: "Port for SIP over UDP and TCP on every address; TLS is one above.")
    var port: UInt16?

    @Option(help: "Port of the STUN service (default 3478).")
    var stunPort: UInt16?

    @Flag(help: "No STUN service of its own.")
    var noStun = false

    @Option(help: ArgumentHelp("Second address and port for NAT behaviour discovery (RFC 5780).", valueName: "address:port"))
    var stunAlternate: String?

    @Option(help: "First address of the two, where --listen names none.")
    var stunAddress: String?

    @Option(help: "pinhole, or chan_sip: one nonce a dialog, as Asterisk's old channel driver did.")
    var profile: String?

    @Flag(help: "Show every SIP message with direction, peer and a line that says what it means.")
    var sipDebug = false

    @Flag(help: "With --sip-debug: digests, SRTP keys, passwords, texts and digits as well. Whoever reads them can use them.")
    var secrets = false

    @Flag(help: "Say nothing but errors.")
    var quiet = false

    @Flag(help: "At the end, explain what was seen, by the rules of pinhole explain.")
    var explain = false

    func run() async throws {
        let settings = try configuration.settings { root in
            func set(_ key: String, _ value: String?, _ flag: String) {
                guard let value else { return }
                root.override(key, with: ServeSettings.node(value, key: key, at: .flag(flag)))
            }
            set("listen", listen.isEmpty ? nil : listen.joined(separator: ","), "--listen")
            set("port", port.map(String.init), "--port")
            set("stun.port", stunPort.map(String.init), "--stun-port")
            set("stun.enabled", noStun ? "no" : nil, "--no-stun")
            set("stun.alternate", stunAlternate, "--stun-alternate")
            set("stun.address", stunAddress, "--stun-address")
            set("profile", profile, "--profile")
            set("sip-debug", secrets ? "everything" : sipDebug ? "yes" : nil, secrets ? "--secrets" : "--sip-debug")
        }
        let clock = RealTime()
        let printer = ServePrinter(
            clock: clock, showsSIP: settings.showsSIP, showsSecrets: settings.showsSecrets, isQuiet: quiet,
            natHandling: settings.server.natHandling, explains: explain)
        let server = try PinholeServer(settings, clock: clock, wantsTraces: printer.wantsTraces) { now, event in
            printer.print(event, at: now)
        }
        let signals = Interrupts { server.stop() }
        defer { signals.cancel() }
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                do {
                    try server.run()
                    done.resume()
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
    }
}

/// SIGINT and SIGTERM as a call; the second one ends the process at once.
final class Interrupts {
    private var sources: [any DispatchSourceSignal] = []

    init(_ action: @escaping @Sendable () -> Void) {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                signal(number, SIG_DFL)
                action()
            }
            source.resume()
            sources.append(source)
        }
    }

    func cancel() { sources.forEach { $0.cancel() } }
}
