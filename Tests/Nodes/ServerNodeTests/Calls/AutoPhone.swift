import Base
import SIP
import ServerNode

/// A phone that acts by itself: it repeats what is not answered, answers copies with copies, talks for a while and hangs up.
///
/// RFC 3261 in its least: timers A, B, E, F, the 200 until its ACK, one call. What it does at the end is told by `state`.
final class AutoPhone {
    enum State: Equatable {
        case idle
        case calling
        case ringing
        case talking
        case over(String)
    }

    private struct Pending {
        var bytes: [UInt8]
        var next: Instant
        var interval: Duration
        var until: Instant
        var isInvite: Bool
        /// What it waits for: branch and method of a response, or `ACK`.
        var key: String
    }

    let ua: UA
    private(set) var state = State.idle
    private var pending: [Pending] = []
    /// Responses given, by branch and method.
    private var given: [String: [UInt8]] = [:]
    private var ack: [UInt8] = []
    private var answerAt: Instant?
    private var hangUpAt: Instant?
    private(set) var outbox: [[UInt8]] = []
    private var invite: SIPMessage?
    /// Whether it calls and is the one who hangs up.
    let hangsUp: Bool
    private let body: String

    init(_ ua: UA, hangsUp: Bool, body: String) {
        self.ua = ua
        self.hangsUp = hangsUp
        self.body = body
    }

    var nextDeadline: Instant? { (pending.map { min($0.next, $0.until) } + [answerAt, hangUpAt].compactMap { $0 }).min() }

    func takeOutbox() -> [[UInt8]] {
        defer { outbox = [] }
        return outbox
    }

    // MARK: Acts

    func call(_ user: String, at now: Instant) {
        state = .calling
        ua.remoteURI = "sip:\(user)@pinhole"
        ua.target = ua.remoteURI
        sendInvite(at: now)
    }

    private func sendInvite(at now: Instant) {
        let branch = "z9hG4bKauto-i\(ua.cseq)"
        ua.inviteBranch = branch
        ua.inviteSequence = ua.cseq
        let text = ua.text("INVITE", branch: branch, extra: "Supported: timer\r\n", body: body)
        repeat_(Array(text.utf8), key: "\(branch)INVITE", isInvite: true, at: now)
    }

    private func request(_ method: String, at now: Instant) {
        ua.cseq += 1
        let branch = "z9hG4bKauto-\(ua.user)-\(method)\(ua.cseq)"
        repeat_(Array(ua.text(method, branch: branch).utf8), key: "\(branch)\(method)", isInvite: false, at: now)
    }

    private func repeat_(_ bytes: [UInt8], key: String, isInvite: Bool, at now: Instant) {
        outbox.append(bytes)
        pending.append(
            Pending(
                bytes: bytes, next: now + .milliseconds(500), interval: .milliseconds(500), until: now + .seconds(32),
                isInvite: isInvite,
                key: key))
    }

    func advance(to now: Instant) {
        if let at = answerAt, at <= now, let invite {
            answerAt = nil
            state = .talking
            let bytes = Array(ua.response(200, to: invite, extra: "Supported: timer\r\n", body: body).utf8)
            given["\((try? invite.topVia.branch?.string) ?? "")INVITE"] = bytes
            repeat_(bytes, key: "ACK", isInvite: false, at: now)
        }
        if let at = hangUpAt, at <= now {
            hangUpAt = nil
            state = .over("hung up")
            request("BYE", at: now)
        }
        for index in pending.indices.reversed() {
            if pending[index].until <= now {
                let lost = pending.remove(at: index)
                if lost.key.hasSuffix("INVITE") { state = .over("no answer") }
                if lost.key == "ACK" { state = .over("no ACK") }
            } else if pending[index].next <= now {
                outbox.append(pending[index].bytes)
                pending[index].interval =
                    pending[index].isInvite ? pending[index].interval * 2 : min(pending[index].interval * 2, .seconds(4))
                pending[index].next = now + pending[index].interval
            }
        }
    }

    func receive(_ bytes: [UInt8], at now: Instant) {
        guard let message = try? SIPMessage(parsing: bytes), let cseq = try? message.cseq else { return }
        let branch = ((try? message.topVia)?.branch?.string) ?? ""
        if let status = message.statusCode {
            answered(message, status, "\(branch)\(cseq.method)", at: now)
        } else {
            asked(message, cseq.method, branch, at: now)
        }
    }

    private func answered(_ message: SIPMessage, _ status: Int, _ key: String, at now: Instant) {
        let index = pending.firstIndex { $0.key == key }
        guard key.hasSuffix("INVITE") else {
            if let index, status >= 200 { pending.remove(at: index) }
            return
        }
        if status < 200 {
            // No more copies, and no timer B: the server promised to answer.
            if let index {
                pending[index].next = pending[index].until
                pending[index].until = .distantFuture
                pending[index].next = .distantFuture
            }
            return
        }
        if status < 300 {
            if let index {
                pending.remove(at: index)
                try? ua.take(message)
                ack = Array(ua.text("ACK", cseq: ua.inviteSequence).utf8)
                state = .talking
                if hangsUp { hangUpAt = now + .seconds(3) }
            }
            outbox.append(ack)
            return
        }
        // Each copy of a refusal draws the same ACK.
        let tag = ua.remoteTag
        ua.remoteTag = (try? message.to)?.tag?.string
        let branch = String(key.dropLast(6))
        let number = Int((try? message.cseq.number) ?? 0)
        outbox.append(Array(ua.text("ACK", uri: ua.remoteURI, branch: branch, cseq: number).utf8))
        ua.remoteTag = tag
        guard let index else { return }
        pending.remove(at: index)
        guard status == 401, ua.authorization == nil else { return state = .over("\(status)") }
        let value = message.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        ua.authorization = Credentials(challenge: value).header(
            username: ua.user, password: ua.password, method: "INVITE", uri: ua.target)
        ua.cseq += 1
        sendInvite(at: now)
    }

    private func asked(_ message: SIPMessage, _ method: SIPMethod, _ branch: String, at now: Instant) {
        if method == .ack { return pending.removeAll { $0.key == "ACK" } }
        let key = "\(branch)\(method)"
        if let bytes = given[key] { return outbox.append(bytes) }
        func respond(_ status: Int) {
            let bytes = Array(ua.response(status, to: message).utf8)
            given[key] = bytes
            outbox.append(bytes)
        }
        switch method {
        case .invite:
            guard state == .idle else { return respond(486) }
            try? ua.called(by: message)
            invite = message
            state = .ringing
            answerAt = now + .seconds(2)
            respond(180)
        case .bye:
            pending.removeAll { $0.key == "ACK" }
            if state == .talking { state = .over("was hung up") }
            hangUpAt = nil
            respond(200)
        case .cancel:
            respond(200)
            guard state == .ringing, let invite else { return }
            answerAt = nil
            state = .over("cancelled")
            let bytes = Array(ua.response(487, to: invite).utf8)
            given["\((try? invite.topVia.branch?.string) ?? "")INVITE"] = bytes
            outbox.append(bytes)
        default: respond(200)
        }
    }
}
