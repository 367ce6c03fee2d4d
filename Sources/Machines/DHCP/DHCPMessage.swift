public import Base
public import Ethernet

/// DHCP's message types (RFC 2132 9.6).
public enum DHCPMessageType: UInt8, Hashable, Sendable {
    case discover = 1, offer, request, decline, ack, nak, release, inform
}

/// Options by number (RFC 2132 and successors), as far as they are used here.
public enum DHCPOption {
    public static let subnetMask: UInt8 = 1, router: UInt8 = 3, nameServers: UInt8 = 6, hostName: UInt8 = 12, domain: UInt8 = 15
    public static let broadcast: UInt8 = 28, timeServers: UInt8 = 42, vendorSpecific: UInt8 = 43, requestedAddress: UInt8 = 50
    public static let leaseTime: UInt8 = 51, overload: UInt8 = 52, messageType: UInt8 = 53, server: UInt8 = 54
    public static let parameters: UInt8 = 55, mostOctets: UInt8 = 57, renewal: UInt8 = 58, rebinding: UInt8 = 59
    public static let clientID: UInt8 = 61, tftpServer: UInt8 = 66, bootFile: UInt8 = 67, search: UInt8 = 119
    /// RFC 3361.
    public static let sipServers: UInt8 = 120
}

/// Why octets are no DHCP message for us.
public enum DHCPError: Error, Hashable, Sendable {
    case truncated
    /// Another hardware than Ethernet's six octets.
    case hardware
    /// BOOTP without DHCP's magic number or without a message type.
    case notDHCP
    /// An option that passes the end of its field; the offset of its code.
    case option(at: Int)
}

/// A DHCPv4 message (RFC 2131 2) between Ethernet hosts.
public struct DHCPMessage: Hashable, Sendable {
    public static let serverPort: UInt16 = 67
    public static let clientPort: UInt16 = 68

    public var isReply: Bool
    public var type: DHCPMessageType
    public var transaction: UInt32
    public var seconds: UInt16 = 0
    /// Whether the client can take broadcasts alone until it has an address.
    public var wantsBroadcast = false
    public var clientAddress = IPv4Address.any
    public var yourAddress = IPv4Address.any
    public var nextServer = IPv4Address.any
    public var relay = IPv4Address.any
    public var mac: MACAddress
    /// In the order in which they stand or are to stand, without the message type; one a code (RFC 3396).
    public var options: [(code: UInt8, value: [UInt8])] = []

    public init(_ type: DHCPMessageType, isReply: Bool, transaction: UInt32, mac: MACAddress) {
        (self.type, self.isReply, self.transaction, self.mac) = (type, isReply, transaction, mac)
    }

    public subscript(code: UInt8) -> [UInt8]? { options.first { $0.code == code }?.value }

    /// The option as one address; nil: absent or of another length.
    public func address(_ code: UInt8) -> IPv4Address? {
        guard let value = self[code], value.count == 4 else { return nil }
        return IPv4Address(bits: value.uint32(at: 0))
    }

    /// The option as addresses; empty: absent or of another length.
    public func addresses(_ code: UInt8) -> [IPv4Address] {
        guard let value = self[code], value.count % 4 == 0 else { return [] }
        return stride(from: 0, to: value.count, by: 4).map { IPv4Address(bits: value.uint32(at: $0)) }
    }

    /// The option as seconds.
    public func seconds(_ code: UInt8) -> UInt32? {
        guard let value = self[code], value.count == 4 else { return nil }
        return value.uint32(at: 0)
    }

    public mutating func add(_ code: UInt8, _ value: [UInt8]) { options.append((code, value)) }

    public mutating func add(_ code: UInt8, _ addresses: [IPv4Address]) {
        var value: [UInt8] = []
        for address in addresses { value.append(bigEndian: address.bits) }
        options.append((code, value))
    }

    public mutating func add(_ code: UInt8, seconds: UInt32) {
        var value: [UInt8] = []
        value.append(bigEndian: seconds)
        options.append((code, value))
    }

    public static func == (a: DHCPMessage, b: DHCPMessage) -> Bool { a.bytes == b.bytes }
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    // MARK: Octets

