import Base
import Capture

extension Analyzer {
    /// The ends of a logged message, each with something to be known by where the log tells which is which.
    mutating func ends(of message: LoggedMessage, file: UInt16) -> (local: PackedEndpoint, remote: PackedEndpoint) {
        func packed(_ peer: LoggedPeer?) -> PackedEndpoint? {
            guard let peer else { return nil }
            if let address = peer.address { return PackedEndpoint(Endpoint(address, peer.port ?? 0)) }
            return PackedEndpoint(table.unnamed.address(of: .named(peer.host)), peer.port ?? 0)
        }
        let (local, remote) = (packed(message.local), packed(message.remote))
        if message.direction != .passing, let local { table.unnamed.stands(local, file: file) }
        // The same word in place of both tells nothing.
        let isSame = local == remote && local?.isKnown != true
        if message.direction == .passing {
            return isSame ? (.unknown, .unknown) : (local ?? .unknown, remote ?? .unknown)
        }
        return (
            isSame
                ? PackedEndpoint(table.unnamed.address(of: .program(file: file)), 0)
                : local ?? PackedEndpoint(table.unnamed.address(of: .program(file: file)), 0),
            isSame
                ? PackedEndpoint(table.unnamed.address(of: .other(file: file)), 0)
                : remote ?? PackedEndpoint(table.unnamed.address(of: .other(file: file)), 0)
        )
    }

    /// What a message says of the program that logs it, where that has no address.
    mutating func noteProgram(_ facts: MessageFacts, _ p: Bytes, isSent: Bool, file: UInt16) {
        if isSent && ServerRole.isServer(facts, p) { table.unnamed.note(.server, file: file) }
        if facts.method == .register, facts.isRequest != isSent { table.unnamed.note(.server, file: file) }
        guard isSent, facts.isRequest, facts.viaCount == 1 else { return }
        if facts.via.kind == .name, Self.isWebVia(Array(p)) {
            table.unnamed.note(.browser, file: file)
        } else if facts.method == .register {
            table.unnamed.note(.phone, file: file)
        }
    }

    /// A browser knows no address of its own: its Via has a made-up name (RFC 7118 5).
    private static func isWebVia(_ bytes: [UInt8]) -> Bool {
        let via = MessageExcerpt.value(of: "Via", in: bytes) ?? ""
        return via.hasPrefix("SIP/2.0/WS") && via.contains(".invalid")
    }
}
