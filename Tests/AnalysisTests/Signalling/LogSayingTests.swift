import Analysis
import Base
import Capture
import Testing

@Suite("What logs say themselves")
struct LogSayingTests {
    private static func accused(_ lines: [String]) -> [FindingName] {
        LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8)).findings.filter { $0.name != .captureBlind }.map(\.name)
    }

    static func isAccusing(_ lines: [String]) -> Bool {
        LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8)).hasAccusations
    }

    private static let asterisk = "[2024-01-31 12:00:00] "
    private static let serve = "2026-11-29 10:00:00.000 "

    @Test(
        "each saying becomes the finding it is",
        arguments: [
            (
                "\(asterisk)NOTICE[7]: chan_sip.c:1 handle_request_register: Registration from '<sip:100@pbx>' failed for '198.51.100.7:5060' - Wrong password",
                FindingName.authBadDigest
            ),
            (
                "\(asterisk)NOTICE[7]: res_pjsip/pjsip_distributor.c:1 log_failed_request: Request 'REGISTER' from '<sip:100@pbx>' failed for '198.51.100.7:5060' (callid: a) - Failed to authenticate",
                .authBadDigest
            ),
            (
                "\(asterisk)NOTICE[7]: res_pjsip/pjsip_distributor.c:1 log_failed_request: Request 'REGISTER' from '<sip:100@pbx>' failed for '198.51.100.7:5060' (callid: a) - No matching endpoint found",
                .authBadDigest
            ),
            (
                "\(asterisk)NOTICE[7]: chan_sip.c:1 check_auth: Correct auth, but based on stale nonce received from '<sip:100@pbx>'",
                .authStaleLate
            ),
            (
                "\(asterisk)WARNING[7]: chan_sip.c:1 retrans_pkt: Hanging up call a@b - no reply to our critical packet (see doc).",
                .sipNoACK
            ),
            (
                "\(asterisk)WARNING[7]: chan_sip.c:1 retrans_pkt: Retransmission timeout reached on transmission a@b for seqno 102 (Critical Response) -- See doc",
                .sipNoACK
            ),
            (
                "\(asterisk)WARNING[7]: chan_sip.c:1 retrans_pkt: Retransmission timeout reached on transmission a@b for seqno 102 (Critical Request) -- See doc",
                .sipRetransmit
            ),
            (
                "2024-01-31 12:00:00.123456 [WARNING] sofia_reg.c:1793 SIP auth failure (REGISTER) on sofia profile 'internal' for [100@pbx] from ip 198.51.100.7",
                .authBadDigest
            ),
            (
                "2024-01-31 12:00:00.123456 [NOTICE] sofia.c:8273 Hangup sofia/internal/100@pbx [CS_EXECUTE] [MEDIA_TIMEOUT]",
                .mediaNone
            ),
            (
                "2024-01-31 12:00:00.123456 [NOTICE] sofia.c:8273 Hangup sofia/internal/100@pbx [CS_EXECUTE] [RECOVERY_ON_TIMER_EXPIRE]",
                .sipTimerDrop
            ),
            (
                "2024-01-31 12:00:00.123456 [WARNING] sofia_reg.c:505 prov Failed Registration [408], setting retry to 30 seconds.",
                .sipRetransmit
            ),
            (
                "2024-01-31 12:00:00.123456 [WARNING] sofia_reg.c:505 prov Failed Registration [403], setting retry to 30 seconds.",
                .sipRefused
            ),
            (
                "\(asterisk)NOTICE[7][C-07]: chan_sip.c:1 process_sdp: No compatible codecs, not accepting this offer!",
                .sdpMismatch
            ),
            (
                "\(asterisk)ERROR[7]: res_pjsip_session.c:1 handle_incoming_sdp: 100: Couldn't negotiate stream 0:audio-0:audio:sendrecv (nothing)",
                .sdpMismatch
            ),
            (
                "\(asterisk)WARNING[7][C-07]: chan_sip.c:1 handle_response_invite: Received response: \"Forbidden\" from '\"Ann\" <sip:493@prov.example>;tag=a1'",
                .sipRefused
            ),
            (
                "2024-01-31 12:00:00.123456 [NOTICE] sofia.c:8273 Hangup sofia/internal/100@pbx [CS_NEW] [INCOMPATIBLE_DESTINATION]",
                .sdpMismatch
            ),
            (
                "12:00:00.123  pjsua_acc.c  ..SIP registration error: Invalid/failed credential (PJSIP_EFAILEDCREDENTIAL) [status=171001]",
                .authBadDigest
            ),
            (
                "\(serve)100 at 198.51.100.7:40112: answers challenge 1 of 2; right password, but 1 newer challenge was sent since, and only the newest counts: stale",
                .authStaleOutOfOrder
            ),
            (
                "\(serve)100 at 198.51.100.7:40112: answers challenge 1 of 1; right password, but the nonce is 400 s old: stale",
                .authStaleLate
            ),
            (
                "\(serve)100 at 198.51.100.7:40112: right password, but count 2 of this nonce was used before: stale",
                .authNonceReuse
            ),
            (
                "\(serve)100 at 198.51.100.7:40112: answers challenge 1 of 1; wrong password (the nonce is good)",
                .authBadDigest
            ),
            (
                "\(serve)100 at 198.51.100.7:40112: answers challenge 1 of 1; right password, signed for sip:a, but the Request-URI is sip:b: rewritten on the way",
                .algRewritten
            ),
            ("\(serve)Call-ID a@b came from 198.51.100.7:40112, then 198.51.100.7:40115", .natPortJump),
            (
                "\(serve)call 3: an INVITE of 1800 bytes to 100@pbx at 198.51.100.7:40112 drew no answer, though its keepalives are answered: the way may drop fragments",
                .sipFragmented
            ),
            (
                "[2026-11-29 10:00:00.000] NOTICE: 100 at 198.51.100.7:40112: answers challenge 1 of 1; wrong password (nonce the nonce is good)",
                .authBadDigest
            ),
        ])
    func saying(line: String, name: FindingName) { #expect(Self.accused([line]) == [name]) }

    @Test("what no message can show is told beside messages, too")
    func beside() {
        let request = """
            <--- SIP read from UDP:198.51.100.7:5060 --->
            OPTIONS sip:pbx.example SIP/2.0
            Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport
            From: <sip:100@pbx.example>;tag=1
            To: <sip:pbx.example>
            Call-ID: o1
            CSeq: 1 OPTIONS
            Content-Length: 0

            <------------->
            """
        let dns = "\(Self.asterisk)WARNING[7]: acl.c:1 resolve: Unable to resolve 'sip.provider.example'"
        let stale = "\(Self.serve)100 at 198.51.100.7:40112: right password, but count 2 of this nonce was used before: stale"
        let tls =
            "\(Self.asterisk)ERROR[7]: tcptls.c:1 handle: Problem setting up ssl connection: error:0A000086:SSL routines::certificate verify failed"
        #expect(Self.accused([request, dns]) == [.dnsFailed] && Self.accused([request, stale]) == [])
        #expect(Self.accused([request, tls]) == [.tlsFailed] && Self.accused([tls]) == [.tlsFailed])
    }

    @Test("a phone that is lost and found again and again is one behind a NAT that forgets it; once lost it is off")
    func unreachable() {
        let lost = Self.asterisk + "NOTICE[7]: chan_sip.c:1 sip_poke_noanswer: Peer '100' is now UNREACHABLE!  Last qualify: 20"
        let found =
            Self.asterisk + "NOTICE[7]: chan_sip.c:1 handle_response_peerpoke: Peer '100' is now Reachable. (20ms / 2000ms)"
        #expect(Self.accused([lost, found, lost]) == [.natMappingExpired])
        #expect(!Self.isAccusing([lost]) && !Self.isAccusing([found, lost, found]))
        #expect(Self.accused([lost]) == [.sipRetransmit])
    }

    @Test("many unknown names from one place are guesses: told, and nobody's fault")
    func guesses() {
        let lines = (1...5).map {
            "\(Self.asterisk)NOTICE[7]: chan_sip.c:1 x: Registration from '\"\($0)\" <sip:\($0)@pbx>' failed for '198.51.100.7:5060' - No matching peer found"
        }
        let result = LogTests.result(Array(lines.joined(separator: "\n").utf8))
        #expect(result.findings.filter { $0.name != .captureBlind }.map(\.name) == [.authAttack])
        #expect(!result.findings.contains { $0.severity == .fault })
    }

    /// Refusals of wrong passwords: names, how often each, from where.
    private static func wrong(_ names: Int, _ times: Int, from host: String) -> [String] {
        (0..<names * times).map {
            "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Registration from '<sip:\(100 + $0 % names)@pbx>' failed for '\(host):5060' - Wrong password"
        }
    }

    @Test(
        "wrong passwords of many names from one public place, each tried once, are guesses; of phones that try again, or nearby, they are not"
    )
    func passwordGuesses() {
        #expect(Self.accused(Self.wrong(5, 1, from: "198.51.100.7")) == [.authAttack])
        #expect(Self.accused(Self.wrong(4, 1, from: "198.51.100.7")) == [.authBadDigest])
        #expect(Self.accused(Self.wrong(5, 2, from: "198.51.100.7")) == [.authBadDigest])
        #expect(Self.accused(Self.wrong(5, 1, from: "192.168.1.7")) == [.authBadDigest])
    }

    @Test("a refusal in words accuses nobody where the log shows messages, before it or behind it")
    func besideMessages() {
        let request = [
            "OPTIONS sip:pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
            "From: <sip:100@pbx.example>;tag=1",
            "To: <sip:pbx.example>", "Call-ID: m1", "CSeq: 1 OPTIONS", "Content-Length: 0", "",
        ]
        let words = Self.wrong(1, 3, from: "198.51.100.7")
        for lines in [words + request, request + words] {
            let result = LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8))
            #expect(!result.findings.contains { $0.name == .authBadDigest && $0.severity.accuses })
        }
    }

    @Test(
        "what another server did to a registration, and calls ended for want of audio",
        arguments: [
            (
                "\(asterisk)NOTICE[7]: chan_sip.c:1 sip_reg_timeout:    -- Registration for '49@carrier.example' timed out, trying again (Attempt #2)",
                FindingName.sipRetransmit
            ),
            (
                "\(asterisk)WARNING[7]: res_pjsip_outbound_registration.c:1 x: No response received from 'sip:carrier.example' on registration attempt to 'sip:49@carrier.example', retrying in '60'",
                .sipRetransmit
            ),
            (
                "\(asterisk)WARNING[7]: res_pjsip_outbound_registration.c:1 x: Fatal response '403' received from 'sip:carrier.example' on registration attempt to 'sip:49@carrier.example', stopping outbound registration",
                .sipRefused
            ),
            (
                "\(asterisk)WARNING[7]: chan_sip.c:1 x: Forbidden - wrong password on authentication for REGISTER for '49' to 'carrier.example'",
                .sipRefused
            ),
            (
                "2024-01-31 12:00:00.123456 [ERR] sofia_reg.c:2435 carrier Failed Registration with status Request Timeout [408]. failure #3",
                .sipRetransmit
            ),
            (
                "2024-01-31 12:00:00.123456 [ERR] sofia_reg.c:2435 carrier Failed Registration with status Forbidden [403]. failure #3",
                .sipRefused
            ),
            (
                "31.01.24 12:00:00 Anmeldung der Internetrufnummer 49 war nicht erfolgreich. Ursache: Gegenstelle meldet 403 Forbidden",
                .sipRefused
            ),
            ("31.01.24 12:00:00 Anmeldung der Internetrufnummer 49 war nicht erfolgreich. Ursache: DNS-Fehler", .dnsFailed),
            (
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Disconnecting call 'SIP/100-0012' for lack of RTP activity in 31 seconds",
                .mediaNone
            ),
            (
                "\(asterisk)NOTICE[7]: res_pjsip_session.c:1 x: Disconnecting channel 'PJSIP/100-0012' for lack of audio RTP activity in 30 seconds",
                .mediaNone
            ),
        ])
    func trunks(line: String, name: FindingName) { #expect(Self.accused([line]) == [name]) }

    @Test("a response that was sent in vain is no request that nobody answered")
    func nonCriticalResponse() {
        let line =
            "\(Self.asterisk)WARNING[7]: chan_sip.c:1 retrans_pkt: Retransmission timeout reached on transmission a@b for seqno 102 (Non-critical Response) -- See doc"
        #expect(Self.accused([line]).isEmpty)
    }

    @Test(
        "the same words in a chat, a body, a name, a chatty line of a debugger or a page accuse nobody",
        arguments: [
            "[12:00:01] <ann> mine says Wrong password and Hanging up call too", "It says: TLS handshake failed. What now?",
            "\(asterisk)DEBUG[7]: res_pjsip.c:1 x: TLS handshake failed, retrying",
            "\(asterisk)VERBOSE[7]: pbx.c:1 x: Playing 'no reply to our critical packet'",
            "2024-01-31 12:00:00.123456 [DEBUG] sofia.c:1 SIP auth failure test", "User-Agent: MEDIA_TIMEOUT tester",
            "2024-01-31 12:00:00.123456 [NOTICE] sofia.c:8273 Hangup sofia/internal/100@pbx [CS_EXECUTE] [NORMAL_CLEARING]",
            "\(serve)100@pbx.example registers: sip:100@192.168.1.20 over UDP 198.51.100.7:40112; the address was translated on the way",
            "\(serve)call 3: 200@pbx at 198.51.100.8:5060 rings (180)", "\(serve)2 accounts",
        ])
    func lookalikes(line: String) { #expect(Self.accused([line]).isEmpty) }

    @Test("a body that tells of failures tells nothing of this call")
    func body() {
        let text = """
            MESSAGE sip:200@pbx.example SIP/2.0
            Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1
            From: <sip:100@pbx.example>;tag=1
            To: <sip:200@pbx.example>
            Call-ID: m1
            CSeq: 1 MESSAGE
            Content-Type: text/plain
            Content-Length: 94

            [2024-01-31 12:00:00] ERROR[7]: x.c:1 x: TLS handshake failed, certificate verify failed, ok?

            """
        #expect(Self.accused([text]).isEmpty)
    }
}