    private static let fixed = 236
    private static let magic: UInt32 = 0x6382_5363
    /// What every client takes without asking: 576 octets of IP less the headers (RFC 2131 2).
    public static let usualLimit = 548
    private static let least = 300

    /// Reads a UDP payload. Options that overload `file` and `sname` are found (RFC 2132 9.3), split ones put together (RFC 3396).
    public init(_ bytes: [UInt8]) throws(DHCPError) {
        guard bytes.count >= Self.fixed + 4 else { throw .truncated }
        guard bytes[1] == 1, bytes[2] == 6, let mac = MACAddress(octets: bytes[28..<34]) else { throw .hardware }
        guard bytes.uint32(at: Self.fixed) == Self.magic, bytes[0] == 1 || bytes[0] == 2 else { throw .notDHCP }
        var values: [UInt8: [UInt8]] = [:]
        var order: [UInt8] = []
        func read(_ range: Range<Int>) throws(DHCPError) {
            var at = range.lowerBound
            while at < range.upperBound, bytes[at] != 255 {
                if bytes[at] == 0 {
                    at += 1
                    continue
                }
                guard at + 1 < range.upperBound, at + 2 + Int(bytes[at + 1]) <= range.upperBound else { throw .option(at: at) }
                let end = at + 2 + Int(bytes[at + 1])
                if values[bytes[at]] == nil { order.append(bytes[at]) }
                values[bytes[at], default: []] += bytes[(at + 2)..<end]
                at = end
            }
        }
        try read((Self.fixed + 4)..<bytes.count)
        let overload = values[DHCPOption.overload]?.first ?? 0
        if overload & 1 != 0 { try read(108..<236) }
        if overload & 2 != 0 { try read(44..<108) }
        guard let kind = values[DHCPOption.messageType], kind.count == 1, let type = DHCPMessageType(rawValue: kind[0]) else {
            throw .notDHCP
        }
        self.init(type, isReply: bytes[0] == 2, transaction: bytes.uint32(at: 4), mac: mac)
        seconds = bytes.uint16(at: 8)
        wantsBroadcast = bytes[10] & 0x80 != 0
        clientAddress = IPv4Address(bits: bytes.uint32(at: 12))
        yourAddress = IPv4Address(bits: bytes.uint32(at: 16))
        nextServer = IPv4Address(bits: bytes.uint32(at: 20))
        relay = IPv4Address(bits: bytes.uint32(at: 24))
        options = order.filter { $0 != DHCPOption.messageType && $0 != DHCPOption.overload }.map { ($0, values[$0] ?? []) }
    }

    public var bytes: [UInt8] { bytes(limit: 65_535) }

    /// As a UDP payload of at least 300 octets, which old relays ask for. Options that do not fit into `limit` are left out.
    public func bytes(limit: Int) -> [UInt8] {
        var bytes: [UInt8] = [isReply ? 2 : 1, 1, 6, 0]
        bytes.append(bigEndian: transaction)
        bytes.append(bigEndian: seconds)
        bytes.append(bigEndian: UInt16(wantsBroadcast ? 0x8000 : 0))
        for address in [clientAddress, yourAddress, nextServer, relay] { bytes.append(bigEndian: address.bits) }
        bytes += mac.octets
        bytes += Array(repeating: 0, count: Self.fixed - bytes.count)
        bytes.append(bigEndian: Self.magic)
        bytes += [DHCPOption.messageType, 1, type.rawValue]
        for option in options {
            // Longer than one length can say: in pieces (RFC 3396 6).
            var rest = option.value[...]
            let pieces = max(1, (rest.count + 254) / 255)
            guard bytes.count + rest.count + 2 * pieces + 1 <= limit else { continue }
            for _ in 0..<pieces {
                let piece = rest.prefix(255)
                bytes += [option.code, UInt8(piece.count)]
                bytes += piece
                rest = rest.dropFirst(255)
            }
        }
        bytes.append(255)
        if bytes.count < Self.least { bytes += Array(repeating: 0, count: Self.least - bytes.count) }
        return bytes
    }
}
