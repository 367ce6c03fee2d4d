extension RouterDevice {
    /// Devices by the way their SIP helper is switched off. Names are those that people write; models before families.
    static let all: [RouterDevice] = [
        RouterDevice(
            "SpeedTouch 780", ["speedtouch 780", "speedtouch780", "st780", "speedtouch 7xx"],
            ["{Administrator}[connection]=>appconfig application=SIP SIP_ALG=disabled", "{Administrator}=>saveall"],
            hint: "Log in by telnet; saveall keeps it over a restart."),
        RouterDevice(
            "SpeedTouch 510/530", ["speedtouch 510", "speedtouch 530", "speedtouch510", "speedtouch530"],
            ["nat unbind application=SIP port=5060", "config save", "system reboot"]),
        RouterDevice(
            "SpeedTouch", ["speedtouch"], ["connection unbind application=SIP port=5060", "saveall"],
            hint: "On the 780: appconfig application=SIP SIP_ALG=disabled in the group connection."),
        RouterDevice(
            "Thomson TG784/789vn", ["tg784", "tg789", "tg789vn", "tg784n", "thomson tg"],
            [":connection appconfig application SIP SIP_ALG disabled", ":saveall"]),
        RouterDevice(
            "Cisco IOS", ["cisco ios", "ios router", "cisco 7206", "cisco isr"],
            ["no ip nat service sip udp port 5060", "no ip nat service sip tcp port 5060"]),
        RouterDevice(
            "Cisco ASA", ["cisco asa", "cisco pix", "asa 5505", "asa 5506"],
            ["policy-map global_policy", " class inspection_default", "  no inspect sip"]),
        RouterDevice(
            "Juniper SRX", ["juniper srx", "junos", "srx210", "srx300"],
            ["set security alg sip disable", "commit", "show security alg status"]),
        RouterDevice(
            "Juniper ScreenOS", ["screenos", "netscreen"], ["unset alg sip enable"],
            hint: "Some versions then drop SIP altogether: test it, and allow UDP 5060 by policy."),
        RouterDevice(
            "FortiGate (FortiOS)", ["fortigate", "fortios", "fortinet"],
            [
                "config system settings", " set sip-expectation disable", " set sip-nat-trace disable",
                " set default-voip-alg-mode kernel-helper-based", "end", "config system session-helper", " show",
                " delete <number of the sip entry>", "end",
            ], hint: "Reboot afterwards."),
        RouterDevice(
            "MikroTik", ["mikrotik", "routeros", "routerboard"], ["/ip firewall service-port disable sip"]),
        RouterDevice(
            "EdgeOS / VyOS", ["edgeos", "vyos", "edgerouter", "ubiquiti edge"],
            ["set system conntrack modules sip disable", "commit", "save"]),
        RouterDevice(
            "OpenWrt", ["openwrt", "lede"],
            ["uci set firewall.@zone[1].auto_helper='0'", "uci commit firewall", "/etc/init.d/firewall restart"],
            hint: "The helper is present only with kmod-nf-nathelper-extra."),
        RouterDevice(
            "Linux (nf_conntrack_sip)", ["nf_nat_sip", "nf_conntrack_sip", "ip_nat_sip", "linux kernel"],
            ["modprobe -r nf_nat_sip nf_conntrack_sip"], hint: "Or assign no ct helper in nftables."),
        RouterDevice(
            "pfSense", ["pfsense", "opnsense"],
            ["Firewall > NAT > Outbound: Static Port for the phones", "System > Advanced > Firewall: conservative"],
            hint: "It has no SIP helper; its port rewriting and short timeouts cause the like."),
        RouterDevice(
            "SonicWall", ["sonicwall", "sonicos"],
            ["VoIP > Settings: untick SIP Transformations", "VoIP > Settings: tick Consistent NAT"]),
        RouterDevice(
            "Palo Alto", ["palo alto", "pan-os", "paloalto"],
            ["set shared alg-override application sip alg-disabled yes", "commit"]),
        RouterDevice("Netgear", ["netgear"], ["WAN Setup: tick Disable SIP ALG"]),
        RouterDevice("Asus", ["asus rt", "asuswrt", "asus router"], ["WAN > NAT Passthrough > SIP Passthrough: disable"]),
        RouterDevice("TP-Link", ["tp-link", "tplink"], ["Advanced Setup > NAT > ALG: untick SIP"]),
        RouterDevice("D-Link", ["d-link", "dlink"], ["Advanced > Firewall Settings > Application Level Gateway: untick SIP"]),
        RouterDevice("Zyxel", ["zyxel"], ["Network > NAT > ALG: disable SIP", "older ones: ip nat service sip active 0"]),
        RouterDevice("DrayTek", ["draytek", "vigor"], ["sys sip_alg -e 0"]),
        RouterDevice("Huawei", ["huawei"], ["Security > SIP ALG Settings: disable"]),
        RouterDevice(
            "WatchGuard", ["watchguard"], ["Remove the SIP-ALG policy; allow UDP 5060 and the media ports by a packet filter"]),
        RouterDevice("Fritz!Box", ["fritz!box", "fritzbox", "fritz box"], []),
    ]
}
