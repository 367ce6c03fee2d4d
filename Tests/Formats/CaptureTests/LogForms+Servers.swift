extension LogForm {
    static let server: [LogForm] = [
        LogForm(
            name: "CUCM SDL", side: .server,
            request:
                "00012345.001 |12:00:00.123 |AppInfo  |SIPUdp - wait_UdpDataInd: Incoming SIP UDP message size 488 from 198.51.100.7 on port 40112:\n[1234,NET]",
            response:
                "00012346.001 |12:00:00.161 |AppInfo  |SIPUdp - wait_SdlSPISignal: Outgoing SIP UDP message to 198.51.100.7 on port 40112 index 12 \n[1235,NET]",
            times: ["12:00:00.123", "12:00:00.161"], basis: .timeOfDay),
        LogForm(
            name: "AudioCodes", side: .server,
            request:
                "12:00:00.123  10.0.0.1  local0.notice  [S=2345] [SID=2ed1c8:96:5]  (N 12) ---- Incoming SIP Message from 198.51.100.7:40112 to SIPInterface #0 (Lan) UDP TO(#12) SocketID(1) ----",
            response:
                "12:00:00.161  10.0.0.1  local0.notice  [S=2346] [SID=2ed1c8:96:5]  (N 13) ---- Outgoing SIP Message to 198.51.100.7:40112 from SIPInterface #0 (Lan) UDP TO(#12) SocketID(1) ----",
            tail: " [Time:31-01@12:00:00.161]", times: ["12:00:00.123", "12:00:00.161"], basis: .timeOfDay),
        LogForm(
            name: "Oracle's sipmsg.log", side: .server,
            request: "Jan 31 12:00:00.123 On [0:0]203.0.113.10:5060 received from 198.51.100.7:40112",
            response: "Jan 31 12:00:00.161 On [0:0]203.0.113.10:5060 sent to 198.51.100.7:40112",
            tail: "\n----------------------------------------", times: ["Jan 31 12:00:00.123", "Jan 31 12:00:00.161"],
            basis: .noYear),
        LogForm(
            name: "BroadWorks XSLog", side: .server,
            request:
                "2024.01.31 12:00:00:123 CET | Info       | Sip | SIP Message | 7\n\n\tudp 488 Bytes IN from 198.51.100.7:40112",
            response:
                "2024.01.31 12:00:00:161 CET | Info       | Sip | SIP Message | 7\n\n\tudp 502 Bytes OUT to 198.51.100.7:40112",
            times: ["2024-01-31 11:00:00.123", "2024-01-31 11:00:00.161"]),
        LogForm(
            name: "Genesys", side: .server, request: "12:00:00.123: Received [0,UDP] 488 bytes from 198.51.100.7:40112 <<<<<",
            response: "12:00:00.161: Sending  [0,UDP] 502 bytes to 198.51.100.7:40112 >>>>>",
            times: ["12:00:00.123", "12:00:00.161"],
            basis: .timeOfDay),
        LogForm(
            name: "resiprocate", side: .server,
            request:
                "DEBUG | 20240131-120000.123 | repro | RESIP:TRANSPORT | 7 | TransportSelector.cxx:99 | incoming from: [ V4 198.51.100.7:40112 UDP target domain=unspecified ]\n",
            response:
                "DEBUG | 20240131-120000.161 | repro | RESIP:TRANSPORT | 7 | TransportSelector.cxx:99 | Transmitting to [ V4 198.51.100.7:40112 UDP target domain=unspecified ]\n",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "Kamailio's xlog", side: .server,
            request: "Jan 31 12:00:00 sbc /usr/sbin/kamailio[771]: INFO: <script>: received REGISTER from udp:198.51.100.7:40112",
            response: "Jan 31 12:00:01 sbc /usr/sbin/kamailio[771]: INFO: <script>: sending 401 to udp:198.51.100.7:40112",
            times: ["Jan 31 12:00:00", "Jan 31 12:00:01"], basis: .noYear),
        LogForm(
            name: "JAIN SIP", side: .server,
            request:
                "<message\nfrom=\"198.51.100.7:40112\"\nto=\"203.0.113.10:5060\"\ntime=\"1706702400123\"\nisSender=\"false\">\n<![CDATA[",
            response:
                "<message\nfrom=\"203.0.113.10:5060\"\nto=\"198.51.100.7:40112\"\ntime=\"1706702400161\"\nisSender=\"true\">\n<![CDATA[",
            tail: "]]>\n</message>", times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "Patton", side: .server,
            request: "12:00:00  SIP_TR> [STACK] < Stack: 488 bytes received on UDP from 198.51.100.7:40112",
            response: "12:00:01  SIP_TR> [STACK] > Stack: 502 bytes sent on UDP to 198.51.100.7:40112",
            times: ["12:00:00", "12:00:01"],
            basis: .timeOfDay),
        LogForm(
            name: "midnight passes", side: .server, request: "23:59:59.900: Received from 198.51.100.7:40112",
            response: "00:00:00.100: Sent to 198.51.100.7:40112",
            times: ["23:59:59.9", "1 00:00:00.1"], basis: .timeOfDay),
        LogForm(
            name: "a turn of the year", side: .server, request: "Dec 31 23:59:59.900 Received from 198.51.100.7:40112",
            response: "Jan  1 00:00:00.100 Sent to 198.51.100.7:40112", times: ["Dec 31 23:59:59.9", "366 Jan  1 00:00:00.1"],
            basis: .noYear),
    ]

    private static let addressed = ("198.51.100.7:40112", "203.0.113.10:5060")

    static let between: [LogForm] = [
        LogForm(
            name: "Homer's text", side: .between,
            request: "proto:UDP 2024-01-31T12:00:00.123Z  198.51.100.7:40112 ---> 203.0.113.10:5060\n",
            response: "proto:UDP 2024-01-31T12:00:00.161Z  203.0.113.10:5060 ---> 198.51.100.7:40112\n",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "sngrep", side: .between, request: "2024/01/31 12:00:00.123000 198.51.100.7:40112 -> 203.0.113.10:5060",
            response: "2024/01/31 12:00:00.161000 203.0.113.10:5060 -> 198.51.100.7:40112",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "tcpdump -v", side: .between,
            request:
                "12:00:00.123000 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 516)\n    198.51.100.7.40112 > 203.0.113.10.5060: [udp sum ok] SIP, length: 488",
            response:
                "12:00:00.161000 IP (tos 0x0, ttl 64, id 2, offset 0, flags [DF], proto UDP (17), length 530)\n    203.0.113.10.5060 > 198.51.100.7.40112: SIP, length: 502",
            times: ["12:00:00.123", "12:00:00.161"], basis: .timeOfDay, dress: { line, place in place == 0 ? line : "\t" + line }),
        LogForm(
            name: "a table of a store, source and destination by name", side: .between,
            request: "time=2024-01-31T12:00:00.123Z src_ip=198.51.100.7 src_port=40112 dst_ip=203.0.113.10 dst_port=5060",
            response: "time=2024-01-31T12:00:00.161Z src_ip=203.0.113.10 src_port=5060 dst_ip=198.51.100.7 dst_port=40112",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(name: "a followed stream", side: .nobody, request: "", response: "", times: []),
        LogForm(
            name: "each line twice as far apart", side: .nobody, request: "", response: "", times: [],
            dress: { line, _ in line + "\n" }),
        LogForm(name: "sipsak -vvv", side: .nobody, request: "** request **", response: "** reply **", times: []),
    ]
}
