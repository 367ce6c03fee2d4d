import Base
import Capture

extension Judge {
    /// A registrar says that an account already has as many Contacts as it may have.
    ///
    /// Some say so in the reason phrase, Kamailio in a header field of its own. Too many *attempts* are a ban.
    func isContactLimit(_ answer: Step, _ table: SignallingTable) -> Bool {
        guard !answer.isRequest, answer.method == .register, answer.status >= 400, let bytes = Self.bytes(answer, table) else {
            return false
        }
        let phrase = Self.words(answer, table).drop { $0 != " " }.dropFirst()
        let own = MessageExcerpt.value(of: "P-Registrar-Error", in: bytes)
        return [String(phrase), own].compactMap { $0 }.contains { text in
            let text = text.lowercased()
            func has(_ words: [String]) -> Bool { words.contains { text.contains($0) } }
            return has(["contact", "registration", "binding", "device", "registered"])
                && has(["too many", "maximum", "max ", "limit", "exceed", "number of"])
                && !has(["attempt", "fail", "password", "invalid", "interval", "expire", "request", "rate limit"])
        }
    }

    /// The registrar's own limit: the password was right, and other devices or old bindings of the account take all places.
    func tooManyContacts(_ plain: Finding, _ sender: PackedEndpoint) -> Finding {
        var finding = plain
        let registrar = Self.name(sender)
        finding.summary =
            String(plain.summary.dropLast()) + ": the account already has as many Contacts there as it may have."
        finding.details.insert(
            "This is the registrar's limit and says nothing of the password: other devices, or old registrations of the same phone, take the places.",
            at: 0)
        finding.culprit = .proved(registrar)
        finding.remedies = [
            Remedy(
                .server,
                "Let \(registrar) keep more Contacts of that account, or let a new one replace the oldest; remove the old ones now.",
                commands: [
                    "Asterisk pjsip: max_contacts=, remove_existing=yes in the aor",
                    "Kamailio: registrar max_contacts",
                ]),
            Remedy(
                .phone, "Log off devices of that account that are no longer used, or wait until their registrations run out."),
        ]
        return finding
    }
}
