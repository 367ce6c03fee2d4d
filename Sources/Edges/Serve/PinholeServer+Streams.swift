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
        let identity = try identity(clock)
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

    private func identity(_ clock: RealTime) throws -> TLSIdentity {
        if let files = settings.streams.certificate {
            do {
                let identity = try TLSIdentity(certificateFile: files.chain, keyFile: files.key)
                log(clock.now, .certificate(file: files.chain, fingerprint: identity.fingerprint))
                return identity
            } catch {
                throw ServeError(description: "TLS: \(error)")
            }
        }
        let names = settings.certificateNames
        guard let database = settings.database else {
            let identity = try TLSIdentity.passing(names: names)
            log(clock.now, .certificate(file: nil, fingerprint: identity.fingerprint))
            return identity
        }
        let folder = URL(fileURLWithPath: database).deletingLastPathComponent().path
        let identity = try TLSIdentity.selfSigned(in: folder, names: names)
        log(clock.now, .certificate(file: folder + "/tls-certificate.pem", fingerprint: identity.fingerprint))
        return identity
    }
}
