public import Base
import Packet

/// Rules for packets as they come in, before anything else is done with them; the first that fits decides, and what fits none goes on.
public struct RouterFirewall: Hashable, Sendable {
    public struct Rule: Hashable, Sendable {
        /// nil: either side.
        public var interface: RouterInterface?
        /// IP protocol number; nil: any.
        public var proto: UInt8?
        public var from: IPPrefix?
        public var to: IPPrefix?
        /// Of the destination; fragments after the first have none and fit no rule that asks for one.
        public var ports: ClosedRange<UInt16>?
        public var isAccepted: Bool

        public init(isAccepted: Bool) { self.isAccepted = isAccepted }
    }

    /// How many rules there may be.
    public static let cap = 64
    public var rules: [Rule] = []

    public init() {}

    func admits(_ packet: IPPacket, _ bytes: [UInt8], on interface: RouterInterface) -> Bool {
        guard !rules.isEmpty else { return true }
        return rules.first { $0.fits(packet, bytes, interface) }?.isAccepted ?? true
    }
}

extension RouterFirewall.Rule {
    fileprivate func fits(_ packet: IPPacket, _ bytes: [UInt8], _ side: RouterInterface) -> Bool {
        if let interface, interface != side { return false }
        if let proto, proto != packet.protocolNumber.rawValue { return false }
        if let from, !from.contains(packet.source) { return false }
        if let to, !to.contains(packet.destination) { return false }
        guard let ports else { return true }
        return packet.ports(bytes).map { ports.contains($0.destination) } ?? false
    }

    /// As typed: `interface=lan protocol=udp to=192.0.2.0/24 port=5060 action=drop`.
    public var text: String {
        var words: [String] = []
        if let interface { words.append("interface=\(interface == .lan ? "lan" : "wan")") }
        if let proto { words.append("protocol=\(Self.protocols.first { $0.value == proto }?.key ?? "\(proto)")") }
        if let from { words.append("from=\(from)") }
        if let to { words.append("to=\(to)") }
        if let ports { words.append("port=\(RouterPortBinding(ports).text)") }
        words.append("action=\(isAccepted ? "accept" : "drop")")
        return words.joined(separator: " ")
    }

    static let protocols: KeyValuePairs<String, UInt8> = ["icmp": 1, "tcp": 6, "udp": 17, "ipv6": 41, "icmpv6": 58]
}
