import Base
import SIP
import SIPStack

extension Registrar {
    public enum BindingEvent: Hashable, Sendable {
        case added, refreshed
        /// It took the place of another contact of the same phone (its instance, or the same Call-ID under another port).
        case replaced(former: SIPText)
        /// The same contact now comes by another flow.
        case flowChanged(from: FlowID)
    }

    public enum UnbindingReason: Hashable, Sendable {
        case removed, removedAll, expired, replaced, evicted
    }

    public enum KeepaliveEvent: Hashable, Sendable {
        case answered(status: Int, after: Duration)
        case unanswered(inARow: Int)
    }

    /// What it noticed, one fact each, in the order it happened.
    package enum Trace: Sendable {
        case bound(AddressOfRecord, Binding, BindingEvent)
        case unbound(AddressOfRecord, Binding, UnbindingReason)
        /// The phone stopped answering over its flow; the binding stays until it expires but nothing is sent to it.
        case flowDead(AddressOfRecord, Binding, unanswered: Int)
        /// It answers again.
        case flowRevived(AddressOfRecord, Binding)
        case keepalive(AddressOfRecord, FlowID, KeepaliveEvent)
        case probed(AddressOfRecord, ProbeOutcome)
        /// Nothing can be stored. `requests` waited for it and are answered all the same, for a short time.
        case commitFailed(reason: String, requests: Int)
        /// It can again.
        case storageWorks
        case restored(bindings: Int, unreachable: Int, refused: Int)
        /// What the way did to this phone, told when it changes.
        case path(AddressOfRecord, PathVerdict, FlowID)
        /// A Contact that names another address than its REGISTER came from: it has answered, or did not.
        case contactElsewhere(AddressOfRecord, Binding, isProved: Bool)
        /// The phone's connection is gone, and a new one is opened to its Contact.
        case opens(AddressOfRecord, Endpoint)
        /// There is room for no more bindings.
        case full
    }

    /// Why a registration is refused.
    package enum Refusal: Error, Hashable, Sendable {
        case malformed(SIPParseError)
        case wildcard
        case badContact
        case outOfOrder(had: UInt32, got: UInt32)
        case tooBrief(requested: UInt32, shortest: UInt32)
        case tooManyContacts(Int)
        case manyFlows
        case firstHopLacksOutbound
        case tablesFull
    }
}
