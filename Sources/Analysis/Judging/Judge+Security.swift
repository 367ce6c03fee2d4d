import Base
import Capture

/// srtp.mismatch: what the two descriptions of a call say of protection does not fit.
extension Judge {
    /// An exchange whose ends agree on no protection, and whether a later one of the same call does.
    struct Unprotected {
        var offer: Int
        var answer: Int
        var fault: SecurityFault
        var isMended = false
    }

    /// Takes in one more exchange of a call, in order.
    static func protection(
        _ known: inout Unprotected?, _ offerIndex: Int, _ index: Int, _ c: DialogCase, _ table: SignallingTable
    ) {
        let (asked, step) = (c.steps[offerIndex], c.steps[index])
        guard let offer = table.description(asked), let answer = table.description(step) else { return }
        let isCut = asked.flags.contains(.truncated) || step.flags.contains(.truncated)
        let isWire = asked.record.place.kind != .line && step.record.place.kind != .line
        let fault = isCut ? nil : SecurityFault.between(offer, answer, isWire: isWire)
        guard known == nil else {
            if fault == nil, !isCut, offer.port != 0, answer.port != 0 { known?.isMended = true }
            return
        }
        guard let fault, !fallsBack(asked, fault, table) else { return }
        // Roles count for a handshake, and a later description keeps the one that was (RFC 5763 6.6).
        if fault.kind == .roles, c.steps[..<offerIndex].contains(where: { !$0.isRequest && $0.sdp >= 0 }) { return }
        known = Unprotected(offer: offerIndex, answer: index, fault: fault)
    }

    /// Some say in a header field that plain RTP will do, too.
    private static func fallsBack(_ asked: Step, _ fault: SecurityFault, _ table: SignallingTable) -> Bool {
        guard fault.kind == .profile, let bytes = Self.bytes(asked, table) else { return false }
        return String(decoding: bytes, as: UTF8.self).lowercased().contains("srtp-fallback")
    }

    mutating func report(_ found: Unprotected, _ c: inout DialogCase, _ table: SignallingTable) {
        let (asked, step, fault) = (c.steps[found.offer], c.steps[found.answer], found.fault)
        let severity: Severity = found.isMended ? .note : .fault
        let copy = c
        let make = {
            Finding(
                .srtpMismatch, severity, "The two ends of the call do not protect its media in the same way: \(fault.why).",
                details: found.isMended ? ["A later exchange of the call agrees."] : [],
                evidence: [
                    Self.evidence(asked, table, ["m", "CSeq"], "the offer"),
                    Self.evidence(step, table, ["m", "CSeq"], "the answer"),
                ], confidence: .proved, remedies: [Remedy(.server, fault.remedy)], subject: Self.subject(copy, step, table))
        }
        let server = c.server(step, table).address
        let variant = UInt64(fault.kind.rawValue)
        switch fault.kind {
        case .fingerprint, .roles:
            draft(.noHandshake(dialog: c.number), .srtpMismatch, severity, variant: variant, &c, server: server, make)
        case .profile, .keys, .suite:
            report(.srtpMismatch, severity, variant: variant, &c, server: server, make)
        }
    }

    /// A refusal by 488 or 606 that has to do with encryption: it says so, the same media passed with another protection, or nothing else
    /// can be meant, as everybody has G.711.
    func isAboutSecurity(_ refusal: Int, _ asked: Int, wasUp: Bool, _ c: DialogCase, _ table: SignallingTable) -> Bool {
        guard let offer = table.description(c.steps[asked]), offer.isWhole, offer.isAudio, offer.audioCount == 1 else {
            return false
        }
        let said = Self.bytes(c.steps[refusal], table).map(Self.reasons) ?? ""
        if ["srtp", "crypto", "encrypt", "savp", "dtls", "fingerprint"].contains(where: said.contains) { return true }
        for (index, step) in c.steps.enumerated() where index > refusal && step.isRequest && step.method == .invite {
            guard let other = table.description(step), other.isAudio, other.audioCount == 1, other.sharesFormat(with: offer),
                let answer = c.response(to: step, from: index), c.steps[answer].status < 300
            else { continue }
            return other.isSecure != offer.isSecure
        }
        return offer.isSecure && !wasUp && !said.contains("codec") && offer.formats.low & (1 << 0 | 1 << 8) != 0
    }

    /// Reason phrase, Warning and Reason, in lower case.
    private static func reasons(_ bytes: [UInt8]) -> String {
        let fields = MessageExcerpt.fields(bytes).filter { ["Warning", "Reason"].contains($0.name) }
        return ([MessageExcerpt.firstLine(bytes)] + fields.map(\.value)).joined(separator: " ").lowercased()
    }
}
