extension Harmless {
    /// Encoding names (RFC 3551 6 and the registry of media types).
    static let codecs = set(
        """
        pcmu pcma g711 g721 g722 g7221 g723 g7231 g726-16 g726-24 g726-32 g726-40 aal2-g726-16 aal2-g726-24 aal2-g726-32 aal2-g726-40 g728
        g729 g729a g729b g729ab g729d g729e g719 gsm gsm-efr gsm-hr-08 ilbc isac speex opus silk amr amr-wb amr-wb+ evs evrc evrc0 evrcb evrcwb
        qcelp lpc dvi4 l8 l16 l24 mpa mp4a-latm mpeg4-generic vdvi cn telephone-event tone red ulpfec flexfec-03 rtx t140 t38 clearmode
        celt siren siren7 siren14 bv16 bv32 smv vmr-wb ac3 vorbis codec2 lyra h261 h263 h263-1998 h263-2000 h264 h264-svc h265 vp8 vp9 av1
        mp4v-es jpeg mpv mp2t theora x-h264uc x-rtvideo x-msrta x-ulpfecuc g7222 audio video image message text application
        """)

    /// Names of attributes whose values are numbers and words of closed sets.
    static let plainAttributes = set(
        """
        ptime maxptime minptime framerate framesize sendrecv sendonly recvonly inactive rtcp-mux rtcp-mux-only rtcp-rsize rtcp-fb rtcp-xr
        rtcp-unicast rtcp-sr rtcp-rr setup connection group group-mux ice-lite ice2 ice-options ice-pacing end-of-candidates
        bundle-only quality orient type charset silencesupp maxbitrate mpeg4-iod depend
        t38faxversion t38maxbitrate t38faxmaxbuffer t38faxmaxdatagram t38faxratemanagement t38faxudpec t38faxfillbitremoval
        t38faxtranscodingmmr t38faxtranscodingjbig t38vendorinfo t38maxifp t38faxudpecdepth t38modemtype
        curr des conf qos maxsize sctp-port max-message-size rtcp-fec maxprate sqn ccap tcap csup creq acap pcfg acfg bitrate
        x-nat x-rtp-session-id nortpproxy direction encryption anatmode range recvcap sendcap content lang sdplang mptime vsel dsel fsel
        extmap-allow-mixed msid-semantic ssrc-group simulcast rid imageattr floorctrl confid userid chatroom
        """)

    static let sdpWords = set(
        """
        in ip4 ip6 rtp avp savp avpf savpf udp tcp tls dtls sctp udptl msrp ws dtls-sctp tcp/tls audio video text application message image t38
        webrtc-datachannel cn as ct tias rs rr x-yz nack pli ccm fir sli rpsi tmmbr tstr vbcm goog-remb transport-cc trr-int app ack
        active passive actpass holdconn new existing bundle ls fid fec fec-fr fec_fr lip anat srf sim trickle renomination host srflx prflx relay
        udp4 so generation component transferredtcp localtcp udpfec udpredundancy none local remote e2e
        sendrecv send recv sendonly mandatory optional qos nlsr fec both voice data yes no on off in out b2bua
        clear base64 uri prompt sha-1 sha-224 sha-256 sha-384 sha-512 md5 md2
        aes_cm_128_hmac_sha1_80 aes_cm_128_hmac_sha1_32 f8_128_hmac_sha1_80 aes_192_cm_hmac_sha1_80 aes_192_cm_hmac_sha1_32
        aes_256_cm_hmac_sha1_80 aes_256_cm_hmac_sha1_32 aead_aes_128_gcm aead_aes_256_gcm seed_ctr_128_hmac_sha1_80 unencrypted_srtp
        unencrypted_srtcp unauthenticated_srtp kdr fec_order wsh inline wms utf-8 iso-8859-1 portrait landscape seascape main slides speaker
        silencesupp moderated broadcast meeting recvonly inactive ms max min snd mono stereo bytes lossrate loss
        annexa annexb mode mode-set mode-change-capability mode-change-period mode-change-neighbor octet-align crc robust-sorting interleaving
        max-red channels useinbandfec usedtx maxplaybackrate sprop-maxcapturerate sprop-stereo maxaveragebitrate cbr vbr minptime ptime
        maxptime apt rtx-time profile-level-id packetization-mode level-asymmetry-allowed max-br max-mbps max-fs max-fr max-cpb max-dpb
        profile-id cif qcif sqcif cif4 cif16 custom bitrate config-id eng penh ecn-sdp 0-15 0-16 0-11 events usages br ibr bw hf-only dtx
        evs-mode-switch ch-aw-recv cmr mode-set-recv
        """)
}
