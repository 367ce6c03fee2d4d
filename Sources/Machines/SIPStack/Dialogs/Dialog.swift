import Base
import SIP

/// A dialog (RFC 3261 12): what two user agents remember of each other from an INVITE, SUBSCRIBE or REFER on.
///
/// It makes requests inside the dialog and judges those that arrive. It owns no transaction and no timer.
public struct Dialog: Hashable, Sendable {
    public enum Role: Hashable, Sendable { case uac, uas }

    public enum State: Hashable, Sendable {
        /// A provisional response with a To tag made it.
        case early
        case confirmed
        /// A BYE, a failure of the request that made it, or its owner ended it.
        case terminated
    }

    /// What to do with a request of the other side inside the dialog (RFC 3261 12.2.2).
    public enum Verdict: Hashable, Sendable {
        case inOrder
        /// Its CSeq is not above the one before: 500, unless it is an ACK or CANCEL.
        case outOfOrder(had: UInt32, got: UInt32)
    }

    public let role: Role
    public private(set) var state: State
    public let id: DialogID
    /// Our From or To without its tag, as it stands in headers: `"Bob" <sip:bob@example.com>`.
    public let localAddress: SIPText
    /// The other side's, likewise.
    public let remoteAddress: SIPText
    /// The other side's Contact URI (RFC 3261 12.1): the Request-URI of what we send.
    public private(set) var remoteTarget: SIPText
    /// Route values of what we send, in order; a first response of 2xx may still change it (RFC 3261 13.2.2.4).
    public private(set) var routes: [SIPText]
    /// CSeq number of our latest request.
    public private(set) var localSequence: UInt32
    /// CSeq number of the other side's latest request; nil before its first.
    public private(set) var remoteSequence: UInt32?
    /// Whether the first route routes loosely, or there is none (RFC 3261 12.2.1.1).
    private var isLoose: Bool

    /// We are called or subscribed to: `request` made the dialog, `localTag` goes into the To of our responses.
    ///
    /// Throws where From, To, Contact or CSeq cannot be read; a missing Contact leaves From's URI as target.
    public init(answering request: SIPMessage, localTag: SIPText, localSequence: UInt32, isConfirmed: Bool = false)
        throws(SIPParseError)
    {
        role = .uas
        state = isConfirmed ? .confirmed : .early
        let from = try request.from
        let to = try request.to
        id = DialogID(callID: try request.callID, localTag: localTag, remoteTag: from.tag ?? SIPText())
        localAddress = Dialog.address(to)
        remoteAddress = Dialog.address(from)
        remoteTarget = (try Dialog.target(request) ?? from.uriText).detached
        routes = try request.recordRoutes.map { Dialog.route($0) }
        self.localSequence = localSequence
        remoteSequence = try request.cseq.number
        isLoose = true
        isLoose = routesLoosely
    }

    /// We called: `response`, with a To tag, to our `request` made the dialog; early below 200.
    ///
    /// Throws where the response has no To tag, or its headers cannot be read.
    public init(request: SIPMessage, response: SIPMessage) throws(SIPParseError) {
        role = .uac
        let status = response.statusCode ?? 0
        state = status < 200 ? .early : .confirmed
        let from = try response.from
        let to = try response.to
        guard let tag = to.tag, let own = from.tag else { throw SIPParseError(.missing(.to), at: 0) }
        id = DialogID(callID: try response.callID, localTag: own, remoteTag: tag)
        localAddress = Dialog.address(from)
        remoteAddress = Dialog.address(to)
        remoteTarget = (try Dialog.target(response) ?? request.requestURIText ?? to.uriText).detached
        routes = try response.recordRoutes.reversed().map { Dialog.route($0) }
        localSequence = try request.cseq.number
        remoteSequence = nil
        isLoose = true
        isLoose = routesLoosely
    }

    // MARK: Changing

    /// A 2xx came (UAC) or was sent (UAS): the dialog is confirmed. As UAC the 2xx says target and routes anew.
    public mutating func confirm(with response: SIPMessage? = nil) {
        guard state == .early else { return }
        state = .confirmed
        guard role == .uac, let response else { return }
        if let target = try? Dialog.target(response) { remoteTarget = target.detached }
        if let recorded = try? response.recordRoutes {
            routes = recorded.reversed().map { Dialog.route($0) }
            isLoose = routesLoosely
        }
    }

    public mutating func terminate() { state = .terminated }

