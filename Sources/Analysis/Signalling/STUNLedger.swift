import Base
import Capture

/// What STUN servers told the hosts of one vantage, for comparing with what SIP then says (RFC 8489).
///
/// Connectivity checks of ICE carry a user name and are left out: they tell nothing a phone would put into SDP.
struct STUNLedger: Sendable {
    struct Probe: Sendable {
        var client: PackedEndpoint
        var server: PackedEndpoint
        var vantage: Vantage
        var place: EvidencePlace
        var time: Int64
        var sends: Int32 = 1
        /// Nil while unanswered.
        var mapped: PackedEndpoint?
        var answerPlace: EvidencePlace?
    }

    struct HostKey: Hashable, Sendable {
        var address: PackedAddress
        var vantage: Vantage
    }

    static let mostProbes = 1 << 16
    static let mostPerHost = 32

    private(set) var probes: [Probe] = []
    private var byTransaction: [UInt64: Int32] = [:]
    private(set) var byHost: [HostKey: [Int32]] = [:]

    var isEmpty: Bool { probes.isEmpty }

    /// Reads one message. `mapped` of the result is set by an answer; nil for what is no Binding of interest.
    mutating func message(_ p: Bytes, _ envelope: Envelope) {
        guard p.count >= 20 else { return }
        let type = UInt16(p[0]) << 8 | UInt16(p[1])
        guard type == 0x0001 || type == 0x0101 else { return }
        let transaction = p.hash(Span(4, 20), seed: UInt64(envelope.place.file))
        if type == 0x0001 {
            guard !Self.has(0x0006, p) else { return }
            if let number = byTransaction[transaction] {
                probes[Int(number)].sends += 1
                return
            }
            guard probes.count < Self.mostProbes else { return }
            let number = Int32(probes.count)
            probes.append(
                Probe(
                    client: envelope.source, server: envelope.destination, vantage: envelope.place.vantage, place: envelope.place,
                    time: envelope.time))
            byTransaction[transaction] = number
            let host = HostKey(address: envelope.source.address, vantage: envelope.place.vantage)
            var list = byHost[host] ?? []
            if list.count >= Self.mostPerHost { list.removeFirst() }
            list.append(number)
            byHost[host] = list
        } else if let number = byTransaction[transaction], probes[Int(number)].mapped == nil {
            probes[Int(number)].mapped = Self.mapped(p)
            probes[Int(number)].answerPlace = envelope.place
        }
    }

    func probes(of address: PackedAddress, _ vantage: Vantage) -> [Probe] {
        (byHost[HostKey(address: address, vantage: vantage)] ?? []).map { probes[Int($0)] }
    }

    func isHost(_ address: PackedAddress, _ vantage: Vantage) -> Bool {
        !probes.isEmpty && byHost[HostKey(address: address, vantage: vantage)] != nil
    }

    static func has(_ attribute: UInt16, _ p: Bytes) -> Bool {
        var found = false
        attributes(p) { type, _, _ in found = found || type == attribute }
        return found
    }

    /// The number of an error response (RFC 8489 14.8); nil where it has none.
    static func errorCode(_ p: Bytes) -> Int? {
        var result: Int?
        attributes(p) { type, start, length in
            if type == 0x0009, length >= 4, result == nil { result = Int(p[start + 2] & 7) * 100 + Int(p[start + 3]) }
        }
        return result
    }

    /// Where the value of an attribute lies; nil where it is not there.
    static func value(_ attribute: UInt16, _ p: Bytes) -> Range<Int>? {
        var result: Range<Int>?
        attributes(p) { type, start, length in if type == attribute, result == nil { result = start..<start + length } }
        return result
    }

    /// What an attribute like XOR-MAPPED-ADDRESS holds; nil where it is not there.
    static func endpoint(_ attribute: UInt16, _ p: Bytes) -> PackedEndpoint? {
        var result: PackedEndpoint?
        attributes(p) { type, start, length in
            if type == attribute, length >= 8, result == nil { result = endpoint(p, start, length, isMasked: true) }
        }
        return result
    }

    private static func mapped(_ p: Bytes) -> PackedEndpoint? {
        var result: PackedEndpoint?
        attributes(p) { type, start, length in
            guard type == 0x0020 || type == 0x0001 || type == 0x8020, length >= 8, type != 0x0001 || result == nil else { return }
            result = endpoint(p, start, length, isMasked: type != 0x0001) ?? result
        }
        return result
    }

    private static func endpoint(_ p: Bytes, _ start: Int, _ length: Int, isMasked: Bool) -> PackedEndpoint? {
        var port = UInt16(p[start + 2]) << 8 | UInt16(p[start + 3])
        if isMasked { port ^= 0x2112 }
        if p[start + 1] == 1 {
            var bits = word(p, start + 4)
            if isMasked { bits ^= 0x2112_a442 }
            return PackedEndpoint(PackedAddress(v4: bits), port)
        }
        guard p[start + 1] == 2, length >= 20 else { return nil }
        var high = UInt64(word(p, start + 4)) << 32 | UInt64(word(p, start + 8))
        var low = UInt64(word(p, start + 12)) << 32 | UInt64(word(p, start + 16))
        if isMasked {
            high ^= UInt64(word(p, 4)) << 32 | UInt64(word(p, 8))
            low ^= UInt64(word(p, 12)) << 32 | UInt64(word(p, 16))
        }
        return PackedEndpoint(PackedAddress(high: high, low: low), port)
    }

    private static func word(_ p: Bytes, _ at: Int) -> UInt32 {
        UInt32(p[at]) << 24 | UInt32(p[at + 1]) << 16 | UInt32(p[at + 2]) << 8 | UInt32(p[at + 3])
    }

    private static func attributes(_ p: Bytes, _ body: (_ type: UInt16, _ start: Int, _ length: Int) -> Void) {
        var at = 20
        while at + 4 <= p.count {
            let type = UInt16(p[at]) << 8 | UInt16(p[at + 1])
            let length = Int(p[at + 2]) << 8 | Int(p[at + 3])
            guard at + 4 + length <= p.count else { return }
            body(type, at + 4, length)
            at += 4 + (length + 3) & ~3
        }
    }
}
