import Base
import LinuxEdge
import PhoneNode
import Synchronization

/// A phone on real sockets: one thread, the caller's.
public final class PinholePhone: Sendable {
    public let settings: PhoneSettings
    private let wake: WakeSignal
    private let commands: Mailbox<PhoneNode.Input>
    private let isDone = Atomic(false)

    public init(_ settings: PhoneSettings) throws(SystemError) {
        self.settings = settings
        wake = try WakeSignal()
        commands = Mailbox(waking: wake)
    }

    /// Signs off; `run` then ends. Safe from any thread.
    public func stop() { commands.post(.stop) }

    /// Runs until the phone has signed off, telling `show` what happens. Blocks; throws what the system refuses.
    public func run(_ show: @escaping (Instant, PhoneEvent) -> Void) throws(SystemError) {
        let node = PhoneNode(settings: settings, entropy: .system())
        var sockets: [UDPSocket] = []
        for endpoint in node.localEndpoints { sockets.append(try UDPSocket(endpoint, hearsErrors: true)) }
        let driver = PhoneDriver(node, commands: commands, stopping: { [self] in finish() }, show: show)
        commands.post(.start)
        let loop = try DatagramLoop(sockets: sockets, wake: wake, clock: RealTime())
        try loop.run(driver, until: isDone)
    }

    private func finish() {
        isDone.store(true, ordering: .releasing)
        wake.signal()
    }
}
