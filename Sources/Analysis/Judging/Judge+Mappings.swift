import Base
import Capture

extension Judge {
    /// Silence shorter than any NAT's timer: a port that changes within it did not expire.
    static let shortestMapping: Int64 = 20 * second

    private static let fields = ["CSeq", "Contact", "Expires", "Via"]

    /// nat.port-jump, nat.mapping-expired, nat.register-longer-than-mapping: how a registration's client moved.
    mutating func mappings(_ c: inout DialogCase, _ table: SignallingTable) {
        if c.dialog.progress.contains(.linkedByOrder) || c.end == MessageRecord.unknownTime {
            jumpsInLog(&c, table)
            return
        }
        var jumps: [(from: Int, to: Int)] = []
        var lapses: [(from: Int, to: Int, idle: Int64)] = []
        for leg in c.dialog.legs.indices where !c.dialog.legs[leg].isStream {
            walk(leg, c, table, &jumps, &lapses)
        }
        if !jumps.isEmpty { portJump(jumps, &c, table) }
        let expiries = table.expiries[c.number] ?? []
        if let expiry = expiries.first(where: { $0.pending.idle >= 15_000 }), !isAlwaysMoving(jumps, lapses, c) {
            mappingExpired(expiry, &c, table)
        }
        if !wasReported(.natMappingExpired, c), let lapse = lapses.first(where: { isLonger($0, c) }) {
            registerLonger(lapse, &c, table)
        }
    }

    /// Ports move on requests seconds apart: lapses of the same client then prove nothing about timers.
    private func isAlwaysMoving(_ jumps: [(from: Int, to: Int)], _ lapses: [(from: Int, to: Int, idle: Int64)], _ c: DialogCase)
        -> Bool
    {
        jumps.count >= 2
    }

    /// Sorts the client's changes of port into jumps and lapses.
    private func walk(
        _ leg: Int, _ c: DialogCase, _ table: SignallingTable, _ jumps: inout [(from: Int, to: Int)],
        _ lapses: inout [(from: Int, to: Int, idle: Int64)]
    ) {
        var former: Int?
        var lastOfLeg: Int?
        var seen: [PackedEndpoint] = []
        for (index, step) in c.steps.enumerated() where Int(step.leg) == leg {
            defer { lastOfLeg = index }
            guard step.isRequest, step.flags.contains(.fromClient), !step.isOverStream else { continue }
            let source = table.endpoints[step.record.source]
            defer {
                former = index
                if !seen.contains(source) { seen.append(source) }
            }
            guard let before = former else { continue }
            let old = table.endpoints[c.steps[before].record.source]
            guard old != source, old.port != 0, source.port != 0,  // A log may name no port.
                table.endpoints[step.record.destination] == table.endpoints[c.steps[before].record.destination],
                !isRestart(c.steps[before], step), !listensElsewhere(step, index, c, table)
            else { continue }
            let sinceRequest = c.gap(c.steps[before], step) ?? 0
            let isWithin = c.steps[before].branch == step.branch || answersChallenge(index, before, c)
            // Another address of its own, or a new public one: another network or connection, no mapping changed.
            if Self.hasMoved(c.steps[before].via, step.via) || old.address != source.address && !isWithin { continue }
            let idle = step.idle >= 0 ? Int64(step.idle) * 1_000_000 : c.gap(c.steps[lastOfLeg ?? before], step) ?? sinceRequest
            if isWithin && sinceRequest < 64 * second || idle < Self.shortestMapping {
                jumps.append((before, index))
            } else {
                lapses.append((before, index, idle))
            }
        }
    }

    /// A new tag with a CSeq that begins anew: the phone was restarted.
    func isRestart(_ a: Step, _ b: Step) -> Bool {
        a.fromTag != b.fromTag && b.record.sequence <= a.record.sequence && a.branch != b.branch
    }

    /// A public client that sends from any port and hears at the one in Via: its ports mean nothing.
    private func listensElsewhere(_ step: Step, _ index: Int, _ c: DialogCase, _ table: SignallingTable) -> Bool {
        let source = table.endpoints[step.record.source]
        guard !step.flags.contains(.rport), Self.isPublic(source), step.via.address == source.address,
            step.via.portOrDefault != source.port,
            let answer = c.response(to: step, from: index, atLeast: 100)
        else { return false }
        return table.endpoints[c.steps[answer].record.destination].port == step.via.portOrDefault
    }

