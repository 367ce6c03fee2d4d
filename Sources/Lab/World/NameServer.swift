import Base
import DNS

/// A name server of the lab: it knows the names it was given and says of every other that it does not exist.
public struct NameServer: Sendable {
    private var zone: DNSZone

    /// `records`: a name, and what it stands for as one of
    /// `192.0.2.1`, `2001:db8::1`, `cname TARGET`, `srv PRIORITY WEIGHT PORT TARGET`,
    /// `naptr ORDER PREFERENCE FLAGS SERVICE REPLACEMENT`.
    /// Throws the first record that is none of these.
    public init(_ records: [(name: String, text: String)]) throws(BadRecord) {
        zone = DNSZone(apex: .root)
        for record in records {
            guard let name = DNSName(record.name), let data = Self.data(record.text) else {
                throw BadRecord(name: record.name, text: record.text)
            }
            zone.add(DNSRecord(name, ttl: 300, data))
        }
    }

    public struct BadRecord: Error, Hashable, Sendable {
        public var name: String
        public var text: String
    }

    /// Answers one datagram; nil for what is no query.
    public func answer(_ query: [UInt8]) -> [UInt8]? { zone.answer(query) }

    private static func data(_ text: String) -> DNSRecordData? {
        switch IPAddress(text) {
        case .v4(let address): return .a(address)
        case .v6(let address): return .aaaa(address)
        case nil: break
        }
        let words = text.split(separator: " ").map(String.init)
        switch (words.first?.lowercased(), words.count) {
        case ("cname", 2): return DNSName(words[1]).map { .cname($0) }
        case ("srv", 5):
            guard let priority = UInt16(words[1]), let weight = UInt16(words[2]), let port = UInt16(words[3]),
                let target = DNSName(words[4])
            else { return nil }
            return .srv(DNSServiceRecord(priority: priority, weight: weight, port: port, target: target))
        case ("naptr", 6):
            guard let order = UInt16(words[1]), let preference = UInt16(words[2]), let replacement = DNSName(words[5]) else {
                return nil
            }
            return .naptr(
                DNSNamingRecord(
                    order: order, preference: preference, flags: words[3], service: words[4], replacement: replacement))
        default: return nil
        }
    }
}
