import Base

/// The authoritative server of one zone, as a value: records in, answers out. It knows neither sockets nor other zones.
public struct DNSZone: Sendable {
    public let apex: DNSName
    public let authority: DNSAuthorityRecord
    private var records: [DNSName: [DNSRecord]] = [:]
    /// Names that exist because something lies below them.
    private var emptyNames: Set<DNSName> = []

    /// `minimum`: how long absence may be remembered, in seconds.
    public init(apex: DNSName, minimum: UInt32 = 60) {
        self.apex = apex
        authority = DNSAuthorityRecord(
            primary: apex.prefixed(by: "ns") ?? apex, mailbox: apex.prefixed(by: "hostmaster") ?? apex, minimum: minimum)
    }

    /// Adds a record; false if its name lies outside the zone.
    @discardableResult
    public mutating func add(_ record: DNSRecord) -> Bool {
        guard record.name.isWithin(apex) else { return false }
        records[record.name, default: []].append(record)
        var name = record.name.parent
        while let current = name, current.isWithin(apex) {
            emptyNames.insert(current)
            name = current.parent
        }
        return true
    }

    public mutating func remove(_ name: DNSName, _ type: DNSRecordType) {
        records[name]?.removeAll { $0.type == type }
        if records[name]?.isEmpty == true { records[name] = nil }
    }

    /// Answers one message; nil for what is not a query. `overStream`: no UDP size limit applies.
    public func answer(_ query: [UInt8], overStream: Bool = false) -> [UInt8]? {
        guard query.count >= 12, query[2] & 0x80 == 0 else { return nil }
        guard let message = try? DNSMessage(query) else {
            var refusal = DNSMessage(id: query.uint16(at: 0))
            refusal.isResponse = true
            refusal.code = .formatError
            return refusal.bytes()
        }
        return answer(message).bytes(limit: overStream ? 65_535 : min(message.udpSize, 1232))
    }

    /// The same on parsed messages, without limit.
    public func answer(_ query: DNSMessage) -> DNSMessage {
        var answer = DNSMessage(id: query.id)
        answer.isResponse = true
        answer.opcode = query.opcode
        answer.recursionDesired = query.recursionDesired
        answer.questions = query.questions
        if query.additional.contains(where: { $0.type == .opt }) { answer.additional = [.extensions(udpSize: 1232)] }
        guard query.opcode == 0 else {
            answer.code = .notImplemented
            return answer
        }
        guard query.questions.count == 1, let question = query.questions.first else {
            answer.code = .formatError
            return answer
        }
        guard question.name.isWithin(apex), question.questionClass == 1 else {
            answer.code = .refused
            return answer
        }
        answer.isAuthoritative = true
        var name = question.name
        // Eight hops end any loop of CNAME records within the zone.
        for _ in 0..<8 {
            let here = records[name] ?? []
            let matches = here.filter { $0.type == question.type || question.type == .any }
            if !matches.isEmpty {
                answer.answers += matches
                return answer
            }
            guard case .cname(let target)? = here.first(where: { $0.type == .cname })?.data else {
                if name == apex, question.type == .soa {
                    answer.answers.append(authorityRecord)
                    return answer
                }
                if here.isEmpty, !emptyNames.contains(name), name != apex { answer.code = .nameError }
                answer.authority = [authorityRecord]
                return answer
            }
            answer.answers += here.filter { $0.type == .cname }
            guard target.isWithin(apex) else { return answer }
            name = target
        }
        return answer
    }

    private var authorityRecord: DNSRecord { DNSRecord(apex, ttl: authority.minimum, .soa(authority)) }
}
