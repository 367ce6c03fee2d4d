import Base
import Streams

/// Settings that change while the server runs.
extension PinholeServer {
    /// Settings with what had to be read for them.
    public struct Prepared: Sendable {
        let settings: ServeSettings
        let identity: TLSIdentity?
    }

    /// Reads the certificate that the settings name, if one is used. Throws what is wrong with it; nothing has changed.
    public func prepare(_ new: ServeSettings) throws(ServeError) -> Prepared {
        guard let running = running.withLock({ $0 }) else { throw ServeError(description: "the server is not running yet") }
        guard running.streams.isSecure else { return Prepared(settings: new, identity: nil) }
        let identity = try identity(new, clock)
        do throws(StreamError) { try identity.check() } catch { throw ServeError(description: "TLS: \(error)") }
        return Prepared(settings: new, identity: identity)
    }

    /// Takes over what can change while the server runs (`ServeSettings.changeable`), and looks at the accounts at once. No connection and no call is
    /// lost. Safe from any thread.
    public func take(_ prepared: Prepared, wantsTraces: Bool) {
        guard let running = running.withLock({ $0 }) else { return }
        manager?.isReloading()
        if let identity = prepared.identity { try? running.streams.renew(identity) }
        running.streams.allow(origins: prepared.settings.streams.limits.origins)
        current.withLock { $0 = prepared.settings }
        requests.post(.settings(prepared.settings.server, wantsTraces: wantsTraces))
        running.storage?.look()
        manager?.isReady()
    }

    /// Something about this server that others found out.
    public func tell(_ event: ServeEvent) { log(clock.now, event) }
}
