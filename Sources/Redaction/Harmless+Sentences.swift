extension Harmless {
    /// The words of our own sentences, and of the remedies and devices in them.
    static let sentences = set(
        """
        0123456789abcdef 0x 0x1fff 100rel 3006o 5view 789vn 7xx 802.11 802.15.4 ACK Contact INFO INVITE IPv4 IPv6
        IncompatibleDestination PIN PRACK RAck RSeq RTP Record-Route Refer-To Replaces Route SRTP SRV t.38 Via a about
        above accept acceptable accepted accepts access account accounts accuse accuses acfg ack acknowledge
        acknowledged acknowledges acks acl active actpass adaptive add address addressed addresses adguard
        administratively administrator admit advanced advertise advertised advertised_address advertises aead aes
        after afterwards again against agent agree agreed agrees ahead air air.pcap airdecap aix alg alg.rewritten
        alg.suspected algorithm aliases alive alives all allocate allocation allocations allow allowed allows alone
        already also altered although alto altogether always among an and anew announcement anonymised anonymized
        another answer answered answering answers any anybody anything anywhere aor apart appconfig appeared appears
        application apply archive archives are area aria around arrive arrived arrives as asa ask asked asking asks
        asserted assign asterisk astray asus asuswrt at attack attempt attempts audio auth auth.attack auth.bad-digest
        auth.no-answer auth.nonce-reuse auth.stale-late auth.stale-out-of-order authenticate authentication authority
        authorization auto average away b back bad balance balancer balancing band based be bear bears became because
        been before began begin beginning begins begun behind being belief belong belongs below beside best between
        beyond big bind binding bit black blind block bluetooth bodies body both bound box branch branches break
        breaks bridge brief brings broke broken browser buffer bursts bus busy but by bye bytes c ca cabinet cable
        call called callee caller callid calling calls came camellia can cancel cancelled cancels candidate candidates
        cannot canreinvite capture capture.blind captured captures capturing carried carrier carries case case.pcap
        case.pcapng cause certificates chain challenge challenged challenges chan chance change changed changes
        channel check checks choice chose cipher ciphers circle cisco claims clamp class clears client clienthello
        clients clock clocks close closed closes closing cloud cm cn cnonce code codec codec.not-negotiated codecs
        come comedia comes comfort commit common compare completed compressed conf config confirm connected connection
        connections connectivity conntrack conservative consistent contact contacts container container's content
        context contradicts convert cope copy core correct corrected coturn could count counted counters country counts cover
        covers crash crashed createpermission cred credentials crlf cross crossed crosses crypto cseq ct curve custom
        cut cutmessages cuts d damaged data database datagram datagrams dead debug decline decrypt decrypted deep
        default delays delete deleted delivered describe description descriptions design destination detected device devices df
        dhcp dial dialled dialog dialogs dialplan did dies differ different differently differs digest digit digits
        direct direction directions directly directmedia disable disabled discard dislikes diversions dlink dns
        dns.failed do docker docsis doctor document does domain down draytek drew drop dropped drops drowned dscp dtmf
        dtmf_mode dump duplicates during e each earlier early edge edgeos edgerouter editcap ef either elliptic else
        elsewhere emailprotected empty enable enc encoding encrypt encrypted encryption end endace ended endpoint ends
        enter entry equal equally erf error estimates etc etherpeek etl etl2pcap etl2pcapng even event events ever
        every everyday everything exceed exceeded exchange exist existing expands expect expectation expected expects expense
        expiration expire expired expires explain explains export exported ext ext-rtp-ip exten extension externaddr
        external external_media_address extra eyebeam f f8 fail fail2ban failed fails failure fallback family far fast
        faster fault faults fax faxes fddi fec few fewer fi fibre field fields file files fills filter filters fin
        find finding findings finds fingerprint firewall firewalls firmware first fit fits fix fixed flags flapping
        flight flow flows follow followed follows for forbid forbidden forbids force forced forefront foreign forget
        forgets forgot forgotten forked format formats formed former fortigate fortinet fortios forward forwarded
        forwarding forwards found four fpbx fragment fragmentation fragmented fragments frame frames freepbx
        freeswitch frequency fresh friendly fritz fritzbox from front full further fusionpbx g g.107 g722 g723 g729
        gaining gaps garbled gateway gave gcm get getent gets give given gives global go goes gone good goodbye got
        grant granted grants group grow gsm guessed guesses guests gulp had hairpinning half hand handing handshake
        hang hangs happened harm harmless has hash have header headers healed healthy hear heard hearing hears heed
        heeds held hello help helper helpers hep hepv3 here hidden hides higher hint hints hmac hold holdconn holds
        hole holes honoured hop hops host hostname hosts how hp huawei hung hz i ice icmp id identify idle ieee if
        ignore ignores illegal image impairment in inactiv inactive inactivity inappropriate inbound independent inet
        inferred info init init.d inject inline inner innocent input insecure inside inspect inspection inspects
        instead instruments insufficient int interface interface's interfaces interference intermediate internal
        internet interrupted interval into invite invites ios ios-12.x-scan ip ip4 ip6 ipfix ipoffice iptables iptrace
        ipv4 ipv6 is isdn iso isr issabel issuer it its itself iwar j jitter join joins journal journalctl judge
        judged jump jumped jumps juniper junos just k k12 kamailio keep keepalive keepalives keeps kept kernel key
        keylog keys keys.log kind kmod know knowing known knows l lacks lamp lamps lanalyzer lapd lapsed large larger
        last lasted lasts latch latched latches latching late later latter layout lead leads learn learning learnt
        lease least leave leaves led lede left leg legal legs length lengthen less let lets letter level lie lies life
        lifetime like limit line lines link link-local linked linux list listed listen listener listens lists live
        lives load local local_net localnet log logger logging logs long longer longest look looked looks loop
        loopback lose loses loss lossy lost lower lowers lt m machine maddr made mailbox make makes malformed manage
        mangle many map mapped mapping maps mark masked match matched matches matching matter max max-port
        max_contacts maximum may md5 mean means meant meanwhile mech media media.none media.one-way media.quality
        media.wrong-source memory mend mended menu message messages method mgmt microsoft middle mikrotik min
        min-expires min-port mind minimum minimum_expiration minute minutes mismatch missing mistake mistyped mivoice
        mode model modem modprobe module modules moment more mos most mostly moved moves mr mr.sip ms mss mtp2 mtp3
        mtu much multipart music must muted mux mwi name named names naming narrower nat nat.mapping-expired
        nat.port-jump nat.private-contact nat.private-sdp nat.register-longer-than-mapping nat.rport-missing nated
        nathelper natping natping_interval nats nc near nearer nearest need needed needless needs negotiated neither
        net netgear netlink netscreen netsh nettl network networks netxray never new newer newest next nf nflog nft
        nftables ng night nmap no nobody noise nonce nonces none nor nordic not nothing notice notify now nowhere ntp
        number numbers o obfuscated observer octet octets of off offer offered offers office often ok old older oldest
        omnipeek on once one ones only open opened opens openscape openser opensips openwrt opnsense opposite option
        options opus or order os other others otherwise out out.pcap outage outbound outer outlive outside outstanding
        over override own oxo p packet packets paid paired palo paloalto pan parameter part pass passed passes passive
        passthrough password passwords past path pause payload pbx pcap pcapng pcfg pcma pcmu pdf pdu peer peers pem
        pending per permanently permission permissions person pfsense phone phones pi pick pick-up picks pin pinhole
        pix pjsip pktmon place places plain plan play played plays plural pmtu point pointed policy pooling port ports
        pplsip ppm pppoe prack precise prefix prefixes present priorities priority private probably probe profile
        profiles program programs progress prohibited prompt protect protocol prove proved proves provider provisional
        proxies proxy ptime public publish put puts q qop qualify qualify_frequency qualifyfreq quality query question
        questions queue quicksec quota r rack radiotap raise ran random rang range rar rate re re-INVITE re-invite
        reach reachable reached reaches read reads real really realm reason reassemble reassembly reboot received
        receiver receives recognised recomputed reconnect record recorded records recvonly redacted redirected refer
        refresh refreshed refresher refreshes refusal refuse refused refuses refute reg reg.flapping reg.lapsed
        register registered registers registrar registrar's registration registrations rejected rejects rel relay
        relay's release reliable remotesecret remove removed renew renewed renews repeat repeated repeats replace
        reply report reports request requests required requires reserved reset resets resolved resolver response
        responses rest restart restarted restarts resume resumes retransmission retransmit retry reuse revoked rewrite
        rewrite_contact=yes rewrites rewriting rewritten rewrote rfc rfc2833 rfc4733 right rightly rights ring ringing
        rings rise rises risk roaming role rough route router routerboard routeros routers routes routing row rport
        rseq rst rt rtcp rtf rtp rtpend rtpengine rtpholdtimeout rtpmap rtpproxy rtpstart rule ruled rules run runs s
        saddr safenet said same sample samples save saveall savp saw say saying says sbc scan scanner sccp screenos
        sctp sdes sdp sdp.mismatch se sec second seconds secret secrets section secure security see seems seen sees
        segment segments send sender sender's senders sending sendonly sendrecv sends sense sent serve server server's
        server.log servers service sess session sessions set sets setting settings settled setup several sha shape
        share shared short shorten shorter shortest should show shown shows shut side sides sight sign signaling
        signalled signalling signature silence silent since sip sip.fragmented sip.no-ack sip.refused sip.retransmit
        sip.timer-drop sip.unfinished siparmyknife sipcli sipdump sipgateway sipptk sippts sips sipsak sipscan
        sipvicious site size skipped slow slower small smaller smap snap sngrep sniffer so socket sockets software
        some somebody something sonicos sonicwall soon sooner sound sounds source sources span spare speak speaking
        speaks speedtouch speedtouch510 speedtouch530 speedtouch780 spelling spite spoken spread sqlite sr srtp srv
        srx srx210 srx300 ssl sslkeylogfile ssrc st780 stale stand standby standing stands starface start starts state
        stated states static status stay stayed stays steadily step sticky still stopgap stopped stops straight
        stranger strangers stream streams stretch stretchoid strictrtp stuck stumbled stun stun.sdp-mismatch style
        subject subscribe subscription succeeded success such suite summary sundayddr support supported suppression
        survived suspected switch switched switchvox swyx symmetric syn syn-ack synchronisation sys system systemd t
        t1 table tag tags take taken takes talked talking tally target tcap tcp tcp.refused tcp.unanswered
        tcp_accept_aliases tcp_connection_lifetime=3605 tcpdump tcpmss tektronix telephone telephone-event tell tells
        telnet temporarily temporary terminated test text tg tg784 tg784n tg789 tg789vn than that the their them
        themselves then there therefore these they thin this thomson those though three through tick time time-out
        timed timelessmessages timeout timeouts timer timers times timestamps tls tls_rsa_with_3des_ede_cbc_sha tmg to
        together token told too took topmost total touched towards tp tplink trace trace.etl trace.pcapng traffic
        transaction transcoded transcoding transfer transfers transformations transit translates translation transport
        treat tried tries trouble true trunk trust trusted trusts try trying tshark tunnel turn turn.refused turned
        turns twice two type typed ubiquiti uci ucm6 udp udptl ufrag unanswered unasked unauthorized unavailable
        unbind unchanged undeliverable under understand understands understood unfinished unknown unpack unplugged
        unreachable unrecognized unset unsupported untick until up update uplink ups uri urn usb use used user
        username uses usually utc uuid ux v vain valid values varied vaxipuseragent vaxsipuseragent version versions
        very via viavi video vigor virtual visual vitalpbx voices voip voipbuster vpn vpn's vyos w wait waited waiting
        waits wan want wanted wants warning was watch watched watchguard way ways websocket well went were what
        whatever when where whether which while who whoever whole whom whose why wi wi-fi wildcard will windows wire
        wireguard wireless wireshark with within without wlan word words work worked works would write writes wrong
        yours
        wrote ws www x yeastar yes yet zgrab zone zrtp zyxel
        """)
}
