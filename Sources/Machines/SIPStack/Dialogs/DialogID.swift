import SIP

/// What a dialog is known by (RFC 3261 12): Call-ID, our tag, the other side's tag.
///
/// The texts are detached from the messages they came in, so the value may live in tables.
public struct DialogID: Hashable, Sendable {
    public let callID: SIPText
    public let localTag: SIPText
    /// Empty for a peer of RFC 2543 that sends none (RFC 3261 12.1.1).
    public let remoteTag: SIPText

    public init(callID: SIPText, localTag: SIPText, remoteTag: SIPText) {
        self.callID = callID.detached
        self.localTag = localTag.detached
        self.remoteTag = remoteTag.detached
    }

    /// The dialog a request of the other side belongs to: its To tag is ours. Nil where it has none, or its headers cannot be read.
    public init?(request: SIPMessage) {
        guard let callID = try? request.callID, let tag = (try? request.to)?.tag, let from = try? request.from else { return nil }
        self.init(callID: callID, localTag: tag, remoteTag: from.tag ?? SIPText())
    }

    /// The dialog a response to a request of ours belongs to. Nil where it has no To tag, or its headers cannot be read.
    public init?(response: SIPMessage) {
        guard let callID = try? response.callID, let tag = (try? response.to)?.tag, let own = (try? response.from)?.tag else {
            return nil
        }
        self.init(callID: callID, localTag: own, remoteTag: tag)
    }
}
