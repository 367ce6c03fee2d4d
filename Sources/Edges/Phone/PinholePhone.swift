import Base
import Codecs
import LinuxEdge
import MediaControl
import PhoneNode
import Streams
import Synchronization

/// A phone on real sockets: one thread, the caller's; over TCP and TLS NIO's beside it.
public final class PinholePhone: Sendable {
    public let settings: PhoneSettings
    /// What `run`'s instants are of, and how they are shown.
    public let clock = RealTime()
    private let codecs: CodecRegistry
    private let srtp: SRTPProvider?
    private let trust: TLSTrust
    private let signal: WakeSignal
    private let commands: Mailbox<PhoneNode.Input>
    private let isDone = Atomic(false)

    /// - Parameters:
    ///   - codecs: what there is; the settings choose among them by name.
    ///   - srtp: makes the contexts of encrypted audio; nil: plain audio only.
    ///   - trust: whose certificates are believed over TLS.
    public init(
        _ settings: PhoneSettings, codecs: CodecRegistry = .g711, srtp: SRTPProvider? = nil, trust: TLSTrust = .system
    ) throws(SystemError) {
        self.settings = settings
        self.codecs = codecs
        self.srtp = srtp
        self.trust = trust
        signal = try WakeSignal()
        commands = Mailbox(waking: signal)
    }

    /// A command to the phone. Safe from any thread; false where it is so far behind that it takes no more.
    @discardableResult
    public func post(_ input: PhoneNode.Input) -> Bool { commands.post(input) }

    /// Has `run` tell `.woken` soon. Safe from any thread.
    public func wake() { signal.signal() }

    /// Hangs up, signs off; `run` then ends. Safe from any thread.
    public func stop() { commands.post(.stop) }

    /// Runs until the phone has signed off, telling `show` what happens. Blocks; throws what the system refuses.
    public func run(_ show: @escaping (Instant, PhoneEvent) -> Void) throws(SystemError) {
        let node = PhoneNode(settings: settings, entropy: .system(), codecs: codecs, srtp: srtp)
        var sockets: [UDPSocket] = []
        for endpoint in node.localEndpoints where !isStreamOnly(endpoint) {
            sockets.append(try UDPSocket(endpoint, hearsErrors: true))
        }
        var streams: PhoneStreams?
        if settings.transport.isReliable { streams = PhoneStreams(waking: signal, serverName: serverName, trust: trust) }
        defer { streams?.stop() }
        let driver = PhoneDriver(node, commands: commands, streams: streams, stopping: { [self] in finish() }, show: show)
        commands.post(.start)
        let loop = try DatagramLoop(sockets: sockets, wake: signal, clock: clock)
        try loop.run(driver, until: isDone)
    }

    /// Over a stream nothing is sent from the SIP port itself.
    private func isStreamOnly(_ endpoint: Endpoint) -> Bool {
        settings.transport.isReliable && settings.locals.contains(endpoint)
    }

    /// The name that the server's certificate must be for (RFC 5922 7): that of the server we were told of, without its port.
    private var serverName: String? {
        let text = settings.identity.outboundProxy ?? settings.identity.registrar
        var host =
            text.split(separator: ":").count > 1 && text.lowercased().hasPrefix("sip")
            ? String(text.drop { $0 != ":" }.dropFirst()) : text
        host = String(host.prefix { $0 != ";" && $0 != "?" })
        if let at = host.firstIndex(of: "@") { host = String(host[host.index(after: at)...]) }
        if IPAddress(host) != nil || Endpoint(host) != nil { return nil }
        return String(host.prefix { $0 != ":" })
    }

    private func finish() {
        isDone.store(true, ordering: .releasing)
        signal.signal()
    }
}
