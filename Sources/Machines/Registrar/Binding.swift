import Base
import SIP
import SIPStack

/// One contact of an address of record: where a phone registered from and how it is reached (RFC 3261 10.3, RFC 5626, RFC 3327).
///
/// All its texts lie in one buffer, so that a million of them fit into memory.
public struct Binding: Hashable, Sendable {
    /// Whether requests can be sent to the phone.
    public enum Reach: Hashable, Sendable {
        /// Over `flow`, or to the Contact as written where NAT handling is off.
        case reachable
        /// The phone no longer answers over its flow.
        case flowDead(since: Instant)
        /// The connection it registered over is gone; nothing can be sent until it registers again.
        case connectionLost(since: Instant)
    }

    private var text: [UInt8]
    /// Of all texts but the last.
    private var ends: (UInt16, UInt16, UInt16, UInt16, UInt16, UInt16)

    /// CSeq of the REGISTER that made or refreshed it.
    public var cseq: UInt32
    /// RFC 5626 reg-id; 0 where there is none.
    public var regID: UInt32
    /// Preference 0...1000, thousandths (RFC 3261 20.10); 1000 where none is given.
    public var q: UInt16
    public var reach: Reach
    public var expires: Instant
    /// When it was last registered or refreshed.
    public var updated: Instant
    /// When it last answered a keepalive; nil: not since it registered. Storage learns of it now and then only.
    public var answered: Instant?
    /// The flow the last REGISTER came by.
    public var flow: FlowID
    /// What the path to the phone looked like at the last REGISTER.
    public var verdict: PathVerdict

    /// `contact`: the URI as written, without angle brackets. `parameters`: the contact's other parameters as they are echoed, each with
    /// its semicolon, `expires` and `q` left out. `path`: the Path header's values joined by commas. `domain`: host and port of the To of
    /// its REGISTER.
    /// Texts beyond 65,535 bytes in all do not fit: nil.
    public init?(
        contact: some Collection<UInt8>, parameters: some Collection<UInt8>, callID: some Collection<UInt8>,
        instance: some Collection<UInt8>, path: some Collection<UInt8>, userAgent: some Collection<UInt8>,
        domain: some Collection<UInt8> = EmptyCollection<UInt8>(), cseq: UInt32,
        regID: UInt32 = 0, q: UInt16 = 1000, expires: Instant, updated: Instant, flow: FlowID,
        verdict: PathVerdict = PathVerdict(), reach: Reach = .reachable, answered: Instant? = nil
    ) {
        let length =
            contact.count + parameters.count + callID.count + instance.count + path.count + userAgent.count + domain.count
        guard length <= Int(UInt16.max) else { return nil }
        text = []
        text.reserveCapacity(length)
        text.append(contentsOf: contact)
        ends.0 = UInt16(text.count)
        text.append(contentsOf: parameters)
        ends.1 = UInt16(text.count)
        text.append(contentsOf: callID)
        ends.2 = UInt16(text.count)
        text.append(contentsOf: instance)
        ends.3 = UInt16(text.count)
        text.append(contentsOf: path)
        ends.4 = UInt16(text.count)
        text.append(contentsOf: userAgent)
        ends.5 = UInt16(text.count)
        text.append(contentsOf: domain)
        self.cseq = cseq
        self.regID = regID
        self.q = q
        self.expires = expires
        self.updated = updated
        self.flow = flow
        self.verdict = verdict
        self.reach = reach
        self.answered = answered
    }

    /// The contact's URI as written.
    public var contact: ArraySlice<UInt8> { text[0..<Int(ends.0)] }
    /// `;+sip.instance="..."` and the like, ready to be echoed.
    public var parameters: ArraySlice<UInt8> { text[Int(ends.0)..<Int(ends.1)] }
    /// RFC 5768 4.
    public var speaksICE: Bool {
        parameters.split(separator: UInt8(ascii: ";")).contains { SIPText(Array($0)).equalsCaseless(literal: "+sip.ice") }
    }
    public var callID: ArraySlice<UInt8> { text[Int(ends.1)..<Int(ends.2)] }
    /// RFC 5626 instance-id without its quotes; empty where there is none.
    public var instance: ArraySlice<UInt8> { text[Int(ends.2)..<Int(ends.3)] }
    /// Path values joined by commas, to be used as Route; empty where there are none.
    public var path: ArraySlice<UInt8> { text[Int(ends.3)..<Int(ends.4)] }
    public var userAgent: ArraySlice<UInt8> { text[Int(ends.4)..<Int(ends.5)] }
    /// By what the phone knows us, `example.com` or `192.0.2.1:5070`: what it is shown of others, it can dial. Empty: not known.
    public var domain: ArraySlice<UInt8> { text[Int(ends.5)...] }

    public static func == (a: Binding, b: Binding) -> Bool {
        a.text == b.text && a.ends == b.ends && a.cseq == b.cseq && a.regID == b.regID && a.q == b.q && a.reach == b.reach
            && a.expires == b.expires && a.updated == b.updated && a.flow == b.flow && a.verdict == b.verdict
            && a.answered == b.answered
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(text)
        hasher.combine(cseq)
        hasher.combine(expires)
    }
}
