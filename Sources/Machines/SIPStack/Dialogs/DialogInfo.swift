import SIP

/// One dialog of a watched user, as his phone sees it (RFC 4235 4.1).
package struct DialogInfo: Sendable {
    package enum State: String, Sendable {
        case trying, proceeding, early, confirmed
    }

    /// By what an INVITE with Replaces takes its place (RFC 3891).
    package struct Identifiers: Sendable {
        package let callID: SIPText
        package let localTag: SIPText
        package let remoteTag: SIPText

        package init(callID: SIPText, localTag: SIPText, remoteTag: SIPText) {
            self.callID = callID
            self.localTag = localTag
            self.remoteTag = remoteTag
        }
    }

    /// The same in every document as long as the dialog lasts.
    package let id: String
    /// Whether the watched user began it.
    package let isInitiator: Bool
    package let state: State
    /// nil: they are nobody's business.
    package let identifiers: Identifiers?
    /// The other side; nil: there is none, or it is not to be known.
    package let remote: AddressOfRecord?
    package let isRemoteAnonymous: Bool

    package init(
        id: String, isInitiator: Bool, state: State, identifiers: Identifiers?, remote: AddressOfRecord?, isRemoteAnonymous: Bool
    ) {
        self.id = id
        self.isInitiator = isInitiator
        self.state = state
        self.identifiers = identifiers
        self.remote = remote
        self.isRemoteAnonymous = isRemoteAnonymous
    }
}