    /// The request uses the nonce of a challenge that went to the port before.
    private func answersChallenge(_ index: Int, _ before: Int, _ c: DialogCase) -> Bool {
        let step = c.steps[index]
        guard step.hasCredentials else { return false }
        return c.steps[..<index].contains {
            !$0.isRequest && $0.hasChallenge && $0.nonce == step.nonce && $0.record.destination != step.record.source
        }
            && c.steps[before...].prefix(while: { $0.record.place != step.record.place }).contains {
                $0.hasChallenge && $0.nonce == step.nonce
            }
    }

    // MARK: nat.port-jump

    private mutating func portJump(_ jumps: [(from: Int, to: Int)], _ c: inout DialogCase, _ table: SignallingTable) {
        let (first, last) = (jumps[0], jumps[jumps.count - 1])
        let step = c.steps[first.to]
        let (old, new) = (table.endpoints[c.steps[first.from].record.source], table.endpoints[step.record.source])
        let isOwn = step.via.kind == .address && step.via.address == new.address
        // On its own LAN, before any router, nobody but the phone can have changed its port.
        let isPhone = isOwn && !Self.isPublic(new) && old.address == new.address
        let isRepeated = jumps.count >= 2
        let isWithin = c.gap(c.steps[first.from], step).map { $0 < 5 * second } ?? true
        // Among outside addresses, while each registration succeeds: requests back go to the latest all the same.
        let isAmongAddresses = old.address != new.address
        let isHarmless =
            isAmongAddresses && old.port == new.port
            && c.steps.enumerated().allSatisfy { index, step in
                !step.isRequest || step.method != .register || !step.hasCredentials
                    || c.response(to: step, from: index).map { c.steps[$0].status < 300 } ?? false
            }
        let severity: Severity =
            isHarmless || isPhone && isUnhurt(jumps, c) ? .note : isRepeated || isWithin ? .fault : .risk
        let gap = c.gap(c.steps[first.from], step)
        report(.natPortJump, severity, c.server(step, table), &c) { c in
            let ports = Self.clientPorts(c, table)
            var evidence = [
                Self.evidence(c.steps[first.from], table, Self.fields, "from \(Self.name(old))"),
                Self.evidence(step, table, Self.fields, "from \(Self.name(new))"),
            ]
            if last.to != first.to {
                let source = table.endpoints[c.steps[last.to].record.source]
                evidence.append(Self.evidence(c.steps[last.to], table, Self.fields, "from \(Self.name(source))"))
            }
            let where_ =
                old.address == new.address ? "port \(old.port) to port \(new.port)" : "\(Self.name(old)) to \(Self.name(new))"
            return Finding(
                .natPortJump, severity,
                "\(c.dialog.kind == .registration ? "The registration of \(c.who)" : c.phone) jumped from \(where_)"
                    + (gap.map { $0 < 1_000_000 ? "" : " within \(spoken($0))" } ?? "")
                    + (isPhone
                        ? ": as seen from here, the phone itself opens a new socket." : ", faster than any NAT mapping expires."),
                details: [
                    "Ports in order: \(ports.map { String($0) }.joined(separator: ", ")).",
                    "Call-ID and tag are the same: neither a restart nor a second device. It is UDP: no new connection either.",
                    isPhone
                        ? "Its Via names the very address the packets come from, a private one: no router has touched them yet."
                        : isOwn
                            ? "Via names the same address the packets come from: the phone itself, or a helper that rewrites Via, changes the port."
                            : "Via names another address than the packets come from: there is a NAT, and it maps one socket to several ports.",
                ],
                evidence: evidence,
                culprit: isPhone ? .unknown : Self.between(c, step, table),
                confidence: .likely,
                remedies: isPhone
                    ? [
                        Remedy(
                            .phone,
                            "Let the phone send from one socket: a fixed local SIP port (\"local port\", \"source port\"), no new one for each request."
                        )
                    ]
                    : isAmongAddresses
                        ? [
                            Remedy(
                                .router,
                                "Let all packets of one phone leave by one outside address: SIP bound to one WAN, or paired pooling (RFC 4787 4.1)."
                            )
                        ]
                        : [
                            .disableALG,
                            Remedy(
                                .router,
                                "Where there is a switch for it, keep one mapping per socket (Consistent NAT, endpoint-independent mapping)."
                            ),
                            Remedy(.phone, "Send keepalives from the SIP socket, or register over TLS."),
                        ], subject: Self.subject(c, step, table))
        }
    }

