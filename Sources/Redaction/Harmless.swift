/// What is known to tell of nobody: the words of the protocols and of their registries.
enum Harmless {
    static func set(_ text: String) -> Set<String> {
        Set(text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init))
    }

    static let methods = set(
        "INVITE ACK BYE CANCEL REGISTER OPTIONS PRACK UPDATE INFO MESSAGE SUBSCRIBE NOTIFY REFER PUBLISH GET POST PUT DELETE HEAD PATCH"
    )

    /// Domains under which everybody is or nobody (RFC 2606, RFC 6761, RFC 8375), and the oldest of all.
    static let domains = set(
        "com org net edu gov mil int info biz arpa local localhost localdomain lan home internal invalid example test")

    /// Names that say: nobody in particular.
    static let nobody = set("localhost anonymous unknown unavailable restricted null none invalid")

    static let schemes = set(
        "sip sips tel urn http https mailto im pres cid data msrp msrps ws wss xmpp h323 ftp file mid geo about")

    /// Tokens of values that are taken from closed sets: transports, digest, option tags, event packages, media types, priorities.
    static let tokens = set(
        """
        sip sips udp tcp tls sctp ws wss dtls tls-sctp digest basic bearer ntlm kerberos negotiate aka akav1-md5 akav2-md5 md5 md5-sess
        sha-256 sha-256-sess sha-512-256 sha-512-256-sess sha sha1 auth auth-int true false yes no on off none phone ip dialog uac uas
        sigcomp invite ack bye cancel register options prack update info message subscribe notify refer publish ping service
        100rel 199 answermode early-session eventlist explicitsub from-change geolocation-http geolocation-sip gin gruu histinfo ice join
        multiple-refer norefersub nosub outbound path policy precondition pref privacy recipient-list-invite recipient-list-message
        recipient-list-subscribe record-aware replaces resource-priority sdp-anat sec-agree session-parameters siprec tdialog timer
        trickle-ice uui mediasec callerid in-band-dtmf com.nortelnetworks.firewall
        addr-spec call-completion conference consent-pending-additions certificate credential debug dialog.winfo http-monitor kpml
        load-control message-summary poc-settings presence presence.winfo presencelist reg ua-profile vq-rtcpxr xcap-diff xcon as-feature-event
        keep-alive keepalive call-info line-seize x-broadworks-dnd hold park talk sla aastra-xml check-sync winfo dtmf-relay dtmf
        application sdp multipart mixed related alternative signed text plain html xml message sipfrag cpim external-body audio video image
        pidf+xml simple-message-summary dialog-info+xml reginfo+xml rlmi+xml resource-lists+xml conference-info+xml watcherinfo+xml
        media_control+xml rls-services+xml load-control+xml vq-rtcpxr im-iscomposing+xml isup qsig csta+xml vnd.3gpp.cw+xml pkcs7-mime
        pkcs7-signature octet-stream x-private
        render session icon alert handling optional required early-session by-reference recording-session signal
        gzip deflate identity compress x-gzip binary base64 8bit 7bit quoted-printable utf-8 us-ascii iso-8859-1 en en-us en-gb
        active pending terminated deactivated probation rejected timeout giveup noresource invariant
        user header critical id history full uri name ipaddr calling called proxy redirect fork no-fork recurse no-recurse parallel
        sequential queue no-queue cancel no-cancel emergency urgent normal non-urgent
        manual auto automatic supported sendrecv sendonly recvonly inactive gated mobile fixed automata isfocus voicemail duplex half
        receive-only send-only business personal attendant explicit require
        unconditional user-busy no-answer unavailable do-not-disturb deflection away follow-me out-of-service time-of-day
        q.850 preemption release_cause fe stir card info impp purpose refresher
        mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec gmt utc
        3gpp-geran 3gpp-utran-fdd 3gpp-utran-tdd 3gpp-e-utran-fdd 3gpp-e-utran-tdd 3gpp-nr-fdd 3gpp-nr-tdd ieee-802.11 ieee-802.11a
        ieee-802.11b ieee-802.11g ieee-802.11n adsl dsl vdsl docsis ieee-802.3 ethernet network-provided
        tls-1 ipsec-3gpp ipsec-ike ipsec-man hmac-md5-96 hmac-sha-1-96 aes-cbc des-ede3-cbc esp ah trans tun
        websocket upgrade close sip/2.0 es256 passport rs256 ppt shaken div uuid * sos ietf params network originator remote local
        """)

    /// Words that a reason phrase, a Warning, a Reason or a line of a log says what went wrong with.
    static let diagnosis = set(
        """
        a an and are as at be been but by can cannot could did do does for from has have in into is it its may more must no not of on only
        or out over than that the there this to too under up was were when will with without you your
        ok error failed failure fail fails failing timeout timed time wrong password bad invalid incorrect stale nonce authentication auth
        authorization authenticate authenticated unauthorized unauthenticated forbidden denied reject rejected rejecting refused permitted allowed allow
        unable unknown unsupported unavailable unreachable unregistered registered registration register registrar register expired expires
        expire missing mismatch malformed duplicate duplicated retransmission retransmissions retransmit retransmitting maximum max
        exceeded limit retries retry reached critical response request responses requests transaction transactions dialog dialogs call calls
        calling called busy here everywhere answer answered hangup hanging hung cancel cancelled canceled normal clearing terminated terminating
        temporarily temporary moved permanently service server internal gateway network media codec codecs incompatible acceptable not found
        number user users peer endpoint endpoints contact contacts account domain realm exist exists anywhere match matching matched no-op device
        challenge credentials digest username response from received receive receiving sent send sending sender packet packets packetization
        port host address transport connection connected connect disconnected closed lost reset session interval small too brief loop
        detected hops many method extension required header headers body content length type uri url scheme route routing
        via branch tag cseq sdp rtp rtcp srtp ice stun nat ack bye invite subscribe notify options cancel refer message info update prack
        publish reply replied ping keepalive qualify lagged latency ms s sec seconds second milliseconds minutes hour
        warning notice debug verbose information info err warn trace got getting handle handling ignoring ignored ignore
        processing process parse parsing parser failed queue queued queued channel bridge context dialplan
        declined decline disallowed anonymity interworking unspecified recovery timer preemption completed elsewhere resources resource
        lack insufficient congestion circuit destination order reason cause text status code state due after before because while waiting
        security agreement overload overloaded congested early end ended late again already another other same previous first last next
        asterisk pjsip res_pjsip chan_sip sofia freeswitch kamailio opensips registrar_on_rx_request transmitting receiving
        retransmitting reliably unreliably scheduling destruction destroying really really tcp udp tls ws wss sip ip ipv4 ipv6
        """)

    /// Header names outside the registry that programs of many makers send.
    static let customHeaders = set(
        """
        remote-party-id rpid-privacy x-asterisk-hangupcause x-asterisk-hangupcausecode x-asterisk-info x-fs-support x-rtp-stat p-rtp-stat
        rtp-rxstat rtp-txstat x-lite x-serialnumber x-hangup-cause content-transfer-encoding thread-index
        """)

    /// Names of HTTP's fields that make a WebSocket, and their company.
    static let webFields = set(
        """
        host upgrade connection origin user-agent sec-websocket-key sec-websocket-accept sec-websocket-version sec-websocket-protocol
        sec-websocket-extensions content-length content-type date server accept accept-encoding accept-language cache-control pragma
        cookie set-cookie authorization referer location transfer-encoding
        """)
}
