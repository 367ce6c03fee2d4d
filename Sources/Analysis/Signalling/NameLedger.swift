import Base
import Capture
import DNS

/// Look-ups that SIP phones made (RFC 3263): of which names, and what became of them.
struct NameLedger: Sendable {
    /// One client's question, in one source.
    struct Key: Hashable, Sendable {
        var file: UInt16
        var client: PackedAddress
        var name: DNSName
        var type: DNSRecordType
    }

    struct LookUp: Sendable {
        var first: EvidencePlace
        var time: Int64
        var server: PackedEndpoint
        var sends = 1
        /// Of the last sending.
        var last: Int64
        /// The last answer's code; nil: none came.
        var code: DNSResponseCode?
        var answer: EvidencePlace?
        /// An answer held what was asked for, or an alias.
        var hasFound = false
        /// An answer that is no place in the network: unspecified or loopback (RFC 1122 3.2.1.3).
        var nowhere: String?
    }

    static let most = 16_384

    private(set) var lookUps: [Key: LookUp] = [:]
    /// Domains whose SIP services somebody asked for, and the hosts that were named as these.
    private(set) var sipNames: Set<DNSName> = []
    /// Some name server answered, by source.
    private(set) var answering: Set<UInt16> = []

    /// A UDP payload from or to port 53.
    mutating func datagram(_ payload: UnsafeRawBufferPointer, _ envelope: Envelope) {
        guard payload.count >= 12, payload.count <= 4_096, let message = try? DNSMessage(Array(payload)), message.opcode == 0,
            let question = message.questions.first
        else { return }
        let file = envelope.place.file
        let key = Key(
            file: file, client: (message.isResponse ? envelope.destination : envelope.source).address, name: question.name,
            type: question.type)
        if message.isResponse {
            answering.insert(file)
            lookUps[key]?.code = message.code
            lookUps[key]?.answer = envelope.place
            if let nowhere = Self.nowhere(message) {
                lookUps[key]?.nowhere = nowhere
            } else if !message.answers.isEmpty {
                lookUps[key]?.hasFound = true
            }
            for record in message.answers where sipNames.count < Self.most {
                if case .srv(let service) = record.data, Self.domain(question.name) != nil { sipNames.insert(service.target) }
            }
            return
        }
        if lookUps[key] != nil {
            lookUps[key]?.sends += 1
            lookUps[key]?.last = envelope.time
            return
        }
        guard lookUps.count < Self.most else { return }
        lookUps[key] = LookUp(first: envelope.place, time: envelope.time, server: envelope.destination, last: envelope.time)
        if sipNames.count < Self.most {
            if let domain = Self.domain(question.name) { sipNames.insert(domain) }
            if question.type == .naptr { sipNames.insert(question.name) }
        }
    }

    /// The address, where all that an answer gives are such as a blocker of names gives; nil for other answers.
    private static func nowhere(_ message: DNSMessage) -> String? {
        var found: String?
        for record in message.answers {
            let address: IPAddress
            switch record.data {
            case .a(let v4): address = .v4(v4)
            case .aaaa(let v6): address = .v6(v6)
            default: continue
            }
            guard PackedAddress(address).isUnspecified || PackedAddress(address).isLoopback else { return nil }
            found = "\(address)"
        }
        return found
    }

    /// `example.org` of `_sip._udp.example.org` and its like; nil for other names.
    static func domain(_ name: DNSName) -> DNSName? {
        let labels = name.labels.map { String(decoding: $0, as: UTF8.self) }
        guard labels.count > 2, labels[0] == "_sip" || labels[0] == "_sips",
            ["_udp", "_tcp", "_tls", "_sctp", "_ws"].contains(labels[1])
        else { return nil }
        return DNSName(labels.dropFirst(2).joined(separator: "."))
    }

    /// A name by which a phone finds its server: somebody asked for its SIP services, or it says so itself.
    func isOfSIP(_ name: DNSName) -> Bool {
        if sipNames.contains(name) { return true }
        guard let first = name.labels.first else { return false }
        let label = String(decoding: first, as: UTF8.self)
        return ["sip", "voip", "pbx", "registrar"].contains { label.hasPrefix($0) }
    }
}

extension Judge {
    /// Shortest wait after which a question counts as unanswered.
    static let patienceWithNames = 5 * second

    /// dns.failed: a phone that speaks no SIP because it cannot find its server. `speaks`: whether a host sent SIP.
    func names(_ ledger: NameLedger, speaks: (PackedAddress) -> Bool, end: (UInt16) -> Int64) -> [Finding] {
        var hosts: [NameLedger.Key: [(NameLedger.Key, NameLedger.LookUp)]] = [:]
        for (key, lookUp) in ledger.lookUps {
            let domain = NameLedger.domain(key.name)
            // That there is no NAPTR record says nothing.
            let isAsked = key.type == .a || key.type == .aaaa || domain != nil || key.type == .naptr && lookUp.code == nil
            guard isAsked, ledger.isOfSIP(domain ?? key.name), !speaks(key.client)
            else { continue }
            hosts[NameLedger.Key(file: key.file, client: key.client, name: domain ?? key.name, type: .a), default: []].append(
                (key, lookUp))
        }
        var result: [Finding] = []
        for (host, asked) in hosts.sorted(by: { ($0.value.map(\.1.first).min()!) < ($1.value.map(\.1.first).min()!) })
        where result.count < 50 {
            // A service that is not there matters only where nobody asks for the host itself.
            let direct = asked.filter { NameLedger.domain($0.0.name) == nil }
            let deciding = (direct.isEmpty ? asked : direct).sorted { $0.1.first < $1.1.first }
            guard !asked.contains(where: { $0.1.hasFound }),
                let worst = deciding.first(where: { $0.1.code != nil }) ?? deciding.first
            else { continue }
            let (key, lookUp) = worst
            if let misled = deciding.first(where: { $0.1.nowhere != nil }), let nowhere = misled.1.nowhere {
                if misled.1.sends > 1 { result.append(self.misled(host, misled.0, misled.1, nowhere)) }
            } else if let code = lookUp.code {
                result.append(unresolved(host, key, lookUp, code))
            } else if lookUp.sends > 1, elapsed(lookUp.time, end(key.file)) ?? 0 > Self.patienceWithNames {
                result.append(unanswered(host, lookUp, isTapWhole: ledger.answering.contains(key.file)))
            }
        }
        return result
    }

