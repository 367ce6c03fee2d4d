import ArgumentParser
import Base
import Foundation
import LinuxEdge
import LogEdge
import Logging
import Serve
import ServeDaemon
import TerminalEdge

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

    @Option(help: "How lines of the log are written: text, json, or journal (with the priority in front).")
    var logFormat: String?

    @Flag(help: "At the end, explain what was seen, by the rules of pinhole explain.")
    var explain = false

    func run() async throws {
        let read = { @Sendable in try tree() }
        let root = try read()
        let settings = try ServeSettings(root)
        let clock = RealTime()
        let wallClock = { @Sendable in clock.shown(clock.now) }
        let thread = try LogThread(settings.log, clock: wallClock)
        thread.start()
        defer { thread.flush() }
        LoggingSystem.bootstrap { PinholeLogHandler(label: $0, thread, clock: wallClock) }
        let log = ServeLog(settings, on: thread, clock: clock, style: Terminal.style(), explains: explain)
        let output = { @Sendable in
            let counts = thread.counts
            return OutputState(lost: counts.dropped &+ counts.unwritable, waiting: counts.waiting)
        }
        let server = try PinholeServer(settings, clock: clock, wantsTraces: log.wantsTraces, output: output) { now, event in
            log.take(event, at: now)
        }
        try await Daemon(server, log, thread, root: root, read: read).run()
    }

    /// All layers: file, environment, flags.
    private func tree() throws -> ConfigNode {
        try configuration.serverTree { root in
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
            set("log.level", quiet ? "error" : nil, "--quiet")
            set("log.format", logFormat, "--log-format")
        }
    }
}
