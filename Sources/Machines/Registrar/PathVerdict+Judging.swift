import Base
import SIP

extension PathVerdict {
    /// Compares what a request says of its sender with where it came from.
    ///
    /// - Parameter contact: the first Contact's URI, if it is a SIP URI.
    /// - Parameter isStream: a connection comes from a port of its own, whatever port its end listens at.
    init(source: Endpoint, isStream: Bool = false, via: Via, viaCount: Int, contact: SIPURI?, callID: SIPText) {
        self.init()
        if viaCount > 1 { insert(.proxied) }
        if via.rport == .absent { insert(.withoutRport) }
        let sentBy = via.sentBy
        // Who asks for no rport and says where he is may listen at another port than he sends from.
        let portCounts = !isStream && (via.rport != .absent || sentBy?.address != source.address)
        if let sentBy {
            if sentBy.address != source.address || portCounts && sentBy.port != source.port { insert(.translated) }
            if sentBy.address.isPrivate { insert(.privateVia) }
        }
        let home = contact?.endpoint
        if let home {
            if home.address != source.address || portCounts && home.port != source.port { insert(.contactElsewhere) }
            if home.address.isPrivate, !source.address.isPrivate { insert(.privateContact) }
        }
        if let sentBy, let home, !sentBy.address.isPrivate, !home.address.isPrivate, sentBy != home {
            insert(.viaContactDisagree)
        }
        let claimsPublic = sentBy.map { !$0.address.isPrivate } ?? false || home.map { !$0.address.isPrivate } ?? false
        if claimsPublic, !source.address.isPrivate, let address = Self.address(in: callID), address.isPrivate {
            insert(.rewrittenSuspected)
        }
    }

    /// The address many phones put behind the `@` of their Call-IDs.
    private static func address(in callID: SIPText) -> IPAddress? {
        guard let at = callID.bytes.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        return IPAddress(utf8: callID.bytes[(at + 1)...])
    }
}
