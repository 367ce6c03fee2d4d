import Base
import HEPEdge

/// The part of the settings that is about who watches over the server: its metrics, and a collector of SIP messages.
extension ServeSettings {
    static let watchingKeys = ["metrics", "hep.collector", "hep.capture-id", "hep.password", "hep.secrets"]

    /// Where metrics are told unless said otherwise: to this machine alone, as they name no one but tell much.
    public static let usualMetrics = Endpoint(.v4(.loopback), 9460)

    mutating func readWatching(_ reader: inout ConfigReader) throws(ConfigError) {
        let places = "off, or an address and port such as 127.0.0.1:9460"
        let place = try reader.value("metrics", expected: places) { text -> Endpoint?? in
            if ["off", "no", "none"].contains(text) { return .some(nil) }
            return Endpoint(text).map { .some($0) }
        }
        if let place { metrics = place }
        guard var section = try reader.section("hep") else { return }
        let collectors = "a name or address, with a port unless it is 9060, such as homer.example.net:9060 or [2001:db8::9]:9060"
        let chosen = try section.value("collector", expected: "off, or " + collectors) { text -> HEPSettings?? in
            ["off", "no", "none"].contains(text) ? .some(nil) : Self.collector(text).map { .some($0) }
        }
        let number = try section.integer("capture-id", in: 0...Int(UInt32.max))
        let password = try section.string("password")
        let showsSecrets = try section.bool("secrets")
        guard let chosen else {
            throw section.mistake("collector", "is missing: who is told, such as homer.example.net:9060")
        }
        hep = chosen
        if let number { hep?.captureID = UInt32(number) }
        hep?.password = password
        hep?.showsSecrets = showsSecrets ?? false
        try section.finish()
    }

    private static func collector(_ text: String) -> HEPSettings? {
        if let endpoint = Endpoint(text) { return HEPSettings(host: "\(endpoint.address)", port: endpoint.port) }
        if let address = IPAddress(text) { return HEPSettings(host: "\(address)") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first, !host.isEmpty,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"/\\@[]".utf8.contains($0) })
        else { return nil }
        guard parts.count == 2 else { return HEPSettings(host: String(host)) }
        guard let port = UInt16(parts[1]), port > 0 else { return nil }
        return HEPSettings(host: String(host), port: port)
    }
}