    /// A call in which each request was answered where it came from: a phone's own sockets broke nothing in it.
    private func isUnhurt(_ jumps: [(from: Int, to: Int)], _ c: DialogCase) -> Bool {
        guard c.dialog.kind == .call, !jumps.contains(where: { c.steps[$0.from].branch == c.steps[$0.to].branch }) else {
            return false
        }
        return c.steps.indices.allSatisfy { index in
            let step = c.steps[index]
            guard step.isRequest, step.isFirst, step.method != .ack else { return true }
            return c.response(to: step, from: index).map {
                c.steps[$0].status < 300 || c.steps[$0].hasChallenge || [487, 491].contains(c.steps[$0].status)
            } ?? false
        }
    }

    /// Ports the client's requests came from, each change once.
    private static func clientPorts(_ c: DialogCase, _ table: SignallingTable) -> [UInt16] {
        var result: [UInt16] = []
        for step in c.steps where step.isRequest && step.flags.contains(.fromClient) {
            let port = table.endpoints[step.record.source].port
            if result.last != port { result.append(port) }
        }
        return result
    }

    /// An INVITE that answers its challenge from another port.
    mutating func movedCaller(_ c: inout DialogCase, _ table: SignallingTable) {
        var jumps: [(from: Int, to: Int)] = []
        var former: [UInt8: Int] = [:]
        for (index, step) in c.steps.enumerated() {
            guard step.isRequest, step.flags.contains(.fromClient), !step.isOverStream, step.method != .ack else { continue }
            defer { former[step.leg] = index }
            guard let before = former[step.leg] else { continue }
            let (old, new) = (table.endpoints[c.steps[before].record.source], table.endpoints[step.record.source])
            guard old != new, old.port != 0, new.port != 0, old.address == new.address,
                !Self.hasMoved(c.steps[before].via, step.via),
                c.steps[before].record.destination == step.record.destination, !isRestart(c.steps[before], step),
                !listensElsewhere(step, index, c, table),
                let gap = c.gap(c.steps[before], step), gap < Self.shortestMapping,
                step.method == .invite || step.branch == c.steps[before].branch
            else { continue }
            jumps.append((before, index))
        }
        if !jumps.isEmpty { portJump(jumps, &c, table) }
    }

    // MARK: nat.mapping-expired

