import Base
import DNS

extension DNSResolver {
    /// Asks the next server, or gives up when each has been asked often enough.
    mutating func askNext(_ key: DNSQuestion, at now: Instant) {
        guard var lookup = lookups[key] else { return }
        let servers = settings.servers.filter { local(for: $0) != nil }
        guard !servers.isEmpty else { return finish(key, .failed(.noServers), at: now) }
        guard lookup.asked < servers.count * max(1, settings.rounds) else {
            return finish(key, .failed(lookup.lastRefusal.map { .refused($0) } ?? .timedOut), at: now)
        }
        let server = servers[lookup.asked % servers.count]
        let round = lookup.asked / servers.count
        guard let address = local(for: server), let port = freePort() else {
            return finish(key, .failed(.tooMany), at: now)
        }
        let identifier = UInt16(truncatingIfNeeded: entropy.next())
        let attempt = Attempt(server: server, local: Endpoint(address, port), identifier: identifier)
        // A server that does not know OPT gets its second chance without.
        let udpSize = lookup.lastRefusal == .formatError || lookup.lastRefusal == .notImplemented ? nil : settings.udpSize
        let query = DNSMessage.query(id: identifier, lookup.question, udpSize: udpSize)
        lookup.asked += 1
        lookup.attempts.append(attempt)
        let deadline = now + settings.firstTimeout * (1 << min(round, 6))
        lookup.state = .asking(deadline: deadline)
        lookups[key] = lookup
        questionsByPort[port] = key
        deadlines.set(key, to: deadline)
        traces.note(.asked(lookup.question, server: server))
        outputs.append(.send(Datagram(from: attempt.local, to: server, query.bytes())))
    }

    mutating func receive(_ datagram: Datagram, at now: Instant) {
        func ignore(_ why: Ignored) { traces.note(.ignored(why, from: datagram.source)) }
        let message: DNSMessage
        do {
            message = try DNSMessage(datagram.payload)
        } catch {
            return ignore(.malformed(error))
        }
        guard message.isResponse else { return ignore(.notAResponse) }
        guard let key = questionsByPort[datagram.destination.port], let lookup = lookups[key],
            let attempt = lookup.attempts.first(where: { $0.local == datagram.destination && $0.identifier == message.id })
        else { return ignore(.noSuchQuery) }
        guard attempt.server == datagram.source else { return ignore(.wrongSource) }
        let refusedUnread = message.questions.isEmpty && message.code == .formatError
        guard isAnswer(message, attempt.identifier, lookup.question) || refusedUnread else { return ignore(.wrongQuestion) }
        guard case .asking = lookup.state else { return }
        if message.isTruncated, message.code == .noError {
            traces.note(.truncated(lookup.question, server: datagram.source))
            return openStream(key, to: attempt.server, at: now)
        }
        settle(key, message, from: attempt.server, at: now)
    }

    private mutating func openStream(_ key: DNSQuestion, to server: Endpoint, at now: Instant) {
        guard let question = lookups[key]?.question else { return }
        release(key)
        streams += 1
        let identifier = UInt16(truncatingIfNeeded: entropy.next())
        let deadline = now + settings.streamTimeout
        lookups[key]?.state = .streaming(stream: streams, server: server, identifier: identifier, deadline: deadline)
        deadlines.set(key, to: deadline)
        outputs.append(.connect(stream: streams, to: server, query: DNSMessage.query(id: identifier, question).bytes()))
    }

    mutating func streamFailed(_ key: DNSQuestion, at now: Instant) {
        finish(key, .failed(.streamFailed), at: now)
    }

