import Base
import Capture

extension Judge {
    /// nat.wrong-external: who stands behind a NAT and names a public address that is not the NAT's. The far end says from where it heard
    /// (`received`, RFC 3261 18.2.1): answers may come back by that, but what is sent to Contact or SDP goes to somebody else.
    mutating func wrongExternal(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, step) in c.steps.enumerated()
        where step.isRequest && step.isFirst && step.viaCount == 1 && step.via.kind == .address && !step.isOverStream {
            let source = table.endpoints[step.record.source]
            guard source.address.isPrivateNetwork, !step.via.isPrivateAddress, !step.via.address.isUnspecified,
                let answer = c.response(to: step, from: index, atLeast: 100), c.steps[answer].flags.contains(.received),
                let received = Self.received(c.steps[answer], table), received != step.via.address, !received.isPrivateNetwork
            else { continue }
            let names = step.contact.kind == .address && step.contact.address == step.via.address
            let who = ServerRole(step, table)
            let name = who?.name ?? Self.name(source)
            report(.natWrongExternal, .risk, c.server(step, table), &c) { c in
                Finding(
                    .natWrongExternal, .risk,
                    "\(name.capitalizedFirst) calls itself \(step.via.address) to the outside, but is heard from \(received): what is sent to "
                        + "\(names ? "its Contact" : "that address") goes to somebody else.",
                    details: ["\(Self.name(c.server(step, table))) says so: received=\(received) in its answer."],
                    evidence: [
                        Self.evidence(step, table, ["Via", "Contact", "CSeq"], "the address that it names"),
                        Self.evidence(c.steps[answer], table, ["Via", "CSeq"], "where it is heard from"),
                    ], culprit: .proved(name), confidence: .proved,
                    remedies: [
                        Self.correction(of: "Via", by: who, from: received)
                    ], subject: Self.subject(c, step, table))
            }
            return
        }
    }

    /// The same, where it harms: seen outside, who names in Via and Contact a public address from which nothing of it comes, and what the far
    /// end asks in the call goes there and stays unanswered.
    ///
    /// Innocent: who is heard from the address that it names as well, and one whose Contact alone names another host.
    mutating func lostToWrongExternal(
        _ step: Step, _ count: Int, _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let (asker, named) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        guard step.toTag != 0, count >= 3, Self.isPublic(named), !table.speakers.contains(named.address),
            let said = c.steps.first(where: { said in
                said.isRequest && said.viaCount == 1 && said.via.kind == .address && said.via.address == named.address
                    && said.contact.kind == .address && said.contact.address == named.address
                    && table.endpoints[said.record.destination].address == asker.address
            })
        else { return false }
        let source = table.endpoints[said.record.source]
        guard Self.isPublic(source), source.address != named.address,
            c.steps.allSatisfy({
                $0.leg != said.leg || [source.address, asker.address].contains(table.endpoints[$0.record.source].address)
            })
        else { return false }
        let who = ServerRole(said, table)
        let name = who?.name ?? Self.name(source)
        report(.natWrongExternal, .fault, variant: 1, c.server(said, table), &c) { c in
            Finding(
                .natWrongExternal, .fault,
                "\(name.capitalizedFirst) calls itself \(named.address) to the outside, but is heard from \(source.address) alone: the "
                    + "\(step.method.token) of \(Self.name(asker)) went to \(Self.name(named)) \(count + 1) times within \(spoken(lasted)), and nobody answered.",
                details: [
                    "Nothing came from \(named.address) in this capture: its external address is an old one, as after the line got another."
                ],
                evidence: [
                    Self.evidence(said, table, ["Via", "Contact", "CSeq"], "the address that it names"),
                    Self.evidence(step, table, Self.repeatedFields, "sent there"),
                ], culprit: .proved(name), confidence: .likely,
                remedies: [
                    Self.correction(of: "Contact", by: who, from: source.address)
                ], subject: Self.subject(c, said, table))
        }
        return true
    }

    private static func correction(of header: String, by who: ServerRole?, from address: PackedAddress) -> Remedy {
        who?.correction(of: header, from: "\(address)")
            ?? Remedy(
                .phone, "Correct the external address in its settings: \(address), or let STUN or rport find it where it changes."
            )
    }

    /// `received` of the topmost Via.
    private static func received(_ step: Step, _ table: SignallingTable) -> PackedAddress? {
        guard let bytes = bytes(step, table), let via = MessageExcerpt.fields(bytes).first(where: { $0.name == "Via" })?.value,
            let place = via.firstRange(of: "received=")
        else { return nil }
        let text = via[place.upperBound...].prefix { $0 != ";" && $0 != "," && $0 != " " }
        return IPAddress(String(text)).map { PackedAddress($0) }
    }
}
