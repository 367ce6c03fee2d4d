import Base
import Capture

extension Judge {
    /// A 200 to REGISTER lists every Contact of the account (RFC 3261 10.3): one that lists others alone did not take this one.
    mutating func unlisted(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .registration else { return }
        var missing: [(request: Step, answer: Step, listed: Int)] = []
        for (index, request) in c.steps.enumerated()
        where request.isRequest && request.method == .register && request.isFirst && !request.flags.contains(.contactIsAll) {
            guard let answer = c.response(to: request, from: index).map({ c.steps[$0] }), answer.status == 200 else { continue }
            guard let listed = others(request, answer, table) else {
                missing = []
                continue
            }
            missing.append((request, answer, listed))
        }
        guard missing.count > 1, let first = missing.first, let last = missing.last else { return }
        let severity: Severity = missing.allSatisfy { $0.listed > 1 } ? .fault : .note
        report(.sipRefused, severity, variant: 3_000, c.server(last.answer, table), &c) { c in
            let registrar = Self.name(table.endpoints[last.answer.record.source])
            let contact = last.request.contact
            let own = contact.kind == .address ? "\(contact.address.address):\(contact.portOrDefault)" : "its own"
            return Finding(
                .sipRefused, severity,
                "\(c.opening) is not registered although \(registrar) answers 200: each of \(missing.count) answers lists "
                    + "\(counted(last.listed, "other Contact")), and not \(own).",
                details: [
                    "Calls to the account go to the Contacts that are listed, for longer than this one asked for: they are of other phones, or "
                        + "left from before."
                ],
                evidence: [
                    Self.evidence(first.request, table, ["CSeq", "Contact", "Expires"], "asks to be registered"),
                    Self.evidence(last.answer, table, ["CSeq", "Contact", "Expires"], "lists others"),
                ], culprit: .proved(registrar), confidence: .likely,
                remedies: [
                    Remedy(
                        .server, "Allow more Contacts for the account at \(registrar), or let a new one replace the oldest.",
                        commands: ["Asterisk pjsip: max_contacts=5, remove_existing=yes", "Kamailio: registrar max_contacts"])
                ], subject: Self.subject(c, last.answer, table))
        }
    }

    /// How many Contacts the answer lists, if none can be the request's own, however rewritten: each has another life than was asked for.
    private func others(_ request: Step, _ answer: Step, _ table: SignallingTable) -> Int? {
        guard !request.flags.contains(.truncated), !answer.flags.contains(.truncated), !answer.flags.contains(.contactReceived),
            request.expires != Step.noNumber, request.expires > 0, answer.expires != Step.noNumber,
            answer.expires > request.expires,
            let asked = Self.bytes(request, table),
            let said = Self.bytes(answer, table)
        else { return nil }
        let own = MessageExcerpt.contactList(asked)
        let listed = MessageExcerpt.contactList(said).map { $0.lowercased() }
        guard own.count == 1, !listed.isEmpty else { return nil }
        let user = Self.user(own[0])
        var marks = [Self.host(own[0]), "\(table.endpoints[request.record.source].address.address)".lowercased()]
        if user != Self.user(MessageExcerpt.value(of: "To", in: asked) ?? "") { marks.append(user) }
        for via in [asked, said].compactMap({ MessageExcerpt.value(of: "Via", in: $0) }) {
            let parts = via.lowercased().split { " ;,".contains($0) }.dropFirst()
            marks += parts.prefix(1).map { $0.prefix { $0 != ":" } }.map(String.init)
            marks += parts.filter { $0.hasPrefix("received=") }.map { String($0.dropFirst(9)) }
        }
        marks.removeAll { $0.count < 4 }
        if let instance = own[0].lowercased().firstRange(of: "urn:uuid:") {
            marks.append(String(own[0].lowercased()[instance.upperBound...].prefix(36)))
        }
        for contact in listed {
            guard let life = Self.life(contact), life > request.expires, !marks.contains(where: { contact.contains($0) }) else {
                return nil
            }
        }
        return listed.count
    }

    private static func uri(_ contact: String) -> Substring {
        let text = contact.lowercased()
        let start = text.firstRange(of: "sip:")?.upperBound ?? text.firstRange(of: "sips:")?.upperBound ?? text.startIndex
        return text[start...].prefix { $0 != ">" && $0 != ";" && $0 != "?" }
    }

    private static func user(_ contact: String) -> String {
        let uri = uri(contact)
        return uri.contains("@") ? String(uri.prefix { $0 != "@" }) : ""
    }

    private static func host(_ contact: String) -> String {
        let uri = uri(contact)
        let place = uri.firstIndex(of: "@").map { uri[uri.index(after: $0)...] } ?? uri
        return place.hasPrefix("[") ? String(place.dropFirst().prefix { $0 != "]" }) : String(place.prefix { $0 != ":" })
    }

    /// The seconds a listed Contact has left.
    static func life(_ contact: String) -> UInt32? {
        guard let range = contact.firstRange(of: ";expires=") else { return nil }
        return UInt32(contact[range.upperBound...].prefix { $0.isNumber })
    }
}
