import Base
import Capture

/// nat.private-sdp.
extension Judge {
    mutating func privateDescription(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.steps.contains(where: { isAccept($0) || ($0.method == .invite && $0.status == 183) }) else { return }
        var first: Bool?
        for step in c.steps where step.sdp >= 0 && step.isFirst {
            let isCaller = step.flags.contains(.fromClient)
            guard first != isCaller else { continue }
            guard let description = table.description(step), description.connection.isPrivateAddress,
                !description.connection.address.isUnspecified, description.port != 0, !description.hasCandidates
            else { continue }
            let (source, destination) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
            guard step.method == .invite || step.method == .update || step.method == .ack else { continue }
            // A proxy passes on what a phone says that names the same place in its Contact.
            let isPassedOn =
                step.flags.contains(.recordRoute) && step.contact.kind == .address
                && step.contact.address == description.connection.address
            let role = ServerRole(step, table).flatMap { isPassedOn && !$0.isKnown ? nil : $0 }
            // Seen on a server's own host, or beside it, it comes from the very address; the phone it is told to is beyond a NAT all the same.
            let isAtHome =
                source.address == description.connection.address && role != nil && Self.isPublic(destination)
                && source.address.isPrivateNetwork
            guard
                isAtHome
                    || (Self.isPublic(source) || source.isKnown && HostOnlyAddress.holds(description.connection.address))
                        && source.address != description.connection.address
            else { continue }
            // Whose place it is shows itself, in a private network as well as who is told: they need nobody outside.
            if destination.address.isPrivateNetwork,
                c.steps.contains(where: { other in
                    other.sdp >= 0 && table.endpoints[other.record.source].address.isPrivateNetwork
                        && table.description(other).map {
                            $0.connection.address == description.connection.address && $0.port == description.port
                        } == true
                })
            {
                continue
            }
            let said = "\(description.connection.address):\(description.port)"
            let hostOnly = HostOnlyAddress(description.connection.address, said: said)
            let make: (DialogCase) -> Finding = { c in
                Finding(
                    .natPrivateSDP, .fault,
                    "\(role?.name.capitalizedFirst ?? Self.name(source)) \(isPassedOn && role == nil ? "passes on a description that " : "")asks for its audio at \(hostOnly?.name ?? "the private address \(said)"): whoever sends there reaches nobody.",
                    details: [
                        hostOnly?.why
                            ?? (isAtHome
                                ? "It tells that to \(Self.name(destination)), which is on the Internet; no ICE candidates offer another way."
                                : "The message came from a public address; no ICE candidates offer another way.")
                    ],
                    evidence: [
                        Self.evidence(
                            step, table, ["c", "m", "o", "CSeq"], isAtHome ? "c= is private" : "c= is private, the source is not")
                    ],
                    culprit: role.map { .proved($0.name) }
                        ?? (hostOnly == nil ? Self.between(c, step, table) : .proved(Self.name(source))),
                    confidence: .likely,
                    remedies: (hostOnly?.remedy ?? role?.remedy).map { [$0] } ?? [
                        Remedy(
                            .server, "Relay the media and send to where it comes from (latching).",
                            commands: [
                                "Asterisk: rtp_symmetric=yes (pjsip), nat=comedia (chan_sip), direct_media=no",
                                "Kamailio: rtpengine_manage()",
                            ]),
                        Remedy(.phone, "Use ICE, or STUN where the NAT keeps ports."),
                    ], subject: Self.subject(c, step, table))
            }
            // Of two such ends the media says which is to blame.
            guard first == nil else {
                var finding = make(c)
                finding.subject.dialogs = [c.number]
                drafts.append(
                    Draft(
                        condition: .mediaInstead(dialog: c.number, toCaller: isCaller),
                        key: .init(
                            name: .natPrivateSDP, severity: .fault, variant: 36, server: destination.address,
                            vantage: c.dialog.vantage),
                        dialogs: [c.number], finding: finding))
                return
            }
            draft(.media(dialog: c.number, toCaller: isCaller), .natPrivateSDP, .fault, destination, &c, make)
            first = isCaller
        }
    }
}
