import Base
import Foundation
import LinuxEdge
import ServerNode
import Storage
import Streams

/// What `pinhole serve` would find out about its settings only at the start: addresses, ports, certificate, folders, accounts. Nothing is made,
/// nothing is written, and no port stays open.
public struct SettingsCheck: Sendable {
    /// What keeps the server from starting, each with the place of the setting.
    public private(set) var mistakes: [ConfigError] = []
    /// What an administrator should know.
    public private(set) var warnings: [String] = []
    /// nil: there is no database, or not yet.
    public private(set) var accounts: Int?
    /// Of the certificate that was named, its days and fingerprint; nil where the server makes its own, or needs none.
    public private(set) var certificate: String?

    private let settings: ServeSettings
    private let root: ConfigNode

    /// `root` is the tree that `settings` were read from. `now` judges the certificate's dates.
    public init(_ settings: ServeSettings, readFrom root: ConfigNode, now: Instant) {
        self.settings = settings
        self.root = root
        checkAddresses()
        checkCollisions()
        checkCertificate(now)
        checkDatabase()
        checkRecordings()
        checkLog()
    }

    private mutating func add(_ key: String, _ problem: String) {
        mistakes.append(ConfigError(at: root.place(of: key), key: key, problem))
    }

    // MARK: - Addresses and ports

    /// Whether this machine has the addresses, and this user may open their ports. A port that is taken is no mistake: a server may be running.
    private mutating func checkAddresses() {
        var strangers: [IPAddress] = []
        for (key, service, endpoint) in listeners where !strangers.contains(endpoint.address) {
            guard let error = Self.refusal(of: endpoint) else { continue }
            let isAbsentFamily = error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL
            if settings.listensByDefault && isAbsentFamily { continue }
            if isAbsentFamily { strangers.append(endpoint.address) }
            add(key, PinholeServer.explain(error, service, endpoint))
        }
        guard settings.stun.isOn else { return }
        let pair = [("stun.address", settings.stun.address), ("stun.alternate", settings.stun.alternate?.address)]
        for case (let key, let address?) in pair {
            let place = Endpoint(address, settings.stun.port)
            guard let error = Self.refusal(of: place) else { continue }
            // A server that listens everywhere opens neither of the two; what it sends from them does not leave.
            let listensEverywhere = settings.listen.contains { $0.address.isUnspecified && $0.address.isIPv6 == address.isIPv6 }
            let words = PinholeServer.explain(error, "STUN", place)
            if listensEverywhere { warnings.append("\(key): \(words)") } else { add(key, words) }
        }
    }

    /// Why nothing can be opened there. nil: it can, or it is taken.
    private static func refusal(of endpoint: Endpoint) -> SystemError? {
        do throws(SystemError) {
            // Any port tells whether the address is here; those of the privileged have to be tried.
            _ = try UDPSocket(Endpoint(endpoint.address, endpoint.port < 1_024 ? endpoint.port : 0))
            return nil
        } catch {
            return error.code == EADDRINUSE ? nil : error
        }
    }

    private var listeners: [(key: String, service: String, endpoint: Endpoint)] {
        var result = settings.listen.map { (settings.listensByDefault ? "port" : "listen", "SIP over UDP", $0) }
        result += streamListeners
        if settings.stun.isOn {
            result += settings.listen.map { ("stun.port", "STUN", Endpoint($0.address, settings.stun.port)) }
        }
        return result
    }

    private var streamListeners: [(key: String, service: String, endpoint: Endpoint)] {
        (settings.streams.tcp ?? settings.listen).map { ("tcp", "SIP over TCP", $0) }
            + settings.tlsEndpoints(beside: settings.listen).map { ("tls.listen", "SIP over TLS", $0) }
            + settings.streams.ws.map { ("ws", "SIP over WebSocket", $0) }
            + settings.streams.wss.map { ("wss", "SIP over secure WebSocket", $0) }
    }

    /// Two services that want one port.
    private mutating func checkCollisions() {
        func collide(_ a: Endpoint, _ b: Endpoint) -> Bool {
            a.port == b.port && a.port != 0 && a.address.isIPv6 == b.address.isIPv6
                && (a.address == b.address || a.address.isUnspecified || b.address.isUnspecified)
        }
        let streams = streamListeners
        for (index, late) in streams.enumerated() {
            guard let early = streams[..<index].first(where: { collide($0.endpoint, late.endpoint) }) else { continue }
            add(late.key, "\(late.service) and \(early.service) both want \(late.endpoint); give one of them another port")
        }
        if settings.stun.isOn, let taken = settings.listen.first(where: { $0.port == settings.stun.port && $0.port != 0 }) {
            add(
                "stun.port",
                "STUN and SIP over UDP both want \(taken): STUN is answered on SIP's port anyway; say stun: {enabled: no}")
        }
    }

