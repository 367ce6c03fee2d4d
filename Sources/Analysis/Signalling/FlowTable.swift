import Base
import Capture

/// What a UDP flow between a client and its server did: the measure of a NAT's mapping.
struct FlowState: Sendable {
    /// An inbound request nobody has answered yet.
    struct Pending: Sendable {
        var place: EvidencePlace
        var dialog: Int
        var time: Int64
        /// Milliseconds of silence before it.
        var idle: Int32
        var sends: Int32
        var lastTime: Int64
    }

    var client: PackedEndpoint
    var server: PackedEndpoint
    var vantage: Vantage
    var first: Int64
    /// Of any packet, and of the client's; unknown while none that bears a time was seen.
    var last: Int64
    var lastFromClient: Int64
    /// Packets that only keep alive, and OPTIONS, since the last REGISTER.
    var keepalivesSinceRegister: Int32 = 0
    var packets: Int32 = 0
    /// Milliseconds between packets; the first 24 gaps above a second.
    var gaps: [Int32] = []
    /// The longest silence after which an inbound packet was answered, ms.
    var provenIdle: Int32 = 0
    var pending: Pending?
    /// Who registers on it writes a private Contact.
    var hasPrivateContact = false
}

/// A request to a mapping that was gone: the client came back from another port.
struct Expiry: Sendable {
    /// Of the REGISTER, or INVITE, that came from elsewhere.
    var place: EvidencePlace
    var former: Int32
    var current: Int32
    var pending: FlowState.Pending
    /// Of what came from elsewhere.
    var dialog: Int
}

/// Flows on which somebody registered, by client and server.
struct FlowTable: Sendable {
    struct Key: Hashable, Sendable {
        var client: PackedEndpoint
        var server: PackedEndpoint
        var vantage: Vantage

        func hash(into hasher: inout Hasher) {
            hasher.combine(client)
            hasher.combine(server.address.low ^ UInt64(server.port) << 32 ^ UInt64(vantage.index))
        }
    }

    static let most = 1 << 20

    private(set) var states: [FlowState] = []
    /// Servers whose requests reach clients that write a private Contact.
    private(set) var repairing: Set<PackedAddress> = []
    private var numbers: [Key: Int32] = [:]

    /// The flow on which `client` registers; made if there is room.
    mutating func open(_ client: PackedEndpoint, _ server: PackedEndpoint, _ vantage: Vantage, at time: Int64) -> Int32 {
        let key = Key(client: client, server: server, vantage: vantage)
        if let number = numbers[key] { return number }
        guard states.count < Self.most else { return -1 }
        let number = Int32(states.count)
        states.append(
            FlowState(client: client, server: server, vantage: vantage, first: time, last: time, lastFromClient: time))
        numbers[key] = number
        return number
    }

    /// -1 where nobody registered on it.
    func number(_ client: PackedEndpoint, _ server: PackedEndpoint, _ vantage: Vantage) -> Int32 {
        numbers[Key(client: client, server: server, vantage: vantage)] ?? -1
    }

    subscript(_ number: Int32) -> FlowState? {
        number >= 0 && number < Int32(states.count) ? states[Int(number)] : nil
    }

    mutating func notePrivateContact(_ number: Int32) { if number >= 0 { states[Int(number)].hasPrivateContact = true } }

    /// A packet from the client.
    mutating func outbound(_ number: Int32, at time: Int64, isRegister: Bool, isKeepalive: Bool, isAnswer: Bool) {
        guard number >= 0, time != MessageRecord.unknownTime else { return }
        let index = Int(number)
        if isAnswer, let pending = states[index].pending {
            states[index].provenIdle = max(states[index].provenIdle, pending.idle)
            // It was sent to where the client is, not to where Contact says.
            if states[index].hasPrivateContact, repairing.count < 1 << 16 { repairing.insert(states[index].server.address) }
        }
        states[index].pending = nil
        touch(index, at: time)
        states[index].lastFromClient = time
        if isRegister {
            states[index].keepalivesSinceRegister = 0
        } else if isKeepalive {
            states[index].keepalivesSinceRegister &+= 1
        }
    }

    /// A packet to the client. `request`: one that waits for an answer.
    mutating func inbound(_ number: Int32, at time: Int64, request: (place: EvidencePlace, dialog: Int)?) {
        guard number >= 0, time != MessageRecord.unknownTime else { return }
        let index = Int(number)
        if let request {
            if states[index].pending == nil {
                states[index].pending = .init(
                    place: request.place, dialog: request.dialog, time: time,
                    idle: milliseconds(elapsed(states[index].last, time) ?? 0),
                    sends: 1,
                    lastTime: time)
            } else {
                states[index].pending?.sends += 1
                states[index].pending?.lastTime = time
            }
            states[index].keepalivesSinceRegister &+= 1
        }
        touch(index, at: time)
    }

    /// The request nobody answered has been accounted for.
    mutating func forget(_ number: Int32) { states[Int(number)].pending = nil }

    private mutating func touch(_ index: Int, at time: Int64) {
        let gap = milliseconds(elapsed(states[index].last, time) ?? 0)
        if gap > 1_000, states[index].gaps.count < 24 { states[index].gaps.append(gap) }
        states[index].packets &+= 1
        states[index].last = max(states[index].last, time)
    }
}

/// Saturated to what fits.
func milliseconds(_ nanoseconds: Int64) -> Int32 { Int32(clamping: nanoseconds / 1_000_000) }
