import Base
import Streams

/// The part of the settings that is about TCP, TLS and WebSocket.
extension ServeSettings {
    mutating func readStreams(_ reader: inout ConfigReader) throws(ConfigError) {
        streams.tcp = try Self.endpoints("tcp", port: 5060, &reader)
        streams.ws = try Self.endpoints("ws", port: 80, &reader) ?? []
        streams.wss = try Self.endpoints("wss", port: 443, &reader) ?? []
        if var section = try reader.section("websocket") {
            let origins = try section.values("origins", expected: "an origin such as https://phone.example.net", Self.origin)
            streams.limits.origins = Set(origins)
            try section.finish()
        }
        guard let node = reader.node("tls") else { return }
        if case .scalar(let text) = node.content, Self.isOff(text) {
            streams.tls = []
            return
        }
        guard var section = try reader.section("tls") else { return }
        streams.tls = try Self.endpoints("listen", port: 5061, &section)
        streams.names = try section.values("names", expected: "a host name or address") { $0.isEmpty ? nil : $0 }
        switch (try section.string("certificate"), try section.string("key")) {
        case (nil, nil): break
        case (let chain?, let key?): streams.certificate = (chain, key)
        case (_?, nil): throw section.mistake("certificate", "needs tls.key as well: the PEM file with its private key")
        case (nil, _?): throw section.mistake("key", "needs tls.certificate as well: the PEM file with the certificate chain")
        }
        try section.finish()
    }

    /// As browsers write it (RFC 6454 6.2): lower case, no path, the scheme's own port left out.
    private static func origin(_ text: String) -> String? {
        var text = text.lowercased()
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] where text.hasPrefix(scheme) {
            if text.hasSuffix("/") { text.removeLast() }
            if text.hasSuffix(port) { text.removeLast(port.count) }
            let host = text.dropFirst(scheme.count)
            return host.isEmpty || host.contains("/") || host.contains(" ") ? nil : text
        }
        return nil
    }

    /// Whom a self-signed certificate is for. Who connects may read it, so that it tells no address that nobody named.
    package var certificateNames: [String] {
        if !streams.names.isEmpty { return streams.names }
        let known = server.domains + server.advertised.map(\.host)
        return known.isEmpty ? [TLSIdentity.nameOfThisMachine] : known
    }

    /// Where SIP over TLS is listened for, where UDP is at `datagrams`: as chosen; otherwise one port above UDP's, if a certificate was
    /// named or no address was chosen for UDP either.
    package func tlsEndpoints(beside datagrams: [Endpoint]) -> [Endpoint] {
        if let chosen = streams.tls { return chosen }
        guard listensByDefault || streams.certificate != nil else { return [] }
        return datagrams.filter { $0.port < .max }.map { Endpoint($0.address, $0.port + 1) }
    }

    private static func isOff(_ text: String) -> Bool { ["off", "no", "none", "false"].contains(text) }

    /// nil where the key is absent; empty where it says off.
    private static func endpoints(_ key: String, port: UInt16, _ reader: inout ConfigReader) throws(ConfigError) -> [Endpoint]? {
        let nodes = reader.list(key)
        guard let first = nodes.first else { return nil }
        if nodes.count == 1, case .scalar(let text) = first.content, isOff(text) { return [] }
        return try reader.values(key, expected: "off, or an address and port such as 0.0.0.0:\(port)") { text in
            Endpoint(text) ?? IPAddress(text).map { Endpoint($0, port) }
        }
    }
}