    /// A name server that hides the name, as one that blocks advertisements does.
    private func misled(
        _ host: NameLedger.Key, _ key: NameLedger.Key, _ lookUp: NameLedger.LookUp, _ nowhere: String
    ) -> Finding {
        let server = "the name server \(lookUp.server.address)"
        return Finding(
            .dnsFailed, .fault,
            "\(host.client) cannot find its SIP server: \(server) says that \(host.name) is at \(nowhere), which is no address of the network.",
            details: [
                "The phone sends no SIP in this capture, and asked \(counted(lookUp.sends, "time")).",
                "Filters of names (Pi-hole, AdGuard, a provider's or a firewall's) answer so for names that they block.",
            ],
            evidence: [
                Evidence(
                    place: lookUp.answer ?? lookUp.first, source: Endpoint(lookUp.server.address.address, lookUp.server.port),
                    destination: Endpoint(host.client.address, 0), excerpt: "DNS \(key.type) \(key.name): \(nowhere)",
                    says: "the answer")
            ], culprit: .proved(server), confidence: .likely,
            remedies: [
                Remedy(.network, "Allow \(host.name) at \(server), or give the phone another name server."),
                Remedy(.phone, "As a stopgap enter the server's address instead of its name."),
            ], subject: FindingSubject(client: Endpoint(host.client.address, 0), vantage: Vantage(host.file)))
    }

    private func unresolved(
        _ host: NameLedger.Key, _ key: NameLedger.Key, _ lookUp: NameLedger.LookUp, _ code: DNSResponseCode
    ) -> Finding {
        let isMissing = code == .nameError || code == .noError
        let says = code == .noError ? "there is no address for it" : "\(code)"
        return Finding(
            .dnsFailed, .fault,
            "\(host.client) cannot find its SIP server: \(isMissing ? "the name \(host.name) does not lead anywhere" : "the name \(host.name) was not looked up") "
                + "(the name server \(lookUp.server.address): \(says)).",
            details: [
                "The phone sends no SIP in this capture: it does not know where to.", "Asked was \(key.type) \(key.name).",
            ],
            evidence: [
                Evidence(
                    place: lookUp.answer ?? lookUp.first, source: Endpoint(lookUp.server.address.address, lookUp.server.port),
                    destination: Endpoint(host.client.address, 0), excerpt: "DNS \(key.type) \(key.name): \(code)",
                    says: "the answer")
            ], culprit: isMissing ? .unknown : .proved("the name server \(lookUp.server.address)"), confidence: .proved,
            remedies: isMissing
                ? [
                    Remedy(
                        .phone, "Check the spelling of \(host.name) in the phone's settings (registrar, outbound proxy, domain)."),
                    Remedy(
                        .network,
                        "If the name is right, see whether the name server \(lookUp.server.address) is one that knows it (a provider's own, or the office's)."
                    ),
                ]
                : [Remedy(.network, "Give the phone another name server: \(lookUp.server.address) answers \(code).")],
            subject: FindingSubject(client: Endpoint(host.client.address, 0), vantage: Vantage(host.file)))
    }

    private func unanswered(_ host: NameLedger.Key, _ lookUp: NameLedger.LookUp, isTapWhole: Bool) -> Finding {
        // Who had got its answer would not ask for so long.
        let isProved = isTapWhole || lookUp.sends >= 4 && lookUp.last - lookUp.time > Self.patience
        return Finding(
            .dnsFailed, isProved ? .fault : .risk,
            "\(host.client) cannot find its SIP server: the name server \(lookUp.server.address) does not answer when asked for \(host.name) "
                + "(asked \(counted(lookUp.sends, "time"))).",
            details: isTapWhole
                ? ["Other questions in this capture were answered."]
                : isProved
                    ? [
                        "It was asked again and again for \(spoken(lookUp.last - lookUp.time)), and the phone sent no SIP: so it got no answer."
                    ]
                    : ["No answer of any name server is in the capture: if it shows one direction only, this says nothing."],
            evidence: [
                Evidence(
                    place: lookUp.first, source: Endpoint(host.client.address, 0),
                    destination: Endpoint(lookUp.server.address.address, lookUp.server.port),
                    excerpt: "DNS query for \(host.name)",
                    says: "never answered")
            ], culprit: .between("\(host.client)", "the name server \(lookUp.server.address)"),
            confidence: isProved ? .likely : .possible,
            remedies: [
                Remedy(
                    .network,
                    "Let UDP port 53 pass to \(lookUp.server.address), or give the phone a name server that it can reach."),
                Remedy(.phone, "As a stopgap enter the server's address instead of its name."),
            ], subject: FindingSubject(client: Endpoint(host.client.address, 0), vantage: Vantage(host.file)))
    }
}
