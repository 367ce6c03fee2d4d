import Base
import Streams

/// Settings that change while the server runs.
extension PinholeServer {
    /// Settings with what had to be read for them.
    public struct Prepared: Sendable {
        let settings: ServeSettings
        /// Its file is nil where it lies nowhere.
        let certificate: (file: String?, identity: TLSIdentity)?
    }

    /// Reads the certificate that the settings name, if one is used. Throws what is wrong with it; nothing has changed.
    public func prepare(_ new: ServeSettings) throws(ServeError) -> Prepared {
        guard let running = running.withLock({ $0 }) else { throw ServeError(description: "the server is not running yet") }
        // One that was made for this run stays for this run.
        let isKept = new.streams.certificate == nil && new.database == nil
        guard running.streams.isSecure, !isKept else { return Prepared(settings: new, certificate: nil) }
        do {
            let certificate = try Self.identity(new)
            try certificate.identity.check()
            return Prepared(settings: new, certificate: certificate)
        } catch {
            throw ServeError(description: "TLS: \(error)")
        }
    }

    /// Takes over what can change while the server runs (`ServeSettings.changeable`), and looks at the accounts at once. No connection and no call is
    /// lost. Safe from any thread.
    public func take(_ prepared: Prepared, wantsTraces: Bool) {
        guard let running = running.withLock({ $0 }) else { return }
        manager?.isReloading()
        if let (file, identity) = prepared.certificate {
            try? running.streams.renew(identity)
            tell(file, identity)
        }
        running.streams.allow(origins: prepared.settings.streams.limits.origins)
        current.withLock { $0 = prepared.settings }
        requests.post(.settings(prepared.settings.server, wantsTraces: wantsTraces))
        running.storage?.look()
        manager?.isReady()
    }

    /// Something about this server that others found out.
    public func tell(_ event: ServeEvent) { log(clock.now, event) }
}
