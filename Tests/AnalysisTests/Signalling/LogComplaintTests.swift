import Analysis
import Base
import Capture
import Testing

@Suite("Single lines of many programs")
struct LogComplaintTests {
    private static func result(_ lines: [String]) -> AnalysisResult {
        LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    private static func told(_ lines: [String]) -> [FindingName] {
        result(lines).findings.filter { $0.name != .captureBlind }.map(\.name)
    }

    private static let asterisk = "[2024-01-31 12:00:00] "
    private static let freeSWITCH = "2024-01-31 12:00:00.123456 98.93% "
    private static let syslog = "Jan 31 12:00:00 sbc "

    @Test(
        "what a line says becomes the finding it is, and accuses",
        arguments: [
            (
                "[WARNING] sofia_reg.c:1 SIP auth failure (REGISTER) on sofia profile 'internal' for [100@pbx] from ip 192.0.2.7",
                .authBadDigest
            ),
            ("SIP auth failure (INVITE) on sofia profile 'internal' for [100@pbx] from ip 192.0.2.7", .authBadDigest),
            (
                "\(freeSWITCH)[WARNING] sofia_reg.c:505 carrier Failed Registration [timeout], setting retry to 30 seconds.",
                .sipRetransmit
            ),
            (
                "\(freeSWITCH)[WARNING] sofia_reg.c:505 carrier Failed Registration [904], setting retry to 30 seconds.",
                .sipRefused
            ),
            (
                "c2b8e1f0-1111-2222-3333-444455556666 \(freeSWITCH)[NOTICE] sofia.c:1 Hangup sofia/ext/1@p.example [CS_EXECUTE] [MEDIA_TIMEOUT]",
                .mediaNone
            ),
            (
                "\(freeSWITCH)[NOTICE] sofia.c:1 Hangup sofia/ext/1@p.example [CS_CONSUME_MEDIA] [NO_USER_RESPONSE]",
                .sipRetransmit
            ),
            (
                "\(freeSWITCH)[NOTICE] sofia.c:1 Hangup sofia/ext/1@p.example [CS_CONSUME_MEDIA] [NETWORK_OUT_OF_ORDER]",
                .sipRefused
            ),
            (
                "\(asterisk)VERBOSE[7][C-1] chan_sip.c:     -- Got SIP response 503 \"Service Unavailable\" back from 192.0.2.1:5060",
                .sipRefused
            ),
            ("    -- Got SIP response 488 \"Not acceptable here\" back from 192.0.2.1:5060", .sdpMismatch),
            (
                "\(asterisk)ERROR[7]: netsock2.c:1 x: getaddrinfo(\"sip.p.example\", \"(null)\", ...): Name or service not known",
                .dnsFailed
            ),
            ("\(asterisk)WARNING[7]: acl.c:1 resolve_first: Unable to lookup 'sip.p.example'", .dnsFailed),
            (
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Failed to authenticate on REGISTER to '49@p.example' (Tries 3)",
                .authBadDigest
            ),
            (
                "\(asterisk)ERROR[7]: res_pjsip_outbound_authenticator_digest.c:1 x: Endpoint: 'p' : There were no auth ids available",
                .authNoAnswer
            ),
            (
                "\(asterisk)WARNING[7]: chan_sip.c:1 x: Rejecting secure audio stream without encryption details: audio 5004",
                .srtpMismatch
            ),
            (
                "\(asterisk)ERROR[7]: tcptls.c:1 x: Unable to connect SIP socket to 192.0.2.1:5061: Connection refused",
                .tcpRefused
            ),
            (
                "\(asterisk)ERROR[7]: tcptls.c:1 x: Unable to connect SIP socket to 192.0.2.1:5061: Connection timed out",
                .tcpUnanswered
            ),
            ("\(asterisk)ERROR[7]: tcptls.c:1 x: error:0A000416:SSL routines::sslv3 alert certificate unknown", .tlsFailed),
            ("12:00:00.123            pjsua_acc.c  ....SIP registration failed, status=403 (Forbidden)", .sipRefused),
            ("12:00:00.123            pjsua_acc.c  ....SIP registration failed, status=408 (Request Timeout)", .sipRetransmit),
            (
                "12:00:00.123            pjsua_acc.c  ....SIP registration failed, status=502 (gethostbyname() has returned error (PJ_ERESOLVE))",
                .dnsFailed
            ),
            (
                "31.01.24 12:00:00 Anmeldung der Internetrufnummer 49 war nicht erfolgreich. Gegenstelle meldet Ursachencode 503",
                .sipRefused
            ),
            ("Anmeldung der Internetrufnummer 49 war nicht erfolgreich. Ursache: DNS-Fehler", .dnsFailed),
            (
                "31.01.24 12:00:00 Registration of Internet number 49 was not successful. Reason: remote site reports cause 403",
                .sipRefused
            ),
            (
                "31.01.24 12:00:00 Internettelefonie mit 03@p.example war nicht erfolgreich. Ursache: Service Unavailable (503)",
                .sipRefused
            ),
            (
                "12-Jan-2024 10:00:00.123   [CM504005]: Registration failed for: Lc:10000(@P[<sip:49@p.example:5060>]); Cause: Cause: 408 Request Timeout/REGISTER from local",
                .sipRetransmit
            ),
            (
                "12-Jan-2024 10:00:00.123   [CM102001]: Authentication failed for SipReq: REGISTER 192.168.1.5; Reason: Credentials don't match, check",
                .authBadDigest
            ),
            (
                "\(syslog)kamailio[12]: NOTICE: acc [acc.c:287]: acc_log_request(): ACC: transaction answered: timestamp=1;method=INVITE;call_id=c@d;code=408;reason=Request Timeout",
                .sipRetransmit
            ),
            (
                "\(syslog)kamailio[12]: ERROR: uac [uac_reg.c:1001]: uac_reg_tm_callback(): got sip response 403 while registering [49]",
                .sipRefused
            ),
            ("\(syslog)opensips[81]: ERROR:core:sip_resolvehost: could not resolve hostname: \"sip.p.example\"", .dnsFailed),
            (
                "<131>Jan 31 12:00:00 sua [934:1010]: REG  <3+error > [000] Account 201@pbx.example register failed, code 403 Forbidden",
                .sipRefused
            ),
            (
                "Jan 31 12:00:00 192.168.1.30 GXP2170 [1.0.11.3] SIP: Account 1 registration failed: Request timeout",
                .sipRetransmit
            ),
            (
                "Jan 31 12:00:00 snom370-SIP [NOTICE] SIP: Registration failed for 201@pbx.example: 401 Unauthorized",
                .authBadDigest
            ),
            ("Registration on sip:sip.p.example failed: no response timeout", .sipRetransmit),
            ("Registration on &lt;sip:sip.p.example&gt; failed: Forbidden", .sipRefused),
            ("reg: sip:201@pbx.example (prio 0): 401 Unauthorized (Asterisk PBX)", .authBadDigest),
            ("201@pbx.example: (prio 0): {0/UDP/v4} 403 Forbidden (kamailio)", .sipRefused),
            ("reg: sip:8001@192.168.1.200: Register: Connection timed out", .sipRetransmit),
            (
                "2024-01-31 12:00:00:251 [liblinphone] MESSAGE Proxy config [0x7] for identity [sip:1@p.example] moving from state [LinphoneRegistrationProgress] to [LinphoneRegistrationFailed] on core [0x7]",
                .sipRefused
            ),
            (
                "chan_sip.c:4271 __sip_reliable_xmit: Serious Network Trouble; __sip_xmit returns error for pkt data",
                .sipRetransmit
            ),
            (
                "Failed to send Request msg INVITE/cseq=1 (tdta0x5)! err=70018 (gethostbyname() has returned error (PJ_ERESOLVE))",
                .dnsFailed
            ),
        ] as [(String, FindingName)])
    func accuses(line: String, name: FindingName) {
        let result = Self.result([line])
        #expect(result.findings.filter { $0.severity.accuses && $0.name != .captureBlind }.map(\.name) == [name])
    }

    @Test(
        "what goes on every day is understood and accuses nobody",
        arguments: [
            [
                "\(freeSWITCH)[WARNING] sofia_reg.c:1 SIP auth challenge (REGISTER) on sofia profile 'internal' for [100@pbx] from ip 192.0.2.7"
            ],
            ["\(freeSWITCH)[NOTICE] sofia.c:1 Hangup sofia/internal/100@pbx [CS_EXECUTE] [NORMAL_CLEARING]"],
            ["\(freeSWITCH)[NOTICE] sofia.c:1 Hangup sofia/internal/100@pbx [CS_EXECUTE] [USER_BUSY]"],
            [
                "\(freeSWITCH)[NOTICE] switch_ivr_originate.c:1 Cannot create outgoing channel of type [user] cause: [USER_NOT_REGISTERED]"
            ],
            ["\(freeSWITCH)[NOTICE] sofia_reg.c:463 Registering carrier"],
            ["\(asterisk)VERBOSE[7] res_rtp_asterisk.c: 0x7f -- Strict RTP learning after remote address set to: 192.0.2.1:4000"],
            ["\(asterisk)VERBOSE[7][C-1] chan_sip.c:     -- Got SIP response 486 \"Busy Here\" back from 192.0.2.1:5060"],
            ["\(asterisk)NOTICE[7]: chan_sip.c:1 x: Peer '100' is now Lagged. (2200ms / 2000ms)"],
            ["\(asterisk)VERBOSE[7] res_pjsip/pjsip_configuration.c: Endpoint 201 is now Unreachable"],
            [
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Peer '201' is now UNREACHABLE!  Last qualify: 23",
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Peer '201' is now Reachable. (23ms / 2000ms)",
            ],
            [
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x:    -- Registration for '49@p.example' timed out, trying again (Attempt #1)",
                "\(asterisk)NOTICE[7]: chan_sip.c:1 x: Outbound Registration: Expiry for p.example is 120 sec (Scheduling reregistration in 105 s)",
            ],
            [
                "\(asterisk)NOTICE[7][C-1]: chan_sip.c:1 x: Call from '' (192.0.2.77:5071) to extension '900441' rejected because extension not found in context 'default'."
            ],
            [
                "\(asterisk)NOTICE[7]: res_pjsip/pjsip_distributor.c:1 x: Request 'INVITE' from '<sip:1@192.0.2.1>' failed for '192.0.2.77:5071' (callid: a) - No matching endpoint found"
            ],
            [
                "\(syslog)kamailio[12]: NOTICE: acc [acc.c:287]: ACC: transaction answered: timestamp=1;method=INVITE;call_id=c@d;code=200;reason=OK"
            ],
            [
                "\(syslog)kamailio[12]: NOTICE: acc [acc.c:287]: ACC: call missed: timestamp=1;method=INVITE;call_id=c@d;code=404;reason=Not Found"
            ],
            [
                "\(syslog)kamailio[12]: WARNING: pike [pike_funcs.c:152]: pike_check_req(): PIKE - BLOCKing ip 192.0.2.77, node=0x7f"
            ],
            [
                "12:00:00.123            pjsua_acc.c  ....sip:201@pbx.example: registration success, status=200 (OK), will re-register in 300 s"
            ],
            ["31.01.24 12:00:00 Internettelefonie mit 03@p.example war nicht erfolgreich. Ursache: Busy Here (486)"],
            [
                "12-Jan-2024 10:00:00.123   [CM504001]: Ext.100: new contact is registered. Contact(s): [sip:100@192.168.1.20:5060]"
            ],
            ["    -- Contact 6006/sip:3t96@192.0.2.1:50528;transport=ws is now Unreachable.  RTT: 0.000 msec"],
            ["\(asterisk)WARNING[8447][C-1] Ext. s: \"Rejecting unknown SIP connection from 192.0.2.61:52126\""],
            ["doorpi01@fritz.box: (prio 0) {0/UDP/v4} 200 OK () [1 binding]"],
            ["\(freeSWITCH)[WARNING] sofia.c:6417 Ping failed test with code 408 - count 1/0/1, state DOWN"],
            [
                "2024-01-31 12:00:00:251 [liblinphone] MESSAGE Proxy config [0x7] for identity [sip:1@p.example] moving from state [LinphoneRegistrationFailed] to [LinphoneRegistrationProgress] on core [0x7]"
            ],
            ["201@pbx.example: {0/UDP/v4} 200 OK (Asterisk PBX 13.1.0) [1 binding]"],
        ])
    func everyday(lines: [String]) {
        let result = Self.result(lines)
        #expect(result.hasSubject && !result.hasAccusations)
        #expect(!result.verdict.contains("nothing to judge"))
    }

    @Test(
        "people's sentences about a log, other programs' registrations, dialplans and numbers that are no status are no evidence",
        arguments: [
            "[12:01:22] anna: my phone says Registration failed 403, what can I do?",
            "Hi all, I get SIP registration failed, status=403 (Forbidden) when I use the old password. Fixed now, thanks.",
            "12:01 <bob> it wrote \"Retransmission timeout reached on transmission abc (Critical Response)\" all day",
            "Jan 31 12:00:00 node1 consul[81]: agent: service registration failed: connection refused",
            "\(asterisk)VERBOSE[7][C-1] pbx.c: Executing [100@x:1] NoOp(\"SIP/201-1\", \"call failed with 503\") in new stack",
            "\(asterisk)DEBUG[7]: res_pjsip.c:1 x: SIP registration failed, status=403",
            "Registration on sip:sip.p.example failed: Forbidden - has anybody seen this?",
        ])
    func lookalikes(line: String) { #expect(Self.told([line]).isEmpty) }

    @Test("a number that is an extension's is no status; the cause behind it is")
    func extensions() {
        #expect(
            Self.told(["Jan 31 12:00:00 phone sip: Registration failed for 404@pbx.example: Request Timeout"]) == [.sipRetransmit]
        )
        #expect(Self.told(["Jan 31 12:00:00 phone sip: Registration of account 503 failed: Unauthorized"]) == [.authBadDigest])
    }

    @Test("the status and the account stand in the summary")
    func summary() {
        let line = "12:00:00.123            pjsua_acc.c  ....SIP registration of 201@pbx.example failed, status=403 (Forbidden)"
        let summary = Self.result([line]).findings.first { $0.name == .sipRefused }?.summary ?? ""
        #expect(summary.contains("403 Forbidden") && summary.contains("201@pbx.example"))
    }

    @Test("what another line says the reason of is not told once more")
    func clearer() {
        let why =
            "2024-01-31 12:00:00:251 [liblinphone] MESSAGE Register refresher [401] reason [Unauthorized] for proxy [<sip:p.example>]"
        let that =
            "2024-01-31 12:00:00:252 [liblinphone] MESSAGE Proxy config [0x7] for identity [sip:1@p.example] moving from state [LinphoneRegistrationProgress] to [LinphoneRegistrationFailed] on core [0x7]"
        #expect(Self.told([why, that]) == [.authBadDigest])
    }

    @Test("a registration that is lost and taken again and again is a fault, once it is over a note")
    func flapping() {
        let lost =
            "\(Self.asterisk)NOTICE[7]: chan_sip.c:1 x:    -- Registration for '49@p.example' timed out, trying again (Attempt #1)"
        let taken =
            "\(Self.asterisk)NOTICE[7]: chan_sip.c:1 x: Outbound Registration: Expiry for p.example is 120 sec (Scheduling in 105 s)"
        #expect(!LogSayingTests.isAccusing([lost, taken]) && LogSayingTests.isAccusing([lost, taken, lost]))
        #expect(LogSayingTests.isAccusing([lost, taken, lost, taken, lost, taken]))
    }

    @Test("beside messages such words accuse nobody: those tell it better")
    func besideMessages() {
        let request = [
            "OPTIONS sip:pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
            "From: <sip:100@pbx.example>;tag=1",
            "To: <sip:pbx.example>", "Call-ID: m1", "CSeq: 1 OPTIONS", "Content-Length: 0", "",
        ]
        let words = ["    -- Got SIP response 503 \"Service Unavailable\" back from 192.0.2.1:5060"]
        #expect(!LogSayingTests.isAccusing(words + request) && !LogSayingTests.isAccusing(request + words))
    }
}
