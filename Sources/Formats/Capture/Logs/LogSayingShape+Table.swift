/// What programs write.
extension LogSayingShape {
    static let table: [LogSayingShape] = asterisk + freeSWITCH + others + ours

    private static let asterisk: [LogSayingShape] = [
        LogSayingShape(saying: .registered, place: .tells, words: ["Registered SIP '"], subject: "Registered SIP "),
        LogSayingShape(saying: .registered, place: .tells, words: ["Added contact '", "to AOR '"], subject: "to AOR "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Hanging up call ", "no reply to our critical packet"], subject: "call "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Retransmission timeout reached on transmission ", "(Critical Response)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Maximum retries exceeded on transmission ", "(Critical Response)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .noAnswer, place: .opens, words: ["Retransmission timeout reached on transmission ", "(Critical Request)"],
            subject: "on transmission "
        ),
        LogSayingShape(
            saying: .noAnswer, place: .opens, words: ["Maximum retries exceeded on transmission ", "(Critical Request)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .asideUnanswered, place: .opens,
            words: ["Retransmission timeout reached on transmission ", "(Non-critical Request)"],
            subject: "on transmission "
        ),
        LogSayingShape(
            saying: .asideUnanswered, place: .opens,
            words: ["Maximum retries exceeded on transmission ", "(Non-critical Request)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .mediaTimeout, place: .opens, words: ["Disconnecting call '", "for lack of RTP activity"],
            subject: "Disconnecting call "),
        LogSayingShape(
            saying: .mediaTimeout, place: .opens, words: ["Disconnecting channel '", "for lack of ", "RTP activity"],
            subject: "Disconnecting channel "),
        LogSayingShape(
            saying: .trunkSilent, place: .opens, words: ["Registration for '", "' timed out, trying again"],
            subject: "Registration for "),
        LogSayingShape(
            saying: .trunkSilent, place: .opens, words: ["No response received from '", "' on registration attempt to '"],
            subject: "attempt to "),
        LogSayingShape(
            saying: .trunkRefused, place: .opens, words: ["Forbidden - wrong password on authentication for REGISTER for '"],
            subject: "REGISTER for "),
        LogSayingShape(
            saying: .trunkRefused, place: .opens, words: ["Fatal response '"], subject: "attempt to ", topic: .registration),
        LogSayingShape(
            saying: .trunkRefused, place: .opens, words: ["Temporal response '"], subject: "attempt to ", topic: .registration),
        LogSayingShape(saying: .unreachable, place: .opens, words: ["Peer '", "is now UNREACHABLE"], subject: "Peer "),
        LogSayingShape(saying: .reachable, place: .opens, words: ["Peer '", "is now Reachable"], subject: "Peer "),
        LogSayingShape(saying: .unreachable, place: .tells, words: ["Contact ", " is now Unreachable"], subject: "Contact "),
        LogSayingShape(saying: .reachable, place: .tells, words: ["Contact ", " is now Reachable"], subject: "Contact "),
        LogSayingShape(saying: .unreachable, place: .tells, words: ["Endpoint ", " is now Unreachable"], subject: "Endpoint "),
        LogSayingShape(saying: .reachable, place: .tells, words: ["Endpoint ", " is now Reachable"], subject: "Endpoint "),
        LogSayingShape(
            saying: .callForbidden, place: .opens, words: ["Received response: \"Forbidden\" from '"], subject: "<sip:"),
        LogSayingShape(saying: .incompatibleMedia, place: .opens, words: ["No compatible codecs, not accepting this offer!"]),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: [": Couldn't negotiate stream "]),
        LogSayingShape(
            saying: .trunkSilent, place: .opens, words: ["Maximum retries reached when attempting outbound registration to '"],
            subject: "client "),
        LogSayingShape(
            saying: .credentialsDenied, place: .opens, words: ["Failed to authenticate on REGISTER to '"], subject: "to "),
        LogSayingShape(saying: .callForbidden, place: .opens, words: ["Failed to authenticate on INVITE to '"], subject: "to "),
        LogSayingShape(saying: .wrongPassword, place: .opens, words: ["Failed to authenticate device "], subject: "device "),
        LogSayingShape(saying: .credentialsMissing, place: .graveLine, words: ["There were no auth ids available"]),
        LogSayingShape(saying: .credentialsMissing, place: .graveLine, words: ["No auth credentials for any realm"]),
        LogSayingShape(
            saying: .registrationTaken, place: .opens, words: ["Outbound Registration: Expiry for "], subject: "Expiry for "),
        LogSayingShape(
            saying: .everyday, place: .alone, words: ["Got SIP response ", " back from "], subject: "back from ", topic: .call,
            isBehindFirst: true),
        LogSayingShape(saying: .slow, place: .opens, words: ["Peer '", "is now Lagged"], subject: "Peer "),
        LogSayingShape(
            saying: .guessed, place: .opens,
            words: ["Call from '", "' (", ") to extension '", "rejected because extension not found"],
            origin: "' ("),
        LogSayingShape(
            saying: .guessed, place: .graveLine, words: ["\"Rejecting unknown SIP connection from "], origin: "connection from "),
        LogSayingShape(saying: .guessed, place: .opens, words: ["Sending fake auth rejection for "], subject: "for "),
        LogSayingShape(
            saying: .wrongPassword, place: .marked, words: ["SecurityEvent=\"InvalidPassword\"", "RemoteAddress="],
            subject: "AccountID=", origin: "RemoteAddress=\""),
        LogSayingShape(
            saying: .wrongPassword, place: .marked, words: ["SecurityEvent=\"ChallengeResponseFailed\"", "RemoteAddress="],
            subject: "AccountID=", origin: "RemoteAddress=\""),
        LogSayingShape(
            saying: .unknownUser, place: .marked, words: ["SecurityEvent=\"InvalidAccountID\"", "RemoteAddress="],
            subject: "AccountID=", origin: "RemoteAddress=\""),
        LogSayingShape(saying: .guessed, place: .marked, words: ["SecurityEvent=\"FailedACL\""]),
        LogSayingShape(saying: .everyday, place: .marked, words: ["SecurityEvent=\"ChallengeSent\""]),
        LogSayingShape(saying: .everyday, place: .marked, words: ["SecurityEvent=\"SuccessfulAuth\""]),
        LogSayingShape(saying: .everyday, place: .marked, words: ["Strict RTP "]),
        LogSayingShape(saying: .absent, place: .graveLine, words: ["Unable to create channel of type '", "(cause 20 - "]),
        LogSayingShape(saying: .absent, place: .graveLine, words: ["Unable to create channel of type '", "(cause 3 - "]),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: ["Unable to find a codec translation path"]),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: ["No path to translate from "]),
        LogSayingShape(
            saying: .protectionMismatch, place: .graveLine, words: ["Rejecting secure ", " stream without encryption details"]),
        LogSayingShape(
            saying: .protectionMismatch, place: .graveLine, words: ["requesting SRTP for ", "but they responded without it"]),
        LogSayingShape(
            saying: .protectionMismatch, place: .graveLine, words: ["Matched device setup to use SRTP, but request was not"]),
        LogSayingShape(saying: .unsendable, place: .graveLine, words: ["sip_xmit of ", " returned -"]),
        LogSayingShape(
            saying: .unsendable, place: .anywhere, words: ["Serious Network Trouble; __sip_xmit returns error for pkt data"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["getaddrinfo(\"", "): "]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Unable to lookup '"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Unable to look up '"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["No such host: "]),
    ]

    private static let freeSWITCH: [LogSayingShape] = [
        LogSayingShape(
            saying: .wrongPassword, place: .alone, words: ["SIP auth failure (", ") on sofia profile '"], subject: "for ",
            origin: "from ip "),
        LogSayingShape(saying: .everyday, place: .alone, words: ["SIP auth challenge (", ") on sofia profile '"]),
        LogSayingShape(
            saying: .unknownUser, place: .opens, words: ["Can't find user [", "] from "], subject: "user ", origin: "] from "),
        LogSayingShape(saying: .wrongPassword, place: .opens, words: ["SIP auth failure"], subject: "for "),
        LogSayingShape(saying: .mediaTimeout, place: .graveLine, words: ["[MEDIA_TIMEOUT]"], subject: "Hangup "),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: ["[INCOMPATIBLE_DESTINATION]"], subject: "Hangup "),
        LogSayingShape(
            saying: .registrationUnclear, place: .graveLine, words: [" Failed Registration with status "], subject: "",
            topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .graveLine, words: [" Failed Registration ["], subject: "", topic: .registration),
        LogSayingShape(saying: .trunkSilent, place: .opens, words: ["Timeout Registering "], subject: "Registering "),
        LogSayingShape(saying: .everyday, place: .opens, words: ["Registering "]),
        LogSayingShape(saying: .everyday, place: .opens, words: ["UN-Registering "]),
        LogSayingShape(saying: .unreachable, place: .opens, words: ["Ping failed ", " with code "], subject: "Ping failed "),
        LogSayingShape(saying: .reachable, place: .opens, words: ["Ping succeeded ", " with code "], subject: "Ping succeeded "),
        LogSayingShape(saying: .timerExpired, place: .graveLine, words: ["[RECOVERY_ON_TIMER_EXPIRE]"], subject: "Hangup "),
        LogSayingShape(saying: .callSilent, place: .graveLine, words: ["[NO_USER_RESPONSE]"], subject: "Hangup "),
        LogSayingShape(saying: .absent, place: .graveLine, words: ["[USER_NOT_REGISTERED]"], subject: "Hangup "),
        LogSayingShape(saying: .absent, place: .graveLine, words: ["[SUBSCRIBER_ABSENT]"], subject: "Hangup "),
        LogSayingShape(saying: .numberUnknown, place: .graveLine, words: ["[UNALLOCATED_NUMBER]"], subject: "Hangup "),
        LogSayingShape(saying: .numberUnknown, place: .graveLine, words: ["[INVALID_NUMBER_FORMAT]"], subject: "Hangup "),
        LogSayingShape(saying: .numberUnknown, place: .graveLine, words: ["[NO_ROUTE_DESTINATION]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[NETWORK_OUT_OF_ORDER]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[DESTINATION_OUT_OF_ORDER]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[NORMAL_TEMPORARY_FAILURE]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[GATEWAY_DOWN]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[SWITCH_CONGESTION]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[NORMAL_CIRCUIT_CONGESTION]"], subject: "Hangup "),
        LogSayingShape(saying: .callRefused, place: .graveLine, words: ["[EXCHANGE_ROUTING_ERROR]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[NORMAL_CLEARING]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[USER_BUSY]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[NO_ANSWER]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[ORIGINATOR_CANCEL]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[LOSE_RACE]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[CALL_REJECTED]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[ATTENDED_TRANSFER]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[BLIND_TRANSFER]"], subject: "Hangup "),
        LogSayingShape(saying: .everyday, place: .graveLine, words: ["[PICKED_OFF]"], subject: "Hangup "),
    ]

