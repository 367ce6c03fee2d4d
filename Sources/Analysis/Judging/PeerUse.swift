import Base
import Capture

/// Who asks whom for what: tells a spare that is only watched by OPTIONS from a peer that calls need.
struct PeerUse: Sendable {
    static let most = 1 << 14

    /// What an end answered one asker.
    struct Service: Sendable {
        /// When it last answered something that calls or registrations need, nanoseconds.
        var last = Int64.min
        var extras: Set<MessageMethod> = []

        mutating func answered(at time: Int64) { last = max(last, time) }
    }

    var services: [Pair: Service] = [:]
    /// Since when each kind of request is ignored.
    var ignored: [Pair: [Extra: Int64]] = [:]

    /// Peers that answer the OPTIONS of a host.
    private var answering: [PackedAddress: Set<PackedAddress>] = [:]
    /// Hosts whose calls were accepted.
    private var callers: Set<PackedAddress> = []
    /// Peers that were asked for more than OPTIONS.
    private var needed: Set<PackedAddress> = []

    /// Servers by whom each name is registered.
    private var registrars: [String: Set<PackedAddress>] = [:]

    mutating func note(_ c: DialogCase) {
        guard answering.count < Self.most, callers.count < Self.most, needed.count < Self.most else { return }
        if c.dialog.kind == .registration, c.dialog.progress.contains(.answered), registrars.count < Self.most {
            for leg in c.dialog.legs { registrars[c.aor, default: []].insert(leg.server.address) }
        }
        let isAnswered = c.dialog.progress.contains(.answered)
        for leg in c.dialog.legs {
            if c.dialog.kind == .options {
                if isAnswered, answering[leg.client.address, default: []].count < 256 {
                    answering[leg.client.address, default: []].insert(leg.server.address)
                }
            } else {
                needed.insert(leg.server.address)
                if c.dialog.kind == .call, isAnswered { callers.insert(leg.client.address) }
            }
        }
    }

    /// Who is registered with another server than that.
    func isRegistered(_ aor: String, besides server: PackedAddress) -> Bool {
        registrars[aor]?.contains { $0 != server } ?? false
    }

    func isSpare(_ peer: PackedEndpoint, of watcher: PackedAddress) -> Bool {
        guard callers.contains(watcher), !needed.contains(peer.address), let others = answering[watcher] else { return false }
        return others.contains { $0 != peer.address && needed.contains($0) }
    }
}
