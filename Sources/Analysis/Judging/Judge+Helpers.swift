import Base
import Capture

extension Judge {
    private static let fields = ["Via", "Contact", "Call-ID", "CSeq", "Content-Length", "c", "o", "m"]

    // MARK: alg.suspected

    /// Traces of a SIP helper that one side alone shows. Never a proof: a phone that uses STUN writes much the same.
    mutating func algSuspected(_ c: inout DialogCase, _ table: SignallingTable) {
        var isFirstRequest = true
        for step in c.steps where step.isFirst {
            let source = table.endpoints[step.record.source]
            let isOwnRequest = step.isRequest && step.flags.contains(.fromClient) && step.viaCount <= 1
            defer { if isOwnRequest { isFirstRequest = false } }
            if !step.flags.isDisjoint(with: [.bodyShort, .bodyLong]), !step.flags.contains(.truncated),
                !step.flags.contains(.fragmented)
            {
                suspect(step, .wrongLength, &c, table)
                return
            }
            guard Self.isPublic(source),
                !step.flags.contains(.knowsItself)
            else { continue }
            if isOwnRequest, isFirstRequest, !c.isContinued {
                let isContactHere = step.contact.kind == .address && step.contact.address == source.address
                if isContactHere, step.via.isPrivateAddress, step.method == .register, !step.hasCredentials {
                    suspect(step, .contactOnly, &c, table)
                    return
                }
                // Within a dialog that began before, the Call-ID is the other end's.
                if isContactHere, step.toTag == 0, step.via.kind == .address, step.via.address == source.address,
                    c.dialog.progress.contains(.privateCallID)
                {
                    suspect(step, .callID, &c, table)
                    return
                }
            }
            guard step.sdp >= 0,
                isOwnRequest || table.flows.number(source, table.endpoints[step.record.destination], c.dialog.vantage) >= 0,
                let description = table.description(step), description.connection.kind == .address,
                description.connection.address == source.address, description.origin.isPrivateAddress,
                !description.origin.address.isLoopback, !description.origin.address.isUnspecified
            else { continue }
            suspect(step, .origin, &c, table)
            return
        }
    }

    private enum Suspicion: UInt64 { case wrongLength = 1, contactOnly, callID, origin }

    private mutating func suspect(_ step: Step, _ why: Suspicion, _ c: inout DialogCase, _ table: SignallingTable) {
        let copy = c
        let server = copy.server(step, table)
        // A live tap of a server does not see what STUN told the phone.
        let isLive = step.record.place.kind == .live
        // A private o= alone is what phones with STUN write; a length that the server refuses broke the call.
        let severity: Severity =
            why == .origin || isLive && why != .wrongLength || why == .contactOnly && !Self.isBeginning(step)
                || namesItself(step, why, table)
            ? .note : why == .wrongLength && copy.dialog.status == 400 ? .fault : .risk
        report(.algSuspected, severity, variant: why.rawValue, &c, server: server.address) {
            let source = Self.name(table.endpoints[step.record.source])
            let what: String
            let detail: String
            switch why {
            case .wrongLength:
                what =
                    "the body of a message from \(source) is \(step.flags.contains(.bodyShort) ? "shorter" : "longer") than its Content-Length says"
                detail =
                    "A helper that changes addresses in a body and forgets the length does this; the packet is whole in the capture."
            case .contactOnly:
                what = "Contact names the public address \(source) while Via still names a private one"
                detail =
                    Self.isBeginning(step)
                    ? "This was the first message of the registration: the phone had not been told its address by any answer, and no STUN was seen."
                    : "The registration may have begun before the capture (CSeq \(step.record.sequence)): an answer may have told it its address."
            case .callID:
                what = "Via and Contact name the public address \(source) while Call-ID still names a private one"
                detail = "No STUN was seen, and no answer had told the phone its address."
            case .origin:
                what = "c= names the public address \(source) while o= still names a private one"
                detail = "No STUN was seen; some programs do write o= differently."
            }
            return Finding(
                .algSuspected, severity,
                (severity == .fault ? "The server refused it with 400. " : "")
                    + "A SIP helper (ALG) may be at work between \(Self.name(copy.client(step, table))) and its phone: \(what).",
                details: [
                    isLive && why != .wrongLength ? "STUN is not seen here: it may have told the phone its address." : detail,
                    "One side alone never proves it: a phone that uses STUN may write the same.",
                ],
                evidence: [Self.evidence(step, table, Self.fields, "")], culprit: .between("the phone", Self.name(server)),
                confidence: .possible,
                remedies: [
                    Remedy(.capture, "Confirm with pinhole doctor, or capture on the phone's side too and give both captures."),
                    .disableALG, .encrypt,
                ], subject: Self.subject(copy, step, table))
        }
    }