    private static let others: [LogSayingShape] = [
        // FRITZ!Box.
        LogSayingShape(
            saying: .registrationUnclear, place: .alone, words: ["Anmeldung der Internetrufnummer ", " nicht erfolgreich"],
            subject: "Internetrufnummer ", topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .alone, words: ["Registration of ", "nternet", "number ", "not successful"],
            subject: "number ", topic: .registration),
        LogSayingShape(
            saying: .everyday, place: .alone, words: ["Internettelefonie mit ", " nicht erfolgreich"], subject: "mit ",
            topic: .call),
        LogSayingShape(
            saying: .everyday, place: .alone, words: ["La telefonia via Internet ", " fallita. Causa: "], topic: .call),
        LogSayingShape(
            saying: .everyday, place: .alone, words: ["Internet telephony ", "not successful"], topic: .call),
        // pjsip.
        LogSayingShape(saying: .wrongPassword, place: .dated, words: ["(PJSIP_EFAILEDCREDENTIAL)"]),
        // OpenSSL within any of them.
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["certificate verify failed"]),
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["alert unknown ca"]),
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["alert certificate unknown"]),
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["alert bad certificate"]),
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["alert certificate expired"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["handshake failure"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["TLS handshake failed"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["SSL_accept failed"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["no shared cipher"]),
        // Resolvers.
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Unable to resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["could not resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Could not resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .dated, words: ["(PJLIB_UTIL_EDNS"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Failed to resolve "]),
        // Kamailio and OpenSIPS.
        LogSayingShape(
            saying: .registrationUnclear, place: .graveLine, words: ["got sip response ", "while registering"],
            topic: .registration, isBehindFirst: true),
        LogSayingShape(
            saying: .everyday, place: .marked, words: ["ACC: ", "method=INVITE", "code="], topic: .call),
        LogSayingShape(saying: .guessed, place: .graveLine, words: ["PIKE - BLOCKing ip "], origin: "ip "),
        LogSayingShape(saying: .unsendable, place: .graveLine, words: ["sendto(", "Operation not permitted"]),
        LogSayingShape(saying: .unsendable, place: .graveLine, words: ["sendto(", "Network is unreachable"]),
        LogSayingShape(saying: .connectionSilent, place: .graveLine, words: ["tcp_connect_blocking: timeout "]),
        // Streams of any program.
        LogSayingShape(saying: .connectionRefused, place: .marked, words: ["connect() error: Connection refused"]),
        LogSayingShape(saying: .connectionSilent, place: .marked, words: ["connect() error: Connection timed out"]),
        LogSayingShape(saying: .connectionRefused, place: .graveLine, words: ["onnect", "Connection refused"]),
        LogSayingShape(saying: .connectionSilent, place: .graveLine, words: ["onnect ", ": Connection timed out"]),
        // Phones.
        LogSayingShape(saying: .everyday, place: .marked, words: ["OnRegState: "], topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .marked,
            words: ["for identity [", "] moving from state [", "] to [LinphoneRegistrationFailed]"], subject: "for identity "),
        LogSayingShape(
            saying: .registrationTaken, place: .marked,
            words: ["for identity [", "] moving from state [", "] to [LinphoneRegistrationOk]"], subject: "for identity "),
        LogSayingShape(saying: .everyday, place: .marked, words: ["] moving from state [LinphoneRegistration"]),
        LogSayingShape(
            saying: .unsendable, place: .anywhere, words: ["Failed to send Request msg ", "err="], topic: .call),
        LogSayingShape(
            saying: .everyday, place: .marked, words: ["is DISCONNECTED [reason="], topic: .call),
        LogSayingShape(saying: .everyday, place: .marked, words: ["Ext.", ": new contact is registered"]),
        LogSayingShape(saying: .everyday, place: .marked, words: ["Call(", ": Call is terminated"]),
        LogSayingShape(
            saying: .everyday, place: .marked, words: ["Call(", "Attempt to reach ", " failed. Reason: "], topic: .call),
        LogSayingShape(
            saying: .wrongPassword, place: .marked, words: ["Authentication failed for SipReq: ", "Credentials don't match"],
            subject: "contact="),
        LogSayingShape(
            saying: .registrationUnclear, place: .alone, words: ["Registration on ", "sip:", " failed: "], subject: "sip:",
            topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .anywhere, words: ["@", " {", "/v4} "], subject: "", topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .anywhere, words: ["@", " {", "/v6} "], subject: "", topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .alone, words: ["reg: sip:", ": Register: "], subject: "sip:",
            topic: .registration),
        LogSayingShape(
            saying: .registrationUnclear, place: .alone, words: ["reg: sip:", " (prio ", "): "], subject: "sip:",
            topic: .registration),
    ]

    /// `pinhole serve`.
    private static let ours: [LogSayingShape] = [
        LogSayingShape(
            saying: .supersededNonce, place: .dated,
            words: [": answers challenge ", "; right password, but ", "only the newest counts: stale"]),
        LogSayingShape(saying: .staleNonce, place: .dated, words: ["; right password, but the nonce ", ": stale"]),
        LogSayingShape(saying: .staleNonce, place: .dated, words: [": right password, but the nonce ", ": stale"]),
        LogSayingShape(
            saying: .reusedNonce, place: .dated, words: ["right password, but count ", " of this nonce was used before: stale"]),
        LogSayingShape(saying: .wrongPassword, place: .dated, words: [" at ", ": ", "wrong password ("]),
        LogSayingShape(
            saying: .unknownUser, place: .dated, words: [" at ", ": ", "unknown user, answered like a wrong password"]),
        LogSayingShape(saying: .rewritten, place: .dated, words: ["right password, signed for ", ": rewritten on the way"]),
        LogSayingShape(saying: .portJump, place: .dated, words: ["Call-ID ", " came from ", ", then "], subject: "Call-ID "),
        LogSayingShape(
            saying: .unreachable, place: .dated,
            words: [" cannot be reached any more: ", " OPTIONS in a row over ", " went unanswered"]),
        LogSayingShape(saying: .reachable, place: .dated, words: [" answers again over "]),
        LogSayingShape(
            saying: .fragmentsLost, place: .dated,
            words: ["an INVITE of ", " drew no answer, though ", "the way ", " fragments"]),
    ]
}
