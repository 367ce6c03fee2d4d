import Base
import ServerNode

extension ServeSettings {
    /// What was understood, in a few lines: a name and what is behind it.
    public var summary: [(name: String, value: String)] {
        func list(_ endpoints: [Endpoint]) -> String {
            endpoints.isEmpty ? "off" : endpoints.map(\.description).joined(separator: ", ")
        }
        var lines: [(name: String, value: String)] = [
            ("SIP over UDP", list(listen)),
            ("SIP over TCP", list(streams.tcp ?? listen)),
            ("SIP over TLS", list(tlsEndpoints(beside: listen))),
        ]
        if !streams.ws.isEmpty { lines.append(("WebSocket", list(streams.ws))) }
        if !streams.wss.isEmpty { lines.append(("secure WebSocket", list(streams.wss))) }
        lines.append(("STUN", stun.isOn ? "port \(stun.port)" + (stun.alternate.map { ", alternate \($0)" } ?? "") : "off"))
        lines.append(("realm", server.realm))
        lines.append(("domains", server.domains.isEmpty ? "every one that is asked for" : server.domains.joined(separator: ", ")))
        for address in server.advertised { lines.append(("advertised", "\(address.host) to \(address.peers)")) }
        lines.append(("database", database ?? "none: no accounts, and nothing is stored"))
        let ports = media.ports ?? Media.usualPorts[0]
        lines.append(
            ("media ports", "\(ports.lowerBound) to \(ports.upperBound), SRTP \(media.isSecurable ? "taken and offered" : "off")")
        )
        let rooms = server.calls.roomNumbers.map { ["\($0.lowerBound) to \($0.upperBound)"] } ?? []
        let named = server.calls.rooms.map { $0.name + ($0.records ? " (recorded)" : "") }
        lines.append(("rooms", rooms.isEmpty && named.isEmpty ? "none" : (rooms + named).joined(separator: ", ")))
        return lines
    }
}