    /// Its CSeq counts from one: before it nobody can have told the phone anything. Programs that begin at random are not told from refreshes.
    private static func isBeginning(_ step: Step) -> Bool { step.record.sequence <= 2 }

    /// Programs that are told their public address in their settings, and keep their own in Call-ID: servers, and adapters with a setting
    /// for what goes into Contact.
    private func namesItself(_ step: Step, _ why: Suspicion, _ table: SignallingTable) -> Bool {
        guard why == .callID || why == .contactOnly, let text = table.text(of: step.record) else { return false }
        return text.withUnsafeBytes { p in
            guard let facts = MessageFacts(p) else { return false }
            let name = p.string(facts.userAgent).lowercased()
            return why == .callID && (ServerRole.isServer(facts, p) || ProgramTable.isExchange(name))
                || ["linksys", "sipura", "cisco/spa"].contains { name.hasPrefix($0) }
        }
    }

    // MARK: stun.sdp-mismatch

    /// What STUN told the phone against what it then advertised.
    mutating func stunMismatch(_ c: inout DialogCase, _ table: SignallingTable) {
        guard !table.stun.isEmpty else { return }
        for step in c.steps where step.sdp >= 0 && step.isFirst {
            let source = table.endpoints[step.record.source]
            guard table.stun.isHost(source.address, c.dialog.vantage), let description = table.description(step),
                description.connection.kind == .address, !description.connection.address.isUnspecified, description.port != 0,
                !description.hasCandidates
            else { continue }
            // Probes of the media sockets, not long before.
            let probes = table.stun.probes(of: source.address, c.dialog.vantage).filter {
                guard $0.client.port != source.port, let age = elapsed($0.time, step.nanoseconds) else { return false }
                return age >= 0 && age < 180 * second
            }
            let answered = probes.filter { $0.mapped != nil }
            let said = PackedEndpoint(description.connection.address, description.port)
            if description.connection.isPrivateAddress {
                let lost = probes.filter { $0.mapped == nil && $0.sends >= 3 }
                // Within a LAN a private address is where the audio belongs.
                if answered.isEmpty, let probe = lost.first, Self.isPublic(table.endpoints[step.record.destination]) {
                    mismatch(step, probe, said, &c, table)
                }
                return
            }
            guard let probe = answered.last, answered.contains(where: { $0.mapped != $0.client }),
                !answered.contains(where: { $0.mapped == said })
            else { return }
            mismatch(step, probe, said, &c, table)
            return
        }
    }

    private mutating func mismatch(
        _ step: Step, _ probe: STUNLedger.Probe, _ said: PackedEndpoint, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        draft(.audioLost(dialog: c.number), .stunSDPMismatch, .fault, c.server(step, table), &c) { c in
            let answer = probe.mapped.map { "STUN told \(Self.name(probe.client)) that it is \(Self.name($0))" }
            let stun = Evidence(
                place: probe.answerPlace ?? probe.place,
                time: probe.time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: probe.time),
                source: probe.client.endpoint, destination: probe.server.endpoint,
                excerpt: probe.mapped.map { "STUN Binding: mapped address \(Self.name($0))" }
                    ?? "STUN Binding request, sent \(probe.sends) times",
                says: probe.mapped == nil ? "nobody answered" : "the address that works")
            return Finding(
                .stunSDPMismatch, .fault,
                answer.map { "\($0), but the call asks for its audio at \(Self.name(said)): nothing sent there arrives." }
                    ?? "STUN at \(Self.name(probe.server)) never answered, so the call went out with the private address \(Self.name(said)).",
                details: [
                    "\(probe.mapped == nil ? "The probe was sent \(probe.sends) times." : "No answer to any probe of a media socket names the advertised address.")"
                ],
                evidence: [stun, Self.evidence(step, table, ["c", "m", "CSeq"], "what the call advertises")], culprit: .unknown,
                confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        probe.mapped == nil
                            ? "Correct the STUN server, or allow UDP 3478 through the firewall."
                            : "Probe with the socket that carries the audio, just before the call; or switch STUN off and let the server latch."
                    ),
                    Remedy(.server, "Latch on to where media comes from, whatever SDP says."),
                ], subject: Self.subject(c, step, table))
        }
    }
}