    /// Takes what a server said: an end, a further CNAME, or a reason to ask the next server.
    mutating func settle(_ key: DNSQuestion, _ message: DNSMessage, from server: Endpoint, at now: Instant) {
        guard var lookup = lookups[key] else { return }
        guard message.code == .noError || message.code == .nameError else {
            traces.note(.serverRefused(lookup.question, message.code, server: server))
            lookups[key]?.lastRefusal = message.code
            return askNext(key, at: now)
        }
        // Only what the chain from our question leads to counts; whatever else the answer brings is not believed.
        var name = lookup.question.name
        while true {
            let here = message.answers.filter { $0.name == name && $0.recordClass == 1 }
            let matches = here.filter { $0.type == lookup.question.type }
            if !matches.isEmpty {
                let ttl = min(lookup.ttl, matches.map(Self.lifetime).min() ?? 0)
                lookups[key]?.ttl = ttl
                traces.note(.answered(lookup.original, .records(matches), server: server))
                return finish(key, .records(matches), keptFor: min(.seconds(Int64(ttl)), settings.longestTTL), at: now)
            }
            guard let alias = here.first(where: { $0.type == .cname }), case .cname(let target) = alias.data else { break }
            guard lookup.chain.count < Self.longestChain, !lookup.chain.contains(target) else {
                return finish(key, .failed(.aliasLoop), at: now)
            }
            lookup.ttl = min(lookup.ttl, Self.lifetime(alias))
            lookup.chain.append(target)
            name = target
        }
        if name != lookup.question.name, message.code == .noError, !hasAuthority(message, name) {
            // The server left the rest of the chain to us.
            release(key)
            lookup.question = DNSQuestion(name, lookup.question.type)
            lookup.attempts = []
            lookup.asked = 0
            lookup.lastRefusal = nil
            lookups[key] = lookup
            return askNext(key, at: now)
        }
        let answer = message.code == .nameError ? DNSAnswer.nameError : .noData
        traces.note(.answered(lookup.original, answer, server: server))
        finish(key, answer, keptFor: negativeLifetime(message, lookup), at: now)
    }

    /// Names followed for one look-up.
    static let longestChain = 9

    private static func lifetime(_ record: DNSRecord) -> UInt32 { record.ttl > 0x7fff_ffff ? 0 : record.ttl }

    private func hasAuthority(_ message: DNSMessage, _ name: DNSName) -> Bool {
        message.authority.contains { $0.type == .soa && name.isWithin($0.name) }
    }

    /// RFC 2308 5: the lesser of the SOA's own TTL and its minimum; without a SOA nothing is remembered.
    private func negativeLifetime(_ message: DNSMessage, _ lookup: Lookup) -> Duration {
        for record in message.authority {
            guard case .soa(let soa) = record.data else { continue }
            let seconds = min(Self.lifetime(record), soa.minimum, lookup.ttl)
            return min(.seconds(Int64(seconds)), settings.longestNegativeTTL)
        }
        return .zero
    }

    private mutating func finish(_ key: DNSQuestion, _ answer: DNSAnswer, keptFor lifetime: Duration = .zero, at now: Instant) {
        guard let lookup = lookups[key] else { return }
        release(key)
        lookups[key] = nil
        deadlines.set(key, to: nil)
        if lifetime > .zero { cache.keep(answer, for: key, until: now + lifetime, at: now) }
        for id in lookup.waiting { outputs.append(.found(id: id, answer)) }
    }

    /// Gives back the ports of a look-up's attempts.
    private mutating func release(_ key: DNSQuestion) {
        for attempt in lookups[key]?.attempts ?? [] {
            questionsByPort[attempt.local.port] = nil
            outputs.append(.release(attempt.local))
        }
        lookups[key]?.attempts = []
    }

    private func local(for server: Endpoint) -> IPAddress? {
        [settings.local, settings.otherLocal].compactMap { $0 }.first { $0.isIPv6 == server.address.isIPv6 }
    }

    /// A random port that no query uses; nil if a few dozen draws find none.
    private mutating func freePort() -> UInt16? {
        for _ in 0..<64 {
            let port = UInt16.random(in: settings.ports, using: &entropy)
            if questionsByPort[port] == nil { return port }
        }
        return nil
    }
}
