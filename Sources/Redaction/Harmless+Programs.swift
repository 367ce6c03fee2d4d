extension Harmless {
    /// Makers, products and the plain words beside them in User-Agent and Server: which phone it was decides what the fault is.
    static let products = set(
        """
        snom yealink grandstream polycom poly polycomsoundpointip polycomvvx polycomsoundstationip polycomrealpresencetrio soundpoint soundstation
        vvx cisco ata spa linksys sipura aastra mitel gigaset siemens openstage optipoint unify panasonic fanvil akuvox htek escene
        alcatel lucent avaya nortel nec ascom spectralink obihai obi vtech zultys digium sangoma audiocodes mediant patton smartnode
        mediatrix ingate sonus ribbon oracle acme packet genband metaswitch perimeta broadsoft broadworks teles innovaphone auerswald agfeo
        lancom bintec elmeg avm fritz box fritzbox speedport telekom draytek vigor zyxel huawei zte technicolor thomson speedtouch netgear asus
        asuswrt rt tp link tplink dlink mikrotik routeros routerboard ubiquiti edgeos edgerouter edge vyos openwrt lede pfsense opnsense
        fortigate fortios fortinet fortivoice sonicwall sonicos palo alto pan os paloalto watchguard juniper junos srx screenos netscreen pix asa ios
        isr cucm callmanager cme siphone sipgateway dahdi cube teams microsoft lync skype rtc ocs mediationserver sbc
        asterisk freeswitch mod sofia kamailio opensips openser ser iptel sipp sipsak repro resiprocate sipxecs sipx 3cx 3cxphone
        3cxphonesystem elastix freepbx fpbx issabel incrediblepbx trixbox callweaver yate oversip flexisip drachtio jambonz routr
        rtpengine rtpproxy mediaproxy b2bua sems homer heplify sipcapture hepagent
        linphone linphonec linphonedesktop linphoneiphone linphoneandroid belle sofiasip pjsip pjsua pjproject csipsimple baresip
        jitsi ekiga twinkle blink zoiper acrobits groundwire bria counterpath eyebeam xlite lite x microsip phonerlite phoner sflphone jami
        ring sipdroid imsdroid doubango webrtc2sip sipml5 sip js jssip simpleuser iris antisip antisipc osip exosip exosip2 eXosip2
        minisip kphone mizudroid portsip portgo ninja lite softphone telephone tragofone sessiontalk cloudsoftphone gs wave gswave
        dwp gxp gxv grp ht wp dp sipdect dect ip phone phones voip ua client server gateway proxy pbx user agent registrar b2b rel release
        version ver build firmware fw hw sw series desktop mobile linux windows android iphone ipad macos mac osx darwin win32 win64 i386
        i686 x86 x64 amd64 arm armv7 mips 64bit 32bit debian ubuntu centos gnu notls tls git stable beta alpha rc svn cert dev dirty
        kernel nf nat conntrack helper sipvicious friendly scanner request sipcli vaxsipuseragent vaxipuseragent pplsip sundayddr scan
        sipscan iwar smap siparmyknife sippts mr gulp voipbuster nmap zgrab sipptk custom stretchoid pinhole bell canyon twilio telnyx
        flowroute vonage plivo signalwire bandwidth level3 sipgate ser stunner coturn restund ice lite mbone tools vat rat sdp session
        """)
}