    // MARK: - Certificate

    private mutating func checkCertificate(_ now: Instant) {
        guard let files = settings.streams.certificate else { return }
        guard !settings.tlsEndpoints(beside: settings.listen).isEmpty || !settings.streams.wss.isEmpty else { return }
        do throws(TLSIdentity.Failure) {
            let identity = try TLSIdentity(certificateFile: files.chain, keyFile: files.key)
            let (from, until) = (Self.day(identity.validFrom), Self.day(identity.validUntil))
            certificate = "valid from \(from) to \(until), SHA-256 \(identity.fingerprint)"
            let seconds = now.nanoseconds / 1_000_000_000
            if seconds > identity.validUntil {
                warnings.append("\(files.chain): the certificate ended on \(until); phones that look refuse it")
            } else if seconds < identity.validFrom {
                warnings.append("\(files.chain): the certificate begins on \(from); phones that look refuse it until then")
            }
        } catch {
            add(error.isAboutKey ? "tls.key" : "tls.certificate", error.description)
        }
    }

    /// As in 2026-12-31, UTC.
    static func day(_ seconds: Int64) -> String {
        let date = CivilDate(daysSinceEpoch: seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(date.year)-\(two(date.month))-\(two(date.day))"
    }

    // MARK: - Files

    private mutating func checkDatabase() {
        guard let path = settings.database else { return }
        let folder = Self.folder(of: path)
        if let problem = Self.unwritable(folder) { return add("database", "\(path): \(problem)") }
        guard !PinholeDatabase.isMissing(path) else { return }
        guard access(path, R_OK | W_OK) == 0 else {
            return add("database", "\(path): this user may not read and write it; who owns it says: ls -l \(path)")
        }
        do throws(StorageError) {
            let found = try PinholeDatabase(reading: path).accounts()
            accounts = found.count
            warnings += settings.warnings(about: found)
        } catch  where error.cause == .outdated {
            // The server brings it up to date.
        } catch {
            add("database", error.description)
        }
    }

    private mutating func checkLog() {
        guard let file = settings.log.file else { return }
        let isThere = access(file, F_OK) == 0
        let folder = Self.folder(of: file)
        if isThere, access(file, W_OK) != 0 {
            add("log.file", "\(file): this user may not write it")
        } else if !isThere, access(folder, W_OK | X_OK) != 0 {
            add(
                "log.file",
                "\(file): \(access(folder, F_OK) == 0 ? "this user may not make files in" : "there is no folder") \(folder)")
        }
    }

    private mutating func checkRecordings() {
        guard settings.server.calls.rooms.contains(where: \.records) else { return }
        let beside = settings.database.map { Self.folder(of: $0) + "/recordings" }
        guard let folder = settings.media.recordings ?? beside else {
            return add("rooms", "a room is to be recorded, but nowhere: name a folder under media.recordings")
        }
        if let problem = Self.unwritable(folder) { add("media.recordings", "\(folder): \(problem)") }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Why nothing can be put into a folder, or into the one that it would be made in. nil: it can.
    private static func unwritable(_ wanted: String) -> String? {
        var folder = wanted
        while access(folder, F_OK) != 0, errno == ENOENT || errno == ENOTDIR, folder != "/", folder != "." {
            folder = Self.folder(of: folder)
        }
        var status = stat()
        guard stat(folder, &status) == 0 else { return "\(folder) cannot be looked into by this user" }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "\(folder) is no folder" }
        guard access(folder, W_OK | X_OK) == 0 else {
            return folder == wanted
                ? "this user may not write to the folder \(folder)"
                : "the folder \(wanted) is missing and this user may not make it in \(folder)"
        }
        return nil
    }
}

extension ConfigNode {
    /// Where the setting of a dotted key stands; of the nearest mapping around it where it is not set itself.
    fileprivate func place(of key: String) -> ConfigPlace {
        var node = self
        for part in key.split(separator: ".") {
            guard case .mapping(let entries) = node.content, let entry = entries.first(where: { $0.key == part }) else { break }
            node = entry.value
        }
        return node.place
    }
}
