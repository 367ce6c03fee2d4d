import Testing

/// How programs write a REGISTER and its 401, or a box between the two: of each form the lines that stand before the messages.
struct LogForm: Sendable, CustomTestStringConvertible {
    /// Whose log it is.
    enum Side {
        case phone, server
        /// Neither's: source and destination are named.
        case between
        /// Neither's, and none is named.
        case nobody
    }

    var name: String
    var side = Side.phone
    var request: String
    var response: String
    /// Behind each message.
    var tail = ""
    /// As `LoggedTime` takes them, or none.
    var times: [String]
    var basis = Basis.absolute
    var isUnaddressed = false
    var isNearUnknown = false
    var dress: @Sendable (String, Int) -> String = { line, _ in line }

    enum Basis { case absolute, noYear, timeOfDay }

    var testDescription: String { name }

    static let phone: [LogForm] = [
        LogForm(
            name: "pjsua",
            request:
                "12:00:00.123   pjsua_core.c  .TX 488 bytes Request msg REGISTER/cseq=1 (tdta0x55d8) to UDP 203.0.113.10:5060:",
            response:
                "12:00:00.161   pjsua_core.c  .RX 502 bytes Response msg 401/REGISTER/cseq=1 (rdata0x7f01) from UDP 203.0.113.10:5060:",
            tail: "\n--end msg--", times: ["12:00:00.123", "12:00:00.161"], basis: .timeOfDay),
        LogForm(
            name: "linphone",
            request:
                "2024-01-31 12:00:00:123 [belle-sip] MESSAGE channel [0x9e002000]: message sent to [UDP://203.0.113.10:5060], size: [488] bytes",
            response:
                "2024-01-31 12:00:00:161 [belle-sip] MESSAGE channel [0x9e002000]: received [502] new bytes from [UDP://203.0.113.10:5060]:",
            tail: "2024-01-31 12:00:00:162 [belle-sip] MESSAGE channel [0x9e002000] [502] bytes parsed",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "snom, a date that can be told",
            request: "Sent to udp:203.0.113.10:5060 from udp:192.168.1.20:5060 at 31/1/2024 12:00:00:123 (488 bytes):\n",
            response: "Received from udp:203.0.113.10:5060 at 31/1/2024 12:00:00:161 (502 bytes):\n",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "snom, a date that cannot",
            request: "Sent to udp:203.0.113.10:5060 from udp:192.168.1.20:5060 at 1/2/2024 12:00:00:123 (488 bytes):\n",
            response: "Received from udp:203.0.113.10:5060 at 1/2/2024 12:00:00:161 (502 bytes):\n",
            times: ["12:00:00.123", "12:00:00.161"], basis: .timeOfDay),
        LogForm(
            name: "Cisco IOS, debug ccsip messages",
            request: "*Jan 31 12:00:00.123: //-1/xxxxxxxxxxxx/SIP/Msg/ccsipDisplayMsg:\nSent: ",
            response: "*Jan 31 12:00:00.161: //42/8FA01C2B8004/SIP/Msg/ccsipDisplayMsg:\nReceived: ",
            times: ["Jan 31 12:00:00.123", "Jan 31 12:00:00.161"], basis: .noYear, isUnaddressed: true),
        LogForm(
            name: "Cisco IOS with year and zone",
            request: "000123: Jan 31 2024 12:00:00.123 CET: //1/A1/SIP/Msg/ccsipDisplayMsg:\nSent:\n",
            response: "000124: Jan 31 2024 12:00:00.161 CET: //1/A1/SIP/Msg/ccsipDisplayMsg:\nReceived:\n",
            times: ["2024-01-31 11:00:00.123", "2024-01-31 11:00:00.161"], isUnaddressed: true),
        LogForm(
            name: "FRITZ!Box support data",
            request: "2024-01-31 12:00:00.123 - OUT: my=192.168.1.20%8:5060 peer=203.0.113.10 port=5060 UDP, sipiface=internet:",
            response: "2024-01-31 12:00:00.161 - IN: my=192.168.1.20%8:5060 peer=203.0.113.10 port=5060 UDP, sipiface=internet:",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"],
            dress: { line, place in place == 0 ? line : "  " + line }),
        LogForm(
            name: "Twinkle", request: "+++ 31-1-2024 12:00:00.123456 INFO SIP ::send_sip_udp\nSend to: udp:203.0.113.10:5060",
            response: "+++ 31-1-2024 12:00:00.161000 INFO SIP ::recv_sip\nReceived from: udp:203.0.113.10:5060", tail: "\n---\n",
            times: ["2024-01-31 12:00:00.123456", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "JsSIP in a browser's console", request: "12:00:00.123 JsSIP:Transport sending message:\n",
            response: "12:00:00.161 JsSIP:Transport received text message:\n", times: ["12:00:00.123", "12:00:00.161"],
            basis: .timeOfDay,
            isUnaddressed: true),
        LogForm(
            name: "SIP.js", request: "Wed Jan 31 2024 12:00:00 GMT+0100 (CET) | sip.Transport | Sending WebSocket message:\n",
            response: "Wed Jan 31 2024 12:00:01 GMT+0100 (CET) | sip.Transport | Received WebSocket text message:\n",
            times: ["2024-01-31 11:00:00", "2024-01-31 11:00:01"], isUnaddressed: true),
        LogForm(
            name: "dart-sip-ua",
            request: "[2024-01-31 12:00:00.123] Level.debug websocket_transport.dart:80 ::: Sending message:\n",
            response: "[2024-01-31 12:00:00.161] Level.debug websocket_transport.dart:110 ::: Received WebSocket message:\n",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"], isUnaddressed: true),
        LogForm(
            name: "SIPp -trace_msg",
            request:
                "----------------------------------------------- 2024-01-31\t12:00:00.123456\t1706702400.123456\nUDP message sent (488 bytes):\n",
            response:
                "----------------------------------------------- 2024-01-31\t12:00:00.161000\t1706702400.161000\nUDP message received [502] bytes :\n",
            times: ["2024-01-31 12:00:00.123456", "2024-01-31 12:00:00.161"], isUnaddressed: true),
        LogForm(
            name: "eXosip", request: "| INFO1 | <eXtl_udp.c: 517> Message sent: (to dest=203.0.113.10:5060)",
            response: "| INFO1 | <eXtl_udp.c: 612> Received message len 502 from 203.0.113.10:5060:", times: []),
        LogForm(
            name: "Polycom", request: "UDP Send to 203.0.113.10:5060, 488 bytes",
            response: "UDP Received from 203.0.113.10:5060, 502 bytes",
            times: ["Jan 31 12:00:00", "Jan 31 12:00:00"], basis: .noYear,
            dress: { line, place in "0131120000|sip  |1|00|" + (place == 0 ? ">>> " : "    ") + line }),
        LogForm(
            name: "logcat -v threadtime",
            request: "channel [0x7f7630]: message sent to [TLS://203.0.113.10:5060], size: [488] bytes",
            response: "channel [0x7f7630]: received [502] new bytes from [TLS://203.0.113.10:5060]:",
            times: ["Jan 31 12:00:00.123", "Jan 31 12:00:00.123"], basis: .noYear,
            dress: { line, _ in "01-31 12:00:00.123  6072  6098 I Linphone: " + line }),
        LogForm(
            name: "logcat -v time", request: "message sent to [UDP://203.0.113.10:5060]",
            response: "received [502] new bytes from [UDP://203.0.113.10:5060]:",
            times: ["Jan 31 12:00:00.123", "Jan 31 12:00:00.123"], basis: .noYear,
            dress: { line, _ in "01-31 12:00:00.123 I/Linphone( 6072): " + line }),
        LogForm(
            name: "Android Studio",
            request: "2024-01-31 12:00:00.123  6072-6098  SIPModule   org.example  I  message sent to [UDP://203.0.113.10:5060]",
            response:
                "2024-01-31 12:00:00.161  6072-6098  SIPModule   org.example  I  received [502] new bytes from [UDP://203.0.113.10:5060]:",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"],
            dress: { line, place in place == 0 ? line : String(repeating: " ", count: 70) + line }),
        LogForm(
            name: "sofia with a date of its own",
            request: "2024-01-31 12:00:00.123456 send 488 bytes to udp/[203.0.113.10]:5060 at 12:00:00.123456:",
            response: "2024-01-31 12:00:00.161000 recv 502 bytes from udp/[203.0.113.10]:5060 at 12:00:00.161000:",
            times: ["2024-01-31 12:00:00.123456", "2024-01-31 12:00:00.161"], isNearUnknown: true),
        LogForm(
            name: "German words", request: "31.01.2024 12:00:00,123 Gesendet an 203.0.113.10:5060 (UDP)",
            response: "31.01.2024 12:00:00,161 Empfangen von 203.0.113.10:5060 (UDP)",
            times: ["2024-01-31 12:00:00.123", "2024-01-31 12:00:00.161"]),
        LogForm(
            name: "Russian words", request: "31.01.2024 12:00:00 Отправлено к 203.0.113.10:5060",
            response: "31.01.2024 12:00:01 Получено от 203.0.113.10:5060",
            times: ["2024-01-31 12:00:00", "2024-01-31 12:00:01"]),
        LogForm(
            name: "Chinese words", request: "2024/01/31 12:00:00 发送消息 203.0.113.10:5060",
            response: "2024/01/31 12:00:01 收到消息 203.0.113.10:5060",
            times: ["2024-01-31 12:00:00", "2024-01-31 12:00:01"]),
        LogForm(
            name: "MicroSIP on an American Windows", request: "1/31/2024 3:00:00 PM TX 488 bytes to TCP 203.0.113.10:5060:",
            response: "1/31/2024 3:00:01 PM RX 502 bytes from TCP 203.0.113.10:5060:",
            times: ["2024-01-31 15:00:00", "2024-01-31 15:00:01"]),
    ]
}
