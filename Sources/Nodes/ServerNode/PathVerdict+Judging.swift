import Base
import SIP

extension PathVerdict {
    /// Compares what a request says of its sender with where it came from.
    ///
    /// - Parameter contact: the first Contact's URI, if it is a SIP URI.
    init(source: Endpoint, via: Via, viaCount: Int, contact: SIPURI?, callID: SIPText) {
        self.init()
        if viaCount > 1 { insert(.proxied) }
        if via.rport == .absent { insert(.withoutRport) }
        let sentBy = via.sentBy
        if let sentBy {
            if sentBy != source { insert(.translated) }
            if sentBy.address.isPrivate { insert(.privateVia) }
        }
        let home = contact?.endpoint
        if let home {
            if home != source { insert(.contactElsewhere) }
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
