import Base
import MediaControl
import PhoneNode
import Relay
import RouterNode
import ServerNode
import VirtualNetwork

/// One box of a world: a phone, a server, a router, or a host with one service.
public struct BoxID: Hashable, Sendable {
    /// Counted from 0 in the order of building.
    public var index: Int

    init(index: Int) { self.index = index }
}

/// What kind of box it is.
public enum BoxKind: String, Hashable, Sendable {
    case phone, server, router
    case stunServer = "STUN server"
    case nameServer = "name server"
    /// Without a node.
    case host
}

/// One thing that happened somewhere in a world.
public struct LabRecord: Sendable {
    public var at: Instant
    /// nil for the network itself and for the experimenter.
    public var box: BoxID?
    public var trace: LabTrace

    public init(at: Instant, box: BoxID?, trace: LabTrace) {
        self.at = at
        self.box = box
        self.trace = trace
    }
}

/// What was noticed.
public enum LabTrace: Sendable {
    case phone(PhoneTrace)
    case server(ServerTrace)
    case router(RouterTrace)
    case host(HostStack.Trace)
    case network(NetworkTrace)
    /// The phone's panel changed.
    case status(PhoneStatus)
    /// The router's command line said this.
    case text(String)
    /// An inbound request was tried; one outcome a binding.
    case probed(AddressOfRecord, [ProbeOutcome])
    case stunAnswered(local: Endpoint, remote: Endpoint)
    case nameAnswered(remote: Endpoint)
    /// Something happened to a call of a phone.
    case call(PhoneCallID, CallEvent)
    /// A server wrote down a call that is over.
    case recorded(CallRecord)
    /// What a server's media plane said.
    case media(MediaEvent)
    /// A media packet that a server threw away: the first of its kind of a source and a port.
    case mediaDropped(MediaDrop, from: Endpoint, on: UInt16)
    /// The experimenter did something.
    case did(LabAction)
}

/// What an experimenter can do to a world.
public enum LabAction: Hashable, Sendable {
    /// Types a line at a router's prompt.
    case command(BoxID, String)
    /// Takes a router's power away for a moment.
    case reboot(BoxID)
    case link(LinkID, isUp: Bool)
    case properties(LinkID, LinkProperties)
    case start(BoxID)
    case stop(BoxID)
    /// Has a server send OPTIONS to every binding of an address of record.
    case probe(BoxID, AddressOfRecord)
    /// Has a phone do something: call, answer, hang up, hold, dial digits.
    case phone(BoxID, PhoneNode.Input)
    /// A remark in the records.
    case note(String)
}

/// Which things end up in a world's records.
public struct RecordSelection: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let phones = RecordSelection(rawValue: 1)
    public static let servers = RecordSelection(rawValue: 2)
    public static let routers = RecordSelection(rawValue: 4)
    /// What befell packets, and what hosts' IP layers dropped.
    public static let losses = RecordSelection(rawValue: 8)
    /// Every packet on every link.
    public static let traffic = RecordSelection(rawValue: 16)
    public static let everything: RecordSelection = [.phones, .servers, .routers, .losses, .traffic]
}