    private mutating func mappingExpired(_ expiry: Expiry, _ c: inout DialogCase, _ table: SignallingTable) {
        // What came back: a REGISTER of this dialog, or a call of the same phone.
        let isOwn = expiry.dialog == c.number
        guard
            let index = isOwn
                ? c.steps.firstIndex(where: { $0.record.place == expiry.place })
                : c.steps.lastIndex(where: { $0.isRequest && $0.flags.contains(.fromClient) }),
            let back = isOwn ? c.steps[index].record : record(of: expiry.place, in: expiry.dialog, table),
            let former = table.flows[expiry.former], former.client.address == table.endpoints[back.source].address
        else { return }
        if isOwn, let before = c.steps[..<index].last(where: { $0.isRequest && $0.flags.contains(.fromClient) }),
            isRestart(before, c.steps[index])
        {
            return
        }
        let step = c.steps[index]
        let pending = expiry.pending
        let idle = Int64(pending.idle) * 1_000_000
        let lost = record(of: pending.place, in: pending.dialog, table)
        let server = c.server(step, table)
        guard !wasReported(.natMappingExpired, c), claim(.natMappingExpired, .fault, &c) else { return }
        let key = FindingMerger.Key(
            name: .natMappingExpired, severity: .fault, variant: former.client.address.low ^ former.client.address.high,
            server: server.address,
            vantage: c.dialog.vantage)
        let also = pending.dialog == c.number ? [] : [pending.dialog]
        // The shortest silence that one of a router's mappings did not survive bounds the life of all.
        let known = lives[key] ?? MappingLife(most: .max, least: 0)
        let life = MappingLife(most: min(known.most, idle), least: max(known.least, Int64(former.provenIdle) * 1_000_000))
        lives[key] = life
        if merger.merge(key, dialogs: [c.number] + also) {
            if life != known { merger.update(key) { ($0.details[0], $0.remedies[0]) = (life.sentence, life.keepalive) } }
            return
        }
        var evidence: [Evidence] = []
        if let lost { evidence.append(Self.evidence(lost, table, ["CSeq", "To"], "unanswered, sent \(pending.sends) times")) }
        evidence.append(
            Self.evidence(
                back, table, Self.fields, "\(isOwn ? "comes back" : "calls") from \(Self.name(table.endpoints[back.source]))"))
        var subject = Self.subject(c, step, table)
        subject.dialogs = [c.number] + also
        merger.insert(
            Finding(
                .natMappingExpired, .fault,
                "What is sent to \(c.who) gets lost: the NAT forgot \(Self.name(former.client)) during \(spoken(idle)) of silence, and the "
                    + "phone \(isOwn ? "came back" : "calls") from port \(table.endpoints[back.source].port).",
                details: [
                    life.sentence,
                    isOwn
                        ? "The phone was on all the time: it registered again with the same Call-ID."
                        : "The phone was on all the time: it makes calls, from another port than it registered.",
                ],
                evidence: evidence, culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    life.keepalive,
                    Remedy(.server, "Send OPTIONS to registered phones at that interval, whatever their Contact says."),
                    Remedy(.router, "Raise the router's UDP timeout to 300 s."),
                ], subject: subject), key)
    }

    /// How long a router's mappings live, as far as silences bound it: nanoseconds.
    struct MappingLife: Hashable, Sendable {
        /// The shortest silence that one did not survive.
        var most: Int64
        /// The longest that one did; 0 where none was seen.
        var least: Int64

        var sentence: String {
            "A mapping lives at most \(spoken(most)) here"
                + (least > 0 && least < most ? "; one had worked after \(spoken(least))." : ".")
        }

        var keepalive: Remedy {
            Remedy(
                .phone,
                "Send a keepalive every \(max(10, most / second / 2)) s or less (RFC 5626), half of what no mapping survived."
            )
        }
    }

    private func record(of place: EvidencePlace, in dialog: Int, _ table: SignallingTable) -> MessageRecord? {
        guard dialog < table.dialogs.count else { return nil }
        var at = table.dialogs[dialog].lastStep
        while at >= 0 {
            if table.steps[Int(at)].record.place == place { return table.steps[Int(at)].record }
            at = table.steps[Int(at)].record.previous
        }
        at = table.dialogs[dialog].lastRecord
        while at >= 0 {
            if table.records[Int(at)].place == place {
                var record = table.records[Int(at)]
                // Its text has another place now.
                record.length = 0
                return record
            }
            at = table.records[Int(at)].previous
        }
        return nil
    }

    // MARK: nat.register-longer-than-mapping

    private func isLonger(_ lapse: (from: Int, to: Int, idle: Int64), _ c: DialogCase) -> Bool {
        guard !c.steps[lapse.to].flags.contains(.keptAlive), let granted = granted(before: lapse.to, c) else { return false }
        return Int64(granted) * second > lapse.idle
    }

    private func granted(before index: Int, _ c: DialogCase) -> UInt32? {
        let answer = c.steps[..<index].last { !$0.isRequest && $0.method == .register && $0.status >= 200 && $0.status < 300 }
        if let answer, answer.expires != Step.noNumber { return answer.expires == 0 ? nil : answer.expires }
        guard answer != nil || c.isContinued, c.dialog.granted != Step.noNumber, c.dialog.granted > 0 else { return nil }
        return c.dialog.granted
    }

    private mutating func registerLonger(
        _ lapse: (from: Int, to: Int, idle: Int64), _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let step = c.steps[lapse.to]
        let granted = granted(before: lapse.to, c) ?? 0
        let (old, new) = (table.endpoints[c.steps[lapse.from].record.source], table.endpoints[step.record.source])
        report(.natRegisterLongerThanMapping, .risk, c.server(step, table), &c) { c in
            Finding(
                .natRegisterLongerThanMapping, .risk,
                "\(c.opening) registers for \(granted) s, but its NAT mapping did not outlive \(spoken(lapse.idle)) of silence: "
                    + "until the next REGISTER nobody can call it.",
                details: [
                    "The mapping changed from \(Self.name(old)) to \(Self.name(new)); no keepalive was seen in between.",
                    "If a capture filter hides keepalives, this is another matter: then the port changed in spite of them.",
                ],
                evidence: [
                    Self.evidence(c.steps[lapse.from], table, Self.fields, "from \(Self.name(old))"),
                    Self.evidence(step, table, Self.fields, "\(spoken(lapse.idle)) later from \(Self.name(new))"),
                ],
                culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    Remedy(.phone, "Send keepalives every 25 s (RFC 5626), or register that often."),
                    Remedy(.server, "Send OPTIONS over the flow every 25 s."),
                    Remedy(.router, "Raise the router's UDP timeout to 300 s."),
                ], subject: Self.subject(c, step, table))
        }
    }
}
