import Base
import Foundation
import LogEdge
import Logging
import Serve
import ServiceLifecycle
import ShowText
import Synchronization
import TerminalEdge
import UnixSignals

/// The life of `pinhole serve` as a process: signals, the control socket, and configuration that is read again.
public final class Daemon: Sendable {
    private let server: PinholeServer
    private let log: ServeLog
    private let thread: LogThread
    private let read: @Sendable () throws -> ConfigNode
    private let environment: [String: String]
    /// The configuration that counts.
    private let root: Mutex<ConfigNode>
    private let since = Date()
    private let reloads = Mutex((done: 0, failed: 0))

    /// `read`: the configuration as it is now, all layers. `root`: what it was when the server was made.
    public init(
        _ server: PinholeServer, _ log: ServeLog, _ thread: LogThread, root: ConfigNode,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        read: @escaping @Sendable () throws -> ConfigNode
    ) {
        self.server = server
        self.log = log
        self.thread = thread
        self.root = Mutex(root)
        self.environment = environment
        self.read = read
    }

    /// Serves until a signal or an error ends it. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads the configuration again; SIGPIPE
    /// is nothing. Throws what kept the server from starting.
    public func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let control = openControl()
        control?.start()
        defer { control?.stop() }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: ServerService(server: server), successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: Logger(label: "service-lifecycle")))
        let listening = Task { [self] in
            var isStopping = false
            for await signal in signals {
                if signal == .sighup {
                    _ = reload()
                } else if isStopping {
                    endAtOnce()
                } else {
                    isStopping = true
                    await group.triggerGracefulShutdown()
                }
            }
        }
        defer { listening.cancel() }
        try await group.run()
    }

    /// Orderly, but without waiting for anybody; where even that hangs, the hard way.
    private func endAtOnce() {
        server.stop()
        Thread.detachNewThread { [thread] in
            sleep(2)
            thread.flush(within: 1)
            _exit(1)
        }
    }

    // MARK: Reading again

    /// What became of reading the configuration again.
    public struct ReloadReport: Sendable {
        public var changed: [String] = []
        public var refused: [(key: String, why: String)] = []
        /// Nothing of it counts. nil: it could be read.
        public var mistake: String?

        var json: JSONValue {
            .object([
                ("ok", .bool(mistake == nil && refused.isEmpty)), ("changed", .array(changed.map { .string($0) })),
                ("refused", .array(refused.map { .object([("key", .string($0.key)), ("why", .string($0.why))]) })),
                ("mistake", mistake.map { .string($0) } ?? .null),
            ])
        }
    }

    /// Reads configuration, certificate and accounts again and opens the log anew. A mistake leaves everything as it was.
    public func reload() -> ReloadReport {
        var report = ReloadReport()
        root.withLock { root in
            do {
                let new = try read()
                _ = try ServeSettings(new)
                let change = try ServeSettings.change(from: root, to: new)
                let settings = try ServeSettings(change.root)
                let prepared = try server.prepare(settings)
                try thread.adopt(settings.log)
                server.take(prepared, wantsTraces: log.wantsTraces)
                root = change.root
                report.changed = change.changed
                report.refused = change.refused
            } catch {
                report.mistake = "\(error)"
                // The log may have been rotated all the same. Where it cannot be opened now, it stays what it is.
                if let settings = try? ServeSettings(root) { try? thread.adopt(settings.log) }
            }
        }
        tell(report)
        return report
    }

    private func tell(_ report: ReloadReport) {
        reloads.withLock { reloads in
            if report.mistake == nil { reloads.done += 1 } else { reloads.failed += 1 }
        }
        if let mistake = report.mistake {
            return server.tell(.trouble("the configuration was read again and is not used; the running one stays. \(mistake)"))
        }
        server.tell(.reloaded(report.changed))
        for refused in report.refused { server.tell(.warning("\(refused.key): \(refused.why)")) }
    }

    // MARK: The control socket

    private func openControl() -> ControlSocket? {
        guard let path = root.withLock({ try? ServeSettings($0) })?.controlPath(environment) else { return nil }
        do {
            return try ControlSocket(path) { [weak self] request in self?.answer(request) ?? "" }
        } catch {
            server.tell(
                .warning("\(error). Until then 'pinhole status' and 'pinhole reload' do not reach this server; signals do"))
            return nil
        }
    }

    /// `status` or `reload`; one line of JSON either way.
    func answer(_ request: String) -> String {
        switch request {
        case "reload": return reload().json.text
        case "status": return status().text
        default: return JSONValue.object([("mistake", .string("unknown request; known: reload, status"))]).text
        }
    }

    private func status() -> JSONValue {
        let counts = thread.counts
        let (done, failed) = reloads.withLock { $0 }
        var members: [(String, JSONValue)] = [
            ("version", .string(programVersion)), ("pid", .integer(Int(getpid()))),
            ("uptime-seconds", .integer(Int(Date().timeIntervalSince(since)))),
        ]
        if let status = server.status() {
            members += [
                ("state", .string(status.isDraining ? "draining" : "serving")), ("bindings", .integer(status.bindings)),
                ("calls", .integer(status.usage.calls)), ("media-streams", .integer(status.usage.mediaLegs)),
                ("subscriptions", .integer(status.usage.subscriptions)),
                ("messages-received", .integer(Int(clamping: status.counters.received))),
                ("messages-sent", .integer(Int(clamping: status.counters.sent))),
                ("authenticated", .integer(Int(clamping: status.counters.accepted))),
                ("wrong-passwords", .integer(Int(clamping: status.counters.wrongPassword))),
            ]
        } else {
            members.append(("state", .string("its signalling thread does not answer")))
        }
        members += [
            ("reloads", .integer(done)), ("reloads-refused", .integer(failed)),
            ("log-lines", .integer(Int(clamping: counts.written))),
            ("log-lines-dropped", .integer(Int(clamping: counts.dropped))),
            ("log-lines-unwritable", .integer(Int(clamping: counts.unwritable))),
        ]
        return .object(members)
    }
}

/// The server among the services of the process.
private struct ServerService: Service {
    let server: PinholeServer

    func run() async throws {
        try await withGracefulShutdownHandler {
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
        } onGracefulShutdown: {
            server.drain()
        }
    }
}
