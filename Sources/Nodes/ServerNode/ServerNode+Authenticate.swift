import Base
import SIP
import SIPStack

/// Who asks: challenges and what comes back (RFC 3261 22).
extension ServerNode {
    /// The account that proved itself, or nil where the request is answered already: challenged, refused or dropped.
    mutating func authenticate(_ request: inout ServerRequest, at now: Instant) -> AccountTable.Entry? {
        let subject = DigestSubject(
            method: request.method.text.bytes, uri: request.uriText.bytes, body: request.message.body,
            callID: request.callID.bytes,
            sequence: request.cseq, origin: keys.origin(of: request.flow))
        let attempt =
            request.message.contains(.authorization)
            ? authenticator.attempt(request.message.all(.authorization).map(\.value.bytes)) : .none
        if case .none = attempt {
            let verdict = authenticator.judge(attempt, of: subject, secret: nil, at: now)
            let bare = request.attempt.map { attempts.countBare($0, cseq: request.cseq) } ?? 1
            note(&request, request.method == .register ? .registerWithoutCredentials(attempt: bare) : .request(request.method))
            challenge(&request, subject, after: verdict, at: now)
            return nil
        }
        let username: SIPText
        let nonce: ArraySlice<UInt8>
        var acceptsOtherURI = false
        switch attempt {
        case .credentials(let credentials):
            username = SIPText(credentials.accountName)
            nonce = credentials.nonce
            acceptsOtherURI = !credentials.uri.elementsEqual(subject.uri) && acceptsSigned(credentials.uri, request)
        case .none, .otherRealm, .malformed:
            username = SIPText()
            nonce = []
        }
        let guess = guesses.attempt(
            keys.text(username.bytes), on: request.flow, isIssuedHere: authenticator.isIssued(nonce, to: subject.origin))
        guard guesses.admits(guess, at: now) else {
            tally.guessesRefused &+= 1
            var reply = ReplyWriter.Reply(503)
            reply.add("Retry-After", number: 10)
            refuse(&request, reply, .guessing, at: now)
            return nil
        }
        let account = accounts[username]
        let verdict = authenticator.judge(
            attempt, of: subject, secret: account?.secret, at: now, acceptsOtherURI: acceptsOtherURI)
        // What only traces tell is not looked for while nobody listens.
        let place = traces.isOn ? request.attempt.flatMap { attempts.match($0, nonce: keys.text(nonce)) } : nil
        let isRemembered = request.attempt != nil
        let isGuess = isGuess(verdict, guess, request.flow)
        note(&request, place.map { .answers($0, verdict) } ?? (isRemembered ? .credentials(verdict) : .signed(verdict)))
        traces.note(
            .authentication(
                .init(
                    flow: request.flow, username: username, from: request.message.first(.from)?.value ?? SIPText(),
                    callID: request.callID, cseq: request.cseq, nonce: SIPText(nonce), challenge: place, verdict: verdict,
                    failure: isGuess ? account == nil ? .unknownUser : .wrongPassword : nil,
                    isChanSIP: settings.profile == .chanSIP)))
        request.isProved = verdict.provesPassword
        switch verdict {
        case .accepted(let acceptance):
            tally.accepted &+= 1
            request.isSignedElsewhere = acceptance.isURIElsewhere
            sources.vouch(for: request.flow)
            if request.flow.transport.isReliable { outbox.append(.proved(on: request.flow, by: .account)) }
            guesses.prove(guess, at: now)
            request.account = guess.account
            request.isProvedHere = guess.isIssuedHere
            if let place = request.attempt { attempts.succeed(place) }
            return account
        case .absent: challenge(&request, subject, after: verdict, at: now)
        case .stale:
            tally.stale &+= 1
            challenge(&request, subject, after: verdict, at: now)
        case .replayed:
            tally.replayed &+= 1
            challenge(&request, subject, after: verdict, at: now)
        case .wrongPassword(let failure):
            tally.wrongPassword &+= 1
            // What is signed over a nonce that is none of ours, or has expired, is never looked at: it may be anybody's in anybody's name.
            if failure.nonce == .valid, guesses.count(guess, at: now) {
                traces.note(.notice(.guessed(username: username, from: request.flow)))
                if account != nil { outbox.append(.guessed(username: username.string, from: request.flow)) }
            }
            if settings.profile == .chanSIP, failure.nonce == .valid {
                answer(&request, ReplyWriter.Reply(403, reason: "Forbidden (Bad auth)"), .refusal(status: 403), at: now)
            } else {
                challenge(&request, subject, after: verdict, at: now)
            }
        case .mangled(let mangling):
            tally.mangled &+= 1
            refuseMangled(&request, mangling, subject, verdict, at: now)
        }
        return nil
    }