    /// A request of the other side arrived. ACK and CANCEL never count.
    public mutating func receive(_ method: SIPMethod, sequence: UInt32) -> Verdict {
        if method == .ack || method == .cancel { return .inOrder }
        if let had = remoteSequence, sequence <= had { return .outOfOrder(had: had, got: sequence) }
        remoteSequence = sequence
        return .inOrder
    }

    /// A target refresh (RFC 3261 12.2): a re-INVITE, UPDATE, SUBSCRIBE, NOTIFY or REFER of the other side that we accept, or a 2xx of
    /// it to one of ours. Without a Contact nothing changes.
    public mutating func refreshTarget(_ message: SIPMessage) {
        if let target = try? Dialog.target(message) { remoteTarget = target.detached }
    }

    // MARK: Requests of ours

    /// A request inside the dialog (RFC 3261 12.2.1.1) up to CSeq: Via, Max-Forwards, Route, From, To, Call-ID; the caller adds Contact and
    /// what else there is. Counts CSeq up, except for ACK and CANCEL, which repeat that of their INVITE: see `acknowledgement`.
    public mutating func request(_ method: SIPMethod, via: Via) -> SIPMessageBuilder {
        localSequence &+= 1
        return build(method, localSequence, via)
    }

    /// The ACK of a 2xx (RFC 3261 13.2.2.4): a request of its own with the INVITE's CSeq number and a branch of its own.
    public func acknowledgement(sequence: UInt32, via: Via) -> SIPMessageBuilder { build(.ack, sequence, via) }

    /// Where the next request goes first: the first Route's URI, else the remote target.
    public var nextHop: SIPText {
        guard let first = routes.first, let address = try? NameAddress(parsing: first) else { return remoteTarget }
        return address.uriText
    }

    /// Our From (UAC) or To (UAS) with its tag.
    public var localHeader: SIPText { Dialog.tagged(localAddress, id.localTag) }
    public var remoteHeader: SIPText { Dialog.tagged(remoteAddress, id.remoteTag) }

    // MARK: Details

    private func build(_ method: SIPMethod, _ sequence: UInt32, _ via: Via) -> SIPMessageBuilder {
        var uri = remoteTarget
        var route = routes
        // A strict router of RFC 2543 wants itself in the Request-URI and the target last.
        if !isLoose, let first = routes.first, let address = try? NameAddress(parsing: first) {
            uri = address.uriText
            route = Array(routes.dropFirst()) + [Dialog.bracketed(remoteTarget)]
        }
        var builder = SIPMessageBuilder(method, uri)
        builder.add(via)
        builder.add(.maxForwards, 70)
        for value in route { builder.add(.route, value) }
        builder.add(.from, localHeader)
        builder.add(.to, remoteHeader)
        builder.add(.callID, id.callID)
        builder.add(CSeq(sequence, method))
        return builder
    }

    private var routesLoosely: Bool {
        guard let first = routes.first, let address = try? NameAddress(parsing: first) else { return true }
        return address.uri.sip?.isLooseRoute ?? true
    }

    private static func target(_ message: SIPMessage) throws(SIPParseError) -> SIPText? {
        guard case .list(let contacts) = try message.contacts, let first = contacts.first else { return nil }
        return first.uriText
    }

    private static func route(_ address: NameAddress) -> SIPText { address.text.detached }

    /// Without its tag.
    private static func address(_ address: NameAddress) -> SIPText {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        if let name = address.displayName {
            bytes.append(name)
            bytes.append(0x20)
        }
        bytes.append(UInt8(ascii: "<"))
        bytes.append(address.uriText)
        bytes.append(UInt8(ascii: ">"))
        for parameter in address.parameters where !parameter.name.equalsCaseless(literal: "tag") {
            bytes.append(UInt8(ascii: ";"))
            bytes.append(parameter.name)
            if let value = parameter.value {
                bytes.append(UInt8(ascii: "="))
                bytes.append(value)
            }
        }
        return SIPText(bytes)
    }

    private static func tagged(_ address: SIPText, _ tag: SIPText) -> SIPText {
        guard !tag.isEmpty else { return address }
        var bytes = Array(address.bytes)
        bytes.append(contentsOf: ";tag=".utf8)
        bytes.append(tag)
        return SIPText(bytes)
    }

    private static func bracketed(_ uri: SIPText) -> SIPText {
        SIPText([UInt8(ascii: "<")] + Array(uri.bytes) + [UInt8(ascii: ">")])
    }
}
