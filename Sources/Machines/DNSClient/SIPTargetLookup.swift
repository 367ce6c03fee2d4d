import Base
import DNS

/// One walk through RFC 3263: NAPTR, then SRV, then addresses, as far as the URI leaves each open.
///
/// It asks nobody itself: `pending` says what to look up, `found` takes the answers, until `outcome` is there.
struct SIPTargetLookup: Sendable {
    /// A service to ask SRV for.
    struct Service: Hashable, Sendable {
        var transport: SIPTransport
        var name: DNSName
    }

    struct Host: Hashable, Sendable {
        var transport: SIPTransport
        var name: DNSName
        var port: UInt16
    }

    private enum State: Sendable {
        case naming
        case services([Service], answers: [DNSName: DNSAnswer])
        case addresses([Host], answers: [DNSQuestion: DNSAnswer])
        case done(Result<[SIPTarget], SIPTargetFailure>)
    }

    /// Records of one answer that are looked at, and targets of the whole.
    static let mostRecords = 16
    static let mostTargets = 32

    private let query: SIPTargetQuery
    private let settings: SIPTargetResolver.Settings
    private let domain: DNSName?
    private var state: State
    /// Questions to ask now; the owner takes them.
    var pending: [DNSQuestion] = []

    init(_ query: SIPTargetQuery, _ settings: SIPTargetResolver.Settings) {
        self.query = query
        self.settings = settings
        let isBracketed = query.host.hasPrefix("[") && query.host.hasSuffix("]")
        let bare = isBracketed ? String(query.host.dropFirst().dropLast()) : query.host
        let address = IPAddress(bare)
        domain = address == nil && !isBracketed ? DNSName(query.host) : nil
        state = .naming
        begin(address)
    }

    var outcome: Result<[SIPTarget], SIPTargetFailure>? {
        if case .done(let result) = state { result } else { nil }
    }

    /// RFC 3263 4.1: UDP, or TLS for `sips`, where nothing says otherwise; for who does not speak that, the first that fits.
    private var assumedTransport: SIPTransport? {
        let usual = query.isSecure ? SIPTransport.tls : .udp
        if settings.transports.contains(usual) { return usual }
        return settings.transports.first { !query.isSecure || $0.isSecure }
    }

    private mutating func begin(_ address: IPAddress?) {
        // RFC 3261 26.2.2: `sips` turns each transport into its secure twin; there is none for UDP.
        var transport = query.transport
        if query.isSecure {
            switch query.transport {
            case .tcp?, .tls?: transport = .tls
            case .ws?, .wss?: transport = .wss
            case .udp?: return finish(.transportNotSupported)
            case nil: break
            }
        }
        if let transport, !settings.transports.contains(transport) { return finish(.transportNotSupported) }
        guard let fallback = transport ?? assumedTransport else { return finish(.transportNotSupported) }
        if let address {
            let endpoint = Endpoint(address, query.port ?? fallback.defaultPort)
            return state = .done(.success([SIPTarget(fallback, endpoint, domain: query.host)]))
        }
        guard let domain, !domain.isRoot else { return finish(.badHost) }
        if let port = query.port {
            return askAddresses([Host(transport: fallback, name: domain, port: port)])
        }
        if let transport {
            // RFC 7118 defines no SRV service for WebSocket.
            guard transport != .ws, transport != .wss else {
                return askAddresses([Host(transport: transport, name: domain, port: transport.defaultPort)])
            }
            return askServices([transport])
        }
        pending = [DNSQuestion(domain, .naptr)]
    }

    mutating func found(_ question: DNSQuestion, _ answer: DNSAnswer, entropy: inout Entropy) {
        switch state {
        case .naming:
            guard question.type == .naptr else { return }
            named(answer)
        case .services(let services, var answers):
            guard question.type == .srv else { return }
            answers[question.name] = answer
            state = .services(services, answers: answers)
            if services.allSatisfy({ answers[$0.name] != nil }) { located(services, answers, entropy: &entropy) }
        case .addresses(let hosts, var answers):
            answers[question] = answer
            state = .addresses(hosts, answers: answers)
            let isComplete = hosts.allSatisfy { host in
                settings.families.allSatisfy { answers[DNSQuestion(host.name, $0.recordType)] != nil }
            }
            if isComplete { addressed(hosts, answers) }
        case .done: return
        }
    }

    /// RFC 3263 4.1: of the NAPTR records those of our transports, least order and preference first; without any, SRV for each.
    private mutating func named(_ answer: DNSAnswer) {
        let records = answer.records.prefix(Self.mostRecords).compactMap { record -> DNSNamingRecord? in
            if case .naptr(let naptr) = record.data { naptr } else { nil }
        }
        var services: [Service] = []
        for record in records.sorted(by: { ($0.order, $0.preference) < ($1.order, $1.preference) }) {
            guard let transport = transport(service: record.service), settings.transports.contains(transport) else { continue }
            guard !query.isSecure || transport.isSecure, record.flags == [0x73] || record.flags == [0x53] else { continue }
            guard !record.replacement.isRoot else { continue }
            let service = Service(transport: transport, name: record.replacement)
            if !services.contains(service) { services.append(service) }
        }
        if !services.isEmpty { return ask(services) }
        // RFC 3263 4.1: without NAPTR every transport we speak is tried, secure ones alone for `sips`.
        askServices(settings.transports.filter { $0 != .ws && $0 != .wss && (!query.isSecure || $0.isSecure) })
    }

