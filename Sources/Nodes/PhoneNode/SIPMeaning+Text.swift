import Base
import RegistrationClient

extension SIPMeaning {
    /// A phone's words for it.
    public var text: String {
        switch self {
        case .registersWithoutCredentials(let cseq, let cause): "REGISTER \(cseq) without credentials: \(cause.text)"
        case .registersWithKnownNonce(let cseq, let nonce, let cause):
            "REGISTER \(cseq) with the known nonce \(nonce): \(cause.text)"
        case .answersChallenge(let cseq, let number, let of, let nonce):
            "REGISTER \(cseq) answers challenge \(number) of \(of), nonce \(nonce)"
        case .deregisters(let cseq, let nonce): "REGISTER \(cseq) removes the binding" + (nonce.map { ", nonce \($0)" } ?? "")
        case .keepaliveOptions(let cseq): "OPTIONS \(cseq) keeps the path open"
        case .retransmits(let method, let cseq): "\(method) \(cseq) once more: no answer yet"
        case .answers(let code, let method): "answers \(method) with \(code)"
        case .challenge(let cseq, let number, let nonce): "401 to REGISTER \(cseq): challenge \(number), nonce \(nonce)"
        case .staleChallenge(let cseq, let number, let nonce):
            "401 to REGISTER \(cseq): password right but nonce stale; challenge \(number), nonce \(nonce)"
        case .credentialsRefused(let cseq): "REGISTER \(cseq): credentials refused"
        case .challengeIgnored(let cseq, let number, let nonce):
            "401 to REGISTER \(cseq): challenge \(number), nonce \(nonce), ignored: this attempt has answered one already"
        case .challengeUnsupported(let cseq): "REGISTER \(cseq): the challenge offers nothing this phone can answer"
        case .registered(let cseq, let expires, let seen):
            "REGISTER \(cseq) accepted for \(expires) s" + (seen.map { "; the registrar sees us as \($0)" } ?? "")
        case .deregistered(let cseq): "REGISTER \(cseq) accepted: the binding is gone"
        case .tooBrief(let cseq, let minimum):
            "REGISTER \(cseq): interval too brief" + (minimum.map { ", at least \($0) s" } ?? "")
        case .refused(let cseq, let code, let after):
            "REGISTER \(cseq) refused with \(code)" + (after.map { ", try again in \($0) s" } ?? "")
        case .provisional(let cseq, let code): "\(code) to REGISTER \(cseq): in progress"
        case .keepaliveAnswered(let code, let seen):
            "\(code): the path is open" + (seen.map { "; the registrar sees us as \($0)" } ?? "")
        case .strayResponse(let code): "\(code) answers nothing that still waits; ignored"
        case .callRequest(let method, let cseq, let again): "\(method) \(cseq)\(again ? " once more" : "")"
        case .callResponse(let code, let method): "\(code) to \(method)"
        case .request(let method): "\(method) for this phone"
        case .repeatedRequest(let method): "\(method) again; the same answer"
        case .malformed(let reason): "not understood: \(reason)"
        }
    }
}
