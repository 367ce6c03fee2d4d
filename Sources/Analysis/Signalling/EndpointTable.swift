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

    var endpoint: Endpoint { Endpoint(address.address, port) }
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

    subscript(_ number: UInt32) -> PackedEndpoint {
        number < UInt32(list.count) ? list[Int(number)] : .unknown
    }
}
