import Base
import Foundation
import LinuxEdge
import Streams

/// The listeners for TCP, TLS and WebSocket.
extension PinholeServer {
    /// `datagrams`: the endpoints UDP is open on, where TCP goes too unless it was told otherwise.
    func openStreams(_ streams: StreamService, beside datagrams: [Endpoint], _ clock: RealTime) throws {
        let ports = settings.streams
        for endpoint in ports.tcp ?? datagrams { try open(.tcp, endpoint, streams, identity: nil, clock) }
        for endpoint in ports.ws { try open(.ws, endpoint, streams, identity: nil, clock) }
        let isTLSByDefault = ports.tls == nil && ports.certificate == nil
        let tls = settings.tlsEndpoints(beside: datagrams)
        if tls.isEmpty, isTLSByDefault, let first = datagrams.first {
            let why = "listen: was chosen, so name its place as well: tls: {listen: \(first.address.uriHost):5061}, or tls: off"
            log(clock.now, .notListening(Self.service(.tls), Endpoint(first.address, 5061), why))
        }
        guard !tls.isEmpty || !ports.wss.isEmpty else { return }
        let identity = try identity(settings, clock)
        for endpoint in tls {
            do {
                try open(.tls, endpoint, streams, identity: identity, clock)
            } catch {
                guard isTLSByDefault else { throw error }
                log(clock.now, .notListening(Self.service(.tls), endpoint, "\(error)"))
            }
        }
        for endpoint in ports.wss { try open(.wss, endpoint, streams, identity: identity, clock) }
    }

    private static func service(_ transport: SIPTransport) -> String {
        switch transport {
        case .udp: "SIP over UDP"
        case .tcp: "SIP over TCP"
        case .tls: "SIP over TLS"
        case .ws: "SIP over WebSocket"
        case .wss: "SIP over secure WebSocket"
        }
    }

    private func open(
        _ transport: SIPTransport, _ endpoint: Endpoint, _ streams: StreamService, identity: TLSIdentity?, _ clock: RealTime
    ) throws(ServeError) {
        let service = Self.service(transport)
        do throws(StreamError) {
            log(clock.now, .listening(service, try streams.listen(transport, at: endpoint, identity: identity)))
        } catch {
            let system = SystemError(code: error.code, doing: error.description)
            if error.code == EAFNOSUPPORT, settings.listensByDefault {
                return log(clock.now, .notListening(service, endpoint, "\(system)"))
            }
            guard error.code != 0 else { throw ServeError(description: "\(service): \(error)") }
            throw ServeError(description: Self.explain(system, service, endpoint))
        }
    }

    /// The certificate and key that the settings name, or the self-signed ones of this server.
    func identity(_ settings: ServeSettings, _ clock: RealTime) throws(ServeError) -> TLSIdentity {
        do {
            let (file, identity) = try Self.identity(settings)
            tell(file, identity)
            return identity
        } catch {
            throw ServeError(description: "TLS: \(error)")
        }
    }

    /// Which certificate counts from now on, if it is another one.
    func tell(_ file: String?, _ identity: TLSIdentity) {
        let isNews = certificate.withLock { known in
            defer { known = identity.fingerprint }
            return known != identity.fingerprint
        }
        if isNews { log(clock.now, .certificate(file: file, fingerprint: identity.fingerprint)) }
    }

    static func identity(_ settings: ServeSettings) throws -> (file: String?, identity: TLSIdentity) {
        if let files = settings.streams.certificate {
            return (files.chain, try TLSIdentity(certificateFile: files.chain, keyFile: files.key))
        }
        let names = settings.certificateNames
        guard let database = settings.database else { return (nil, try TLSIdentity.passing(names: names)) }
        let folder = URL(fileURLWithPath: database).deletingLastPathComponent().path
        let identity = try TLSIdentity.selfSigned(in: folder, names: names, required: settings.streams.names)
        return (folder + "/tls-certificate.pem", identity)
    }
}