    private func transport(service: [UInt8]) -> SIPTransport? {
        switch String(decoding: service, as: UTF8.self).uppercased() {
        case "SIP+D2U": .udp
        case "SIP+D2T": .tcp
        case "SIPS+D2T": .tls
        case "SIP+D2W": .ws
        case "SIPS+D2W": .wss
        default: nil
        }
    }

    private mutating func askServices(_ transports: [SIPTransport]) {
        guard let domain else { return finish(.badHost) }
        let services = transports.compactMap { transport -> Service? in
            let label = transport == .tls ? "_sips" : "_sip"
            let name = domain.prefixed(by: transport == .udp ? "_udp" : "_tcp")?.prefixed(by: label)
            return name.map { Service(transport: transport, name: $0) }
        }
        guard !services.isEmpty else { return finish(.transportNotSupported) }
        ask(services)
    }

    private mutating func ask(_ services: [Service]) {
        state = .services(services, answers: [:])
        pending = services.map { DNSQuestion($0.name, .srv) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private mutating func located(_ services: [Service], _ answers: [DNSName: DNSAnswer], entropy: inout Entropy) {
        var hosts: [Host] = []
        var isDenied = false
        for service in services {
            let records = (answers[service.name]?.records ?? []).prefix(Self.mostRecords).compactMap { record in
                if case .srv(let srv) = record.data { srv } else { nil as DNSServiceRecord? }
            }
            for record in orderedByPriority(records, entropy: &entropy) {
                // RFC 2782: the root as a target means that the service is decidedly not offered.
                guard !record.target.isRoot else {
                    isDenied = true
                    continue
                }
                let host = Host(transport: service.transport, name: record.target, port: record.port)
                if !hosts.contains(host) { hosts.append(host) }
            }
        }
        if !hosts.isEmpty { return askAddresses(Array(hosts.prefix(Self.mostRecords))) }
        if isDenied { return finish(.serviceNotOffered) }
        // RFC 3263 4.2: no SRV at all, so the domain's own addresses.
        guard let domain, let transport = query.transport == nil ? assumedTransport : services[0].transport else {
            return finish(.badHost)
        }
        askAddresses([Host(transport: transport, name: domain, port: transport.defaultPort)])
    }

    private mutating func askAddresses(_ hosts: [Host]) {
        state = .addresses(hosts, answers: [:])
        for host in hosts {
            for family in settings.families {
                let question = DNSQuestion(host.name, family.recordType)
                if !pending.contains(question) { pending.append(question) }
            }
        }
        if settings.families.isEmpty { finish(.noAddress) }
    }

    private mutating func addressed(_ hosts: [Host], _ answers: [DNSQuestion: DNSAnswer]) {
        var targets: [SIPTarget] = []
        for host in hosts {
            for family in settings.families {
                for record in answers[DNSQuestion(host.name, family.recordType)]?.records ?? [] {
                    let address: IPAddress
                    switch record.data {
                    case .a(let v4): address = .v4(v4)
                    case .aaaa(let v6): address = .v6(v6)
                    default: continue
                    }
                    let target = SIPTarget(host.transport, Endpoint(address, host.port), domain: query.host)
                    if !targets.contains(target), targets.count < Self.mostTargets { targets.append(target) }
                }
            }
        }
        guard targets.isEmpty else { return state = .done(.success(targets)) }
        // The most telling reason: a failed look-up may hide an address, so it comes first.
        for host in hosts {
            for family in settings.families {
                if case .failed(let failure)? = answers[DNSQuestion(host.name, family.recordType)] {
                    return finish(.lookUpFailed(failure))
                }
            }
        }
        finish(answers.values.allSatisfy { $0 == .nameError } ? .nameError : .noAddress)
    }

    private mutating func finish(_ failure: SIPTargetFailure) { state = .done(.failure(failure)) }
}

/// RFC 2782: priorities ascending; within one, drawn without putting back, each by its weight.
package func orderedByPriority(_ records: [DNSServiceRecord], entropy: inout Entropy) -> [DNSServiceRecord] {
    var ordered: [DNSServiceRecord] = []
    for priority in Set(records.map(\.priority)).sorted() {
        // Weight 0 first, so that it has a small chance as the RFC wants it.
        let same = records.filter { $0.priority == priority }
        var left = same.filter { $0.weight == 0 } + same.filter { $0.weight != 0 }
        while !left.isEmpty {
            let total = left.reduce(0) { $0 + UInt64($1.weight) }
            let drawn = UInt64.random(in: 0...total, using: &entropy)
            var sum: UInt64 = 0
            let index = left.firstIndex { record in
                sum += UInt64(record.weight)
                return sum >= drawn
            }
            ordered.append(left.remove(at: index ?? 0))
        }
    }
    return ordered
}