    /// Whether whoever is at the flow's other end tried a password beyond doubt. chan_sip's nonces are not tied to where they went: over UDP anybody
    /// could have sent them in another's name.
    private func isGuess(_ verdict: DigestVerdict, _ guess: GuessGuard.Attempt, _ flow: FlowID) -> Bool {
        guard case .wrongPassword(let failure) = verdict, failure.nonce == .valid, guess.isIssuedHere else { return false }
        return settings.profile == .pinhole || flow.transport.isReliable
    }

    /// Whether a right digest over another URI than the Request-URI will do: both are ours, and outside REGISTER they name the same user, or
    /// the signed one none. SIPp signs our address while it asks for our domain; helpers rewrite the Request-URI.
    private func acceptsSigned(_ text: ArraySlice<UInt8>, _ request: ServerRequest) -> Bool {
        guard settings.digestURI == .lenient, case .sip(let signed)? = try? SIPURIReference(parsing: SIPText(text)),
            domains.domain(signed.host, local: request.flow.local) != nil
        else { return false }
        if request.method == .register || signed.unescapedUser == nil { return true }
        guard case .sip(let asked)? = try? request.message.requestURI() else { return false }
        return signed.unescapedUser == asked.unescapedUser
    }

    /// Only what a box on the way, or the phone's own mistake, can explain is told; anything that would tell a known user from an unknown
    /// one without the password looks like a wrong password.
    private mutating func refuseMangled(
        _ request: inout ServerRequest, _ mangling: DigestMangling, _ subject: DigestSubject, _ verdict: DigestVerdict,
        at now: Instant
    ) {
        switch mangling {
        case .malformed(let error):
            let reason = "Bad Request (credentials: \(error.reason) at byte \(error.offset))"
            refuse(&request, ReplyWriter.Reply(400, reason: reason), .credentials, at: now)
        case .requestURI, .digestURI, .qop:
            refuse(&request, ReplyWriter.Reply(400, reason: "Bad Request (\(mangling.text))"), .credentials, at: now)
        case .realm, .algorithmNotOffered, .qopNotOffered:
            challenge(&request, subject, after: verdict, at: now)
        }
    }

    private mutating func challenge(
        _ request: inout ServerRequest, _ subject: DigestSubject, after verdict: DigestVerdict, at now: Instant
    ) {
        var reply = ReplyWriter.Reply(401)
        let nonce: [UInt8]
        switch settings.profile {
        case .pinhole:
            reply.lines.reserveCapacity(320)
            nonce = authenticator.writeChallenges(for: subject, after: verdict, at: now) { head, nonce, tail in
                reply.lines.append(static: "WWW-Authenticate: ")
                reply.lines.append(contentsOf: head)
                reply.lines.append(contentsOf: nonce)
                reply.lines.append(contentsOf: tail)
                reply.lines.append(static: "\r\n")
            }
        case .chanSIP:
            let challenges = authenticator.challenges(for: subject, after: verdict, at: now)
            for challenge in challenges {
                var value = Array("Digest algorithm=MD5, realm=\"".utf8)
                value += challenge.realm
                value += "\", nonce=\"".utf8
                value += challenge.nonce
                value += (challenge.isStale ? "\", stale=true" : "\"").utf8
                reply.add("WWW-Authenticate", value)
            }
            nonce = challenges.first?.nonce ?? []
        }
        tally.challenges &+= 1
        var ordinal = 1
        var outstanding = 1
        if traces.isOn, let place = request.attempt {
            (ordinal, outstanding) = attempts.challenge(place, nonce: keys.text(nonce[...]), at: now)
        }
        traces.note(
            .challenged(
                .init(
                    flow: request.flow, callID: request.callID, cseq: request.cseq, nonce: SIPText(nonce),
                    outstanding: outstanding,
                    isStale: verdict.isStale)))
        answer(&request, reply, verdict.isStale ? .staleChallenge(ordinal: ordinal) : .challenge(ordinal: ordinal), at: now)
    }
}
