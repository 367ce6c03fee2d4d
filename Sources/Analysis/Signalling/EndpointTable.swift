import Base
import Capture

/// An address with its port, as the tables of the analysis use it.
struct PackedEndpoint: Hashable, Sendable {
    var address: PackedAddress
    var port: UInt16

    init(_ address: PackedAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// An unspecified address (0.0.0.0, as logs with words in place of addresses are read) is not known.
    init(_ endpoint: Endpoint) {
        let packed = PackedAddress(endpoint.address)
        address = packed == PackedAddress(v4: 0) ? .unknown : packed
        port = endpoint.port
    }

    /// The end that a log does not name.
    static let unknown = PackedEndpoint(.unknown, 0)

    /// Of an end without an address the port alone.
    var endpoint: Endpoint { isKnown ? Endpoint(address.address, port) : Endpoint(.v6(IPv6Address(high: 0, low: 0)), port) }
    var isKnown: Bool { !address.isUnknown }

    func hash(into hasher: inout Hasher) {
        hasher.combine(address.low ^ UInt64(port) << 48)
        if address.high != 0 { hasher.combine(address.high) }
    }
}

/// Everybody who was seen, numbered in order of appearance.
struct EndpointTable: Sendable {
    /// As many as an IPv4 port scan of a network; further ones share the last number.
    static let most = 1 << 22

    private(set) var list: [PackedEndpoint] = []
    private var numbers: [PackedEndpoint: UInt32] = [:]
    private var recent: (PackedEndpoint, UInt32)?

    mutating func number(of endpoint: PackedEndpoint) -> UInt32 {
        if let recent, recent.0 == endpoint { return recent.1 }
        if let number = numbers[endpoint] {
            recent = (endpoint, number)
            return number
        }
        guard list.count < Self.most else { return MessageRecord.noEndpoint }
        let number = UInt32(list.count)
        list.append(endpoint)
        numbers[endpoint] = number
        return number
    }

    /// nil for one that was never seen.
    func known(_ endpoint: PackedEndpoint) -> UInt32? { numbers[endpoint] }

    subscript(_ number: UInt32) -> PackedEndpoint {
        number < UInt32(list.count) ? list[Int(number)] : .unknown
    }
}

/// What each end was seen to do, by its number in the `EndpointTable`.
struct EndTable: Sendable {
    struct Activity: Sendable {
        /// When it gave its last final answer, nanoseconds.
        var lastAnswer = MessageRecord.unknownTime
        /// Answers of any kind to OPTIONS, and to other requests.
        var optionsAnswered: UInt32 = 0
        var othersAnswered: UInt32 = 0
        /// It sent a message.
        var hasSpoken = false
        /// It was sent an INVITE.
        var wasInvited = false
        /// A response told it its address.
        var wasTold = false
        /// When it last showed that it hears, by an answer, an ACK or credentials, nanoseconds.
        var lastHeard = MessageRecord.unknownTime
        /// It did so just before it was told something that it had not asked for.
        var hearsWhenTold = false
        /// The dialogs of the latest request that it sent, and that it was sent; -1 for none.
        var asked: Int32 = -1
        var wasAsked: Int32 = -1

        /// No mapping of a NAT runs out so fast.
        private static let atOnce: Int64 = 5_000_000_000

        mutating func isTold(at time: Int64) {
            if elapsed(lastHeard, time).map({ (0..<Self.atOnce).contains($0) }) ?? false { hearsWhenTold = true }
        }

        var isInvitedInVain: Bool { wasInvited && optionsAnswered == 0 && othersAnswered == 0 }
    }

    /// Later ends are not followed.
    static let most = 1 << 20

    private var list: ContiguousArray<Activity> = []

    subscript(_ number: UInt32) -> Activity { number < UInt32(list.count) ? list[Int(number)] : Activity() }

    @inline(__always)
    mutating func note(_ number: UInt32, _ change: (inout Activity) -> Void) {
        guard number < Self.most else { return }
        while list.count <= Int(number) { list.append(Activity()) }
        change(&list[Int(number)])
    }
}
