import Base
import DNS

/// The head of a message with one question, read without the rest: what a forwarder has to know of it.
struct DNSQuery: Sendable {
    let id: UInt16
    let isResponse: Bool
    let opcode: UInt8
    let name: DNSName
    let type: DNSRecordType
    let questionClass: UInt16
    /// Where the question ends.
    let end: Int

    /// nil: not one question, or a name that is none. Questions are never compressed (RFC 1035 4.1.2).
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 17, bytes.uint16(at: 4) == 1 else { return nil }
        var at = 12
        while at < bytes.count, bytes[at] != 0 {
            guard bytes[at] < 64 else { return nil }
            at += 1 + Int(bytes[at])
        }
        guard at - 12 < 255, at + 5 <= bytes.count else { return nil }
        var head = Array(bytes[..<(at + 5)])
        // The question alone, for the parser.
        for place in 6..<12 { head[place] = 0 }
        guard let message = try? DNSMessage(head), let question = message.questions.first else { return nil }
        (id, isResponse, opcode) = (message.id, message.isResponse, message.opcode)
        (name, type, questionClass) = (question.name, question.type, question.questionClass)
        end = at + 5
    }

    /// The question back, with a code and nothing else.
    func failure(of query: [UInt8], _ code: DNSResponseCode) -> [UInt8] {
        var message = DNSMessage(id: id)
        message.isResponse = true
        message.opcode = opcode
        message.recursionDesired = query[2] & 1 != 0
        message.recursionAvailable = true
        message.code = code
        message.questions = [DNSQuestion(name, type, class: questionClass)]
        return message.bytes()
    }
}

/// What the router knows itself.
extension DNSForwarder {
    /// nil: it is to be asked outside.
    func localAnswer(to query: DNSQuery, _ bytes: [UInt8]) -> [UInt8]? {
        guard query.opcode == 0 else { return query.failure(of: bytes, .notImplemented) }
        guard query.questionClass == 1 else { return nil }
        if query.type == .ptr, let address = query.name.reversedAddress {
            if let label = label(of: address), let name = settings.domain.prefixed(by: label) {
                return answer(query, bytes, [.ptr(name)])
            }
            return settings.inside.contains { $0.contains(address) } ? query.failure(of: bytes, .nameError) : nil
        }
        let labels = query.name.labels
        let isInDomain = query.name.parent == settings.domain
        guard let first = labels.first, isInDomain || labels.count == 1 else {
            return query.name.isWithin(settings.domain) ? query.failure(of: bytes, .nameError) : nil
        }
        let label = String(decoding: first, as: UTF8.self)
        guard let addresses = settings.hosts[label] ?? guests[label] else {
            if query.name == settings.domain { return query.failure(of: bytes, .noError) }
            return isInDomain ? query.failure(of: bytes, .nameError) : nil
        }
        var records: [DNSRecordData] = []
        for address in addresses {
            switch address {
            case .v4(let v4) where query.type == .a || query.type == .any: records.append(.a(v4))
            case .v6(let v6) where query.type == .aaaa || query.type == .any: records.append(.aaaa(v6))
            case .v4, .v6: break
            }
        }
        return answer(query, bytes, records)
    }

    private func label(of address: IPAddress) -> String? {
        settings.hosts.filter { $0.value.contains(address) }.keys.min()
            ?? guests.filter { $0.value.contains(address) && settings.hosts[$0.key] == nil }.keys.min()
    }

    private func answer(_ query: DNSQuery, _ bytes: [UInt8], _ records: [DNSRecordData]) -> [UInt8] {
        var message = DNSMessage(id: query.id)
        message.isResponse = true
        message.isAuthoritative = true
        message.recursionDesired = bytes[2] & 1 != 0
        message.recursionAvailable = true
        message.questions = [DNSQuestion(query.name, query.type)]
        message.answers = records.map { DNSRecord(query.name, ttl: settings.limits.timeToLive, $0) }
        return message.bytes(limit: 512)
    }
}

extension DNSName {
    /// The address that a name under in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5); nil: it is none.
    var reversedAddress: IPAddress? {
        let labels = labels.map { String(decoding: $0, as: UTF8.self) }
        if labels.count == 6, labels[4...] == ["in-addr", "arpa"] {
            return IPv4Address(labels[..<4].reversed().joined(separator: ".")).map { .v4($0) }
        }
        guard labels.count == 34, labels[32...] == ["ip6", "arpa"] else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        for (place, label) in labels[..<32].reversed().enumerated() {
            guard label.utf8.count == 1, let digit = hexDigit(label.utf8.first ?? 0) else { return nil }
            if place < 16 { halves.0 = halves.0 << 4 | UInt64(digit) } else { halves.1 = halves.1 << 4 | UInt64(digit) }
        }
        return .v6(IPv6Address(high: halves.0, low: halves.1))
    }
}
