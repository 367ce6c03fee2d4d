import Base
import Capture

extension Judge {
    /// tls.failed: clients that never get a TLS connection to their server. One that got one, before or after, lost little, and so did one
    /// that tried it once and speaks SIP by another way.
    func handshakes(_ ledger: HandshakeLedger, speakers: Set<PackedAddress> = []) -> [Finding] {
        var result: [Finding] = []
        let list = ledger.settled.sorted { ($0.value.hello, $0.key.server.port) < ($1.value.hello, $1.key.server.port) }
        for (key, attempts) in list where attempts.stood == 0 && result.count < 50 {
            var finding: Finding?
            if let alert = attempts.alert {
                finding = alerted(key, attempts, alert)
            } else if let stall = attempts.stall {
                // Long segments that get lost are told as such.
                if !Self.isNarrow(stall, key.server.port) { finding = stuck(key, attempts, stall) }
            } else if attempts.dropped > 0, attempts.dropped == attempts.tried {
                finding = dropped(key, attempts)
            }
            guard var finding else { continue }
            if Self.isKnock(key.client, key.server, attempts.tried, speakers) {
                finding.severity = .note
                finding.summary += " It never speaks SIP here: a stranger that looks for servers, or a phone that gave up."
            } else if attempts.tried < 2, speakers.contains(key.client) {
                finding.severity = .note
                finding.summary += " It speaks SIP by another way."
            }
            result.append(finding)
        }
        return result
    }

    private func alerted(
        _ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts, _ said: HandshakeLedger.Alert
    ) -> Finding {
        let (client, server) = ("\(key.client)", Self.name(key.server))
        let alert = TLSAlert(said)
        let isOfClient = said.isOfClient
        // The certificate that an alert rejects is the other end's (RFC 5246 7.2.2: bad, unsupported, revoked, expired, unknown).
        let isAboutOther = (42...46).contains(said.description)
        let culprit = isOfClient != isAboutOther ? client : server
        let source = isOfClient ? attempts.client.endpoint : key.server.endpoint
        return Finding(
            .tlsFailed, .fault,
            "\(client) gets no TLS connection to \(server): \(alert.sentence(client: client, server: server, isOfClient: isOfClient)).",
            details: [
                "The alert \(alert.name) (\(said.description)) ended \(counted(attempts.alerts, "handshake")); none succeeded in this capture."
            ]
                + (said.lacksCertificate
                    ? ["The server had asked for a certificate, and \(client) answered that it has none (RFC 5246 7.4.6)."] : []),
            evidence: [
                hello(key, attempts),
                Evidence(place: said.place, source: source, excerpt: "TLS alert \(alert.name)", says: "ends the handshake"),
            ], culprit: .proved(culprit), confidence: .proved, remedies: alert.remedies(isOfClient: isOfClient),
            subject: FindingSubject(client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: max(1, attempts.alerts))
    }

    private func dropped(_ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts) -> Finding {
        var evidence = [hello(key, attempts)]
        if let end = attempts.end {
            evidence.append(Evidence(place: end, excerpt: "TCP FIN or RST", says: "instead of an answer"))
        }
        if key.server.port == 5_060 { return misdirected(key, attempts, evidence) }
        return Finding(
            .tlsFailed, .fault,
            "\(key.client) gets no TLS connection to \(Self.name(key.server)): the connection ends before the server has said a word of TLS.",
            details: [
                "\(counted(attempts.dropped, "handshake")) began, and the server never answered one.",
                "A server without certificate does so, one that speaks no TLS on that port, and a firewall that does not let TLS pass.",
            ], evidence: evidence, culprit: .between("\(key.client)", Self.name(key.server)),
            remedies: [
                Remedy(
                    .server,
                    "Check in the server's log that it speaks TLS on port \(key.server.port) and could load its certificate and key."
                ),
                Remedy(.network, "If it does, look for a firewall on the way that cuts TLS connections."),
            ], subject: FindingSubject(client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: attempts.dropped)
    }

    /// TLS to the port of plain SIP, whose server waits for a start line.
    private func misdirected(
        _ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts, _ evidence: [Evidence]
    ) -> Finding {
        Finding(
            .tlsFailed, .fault,
            "\(key.client) speaks TLS to \(Self.name(key.server)), the port of plain SIP, and gets no answer but the end of the connection.",
            details: [
                "\(counted(attempts.dropped, "handshake")) began, and the server never answered one.",
                "5060 is for SIP over UDP and TCP, 5061 for SIP over TLS (RFC 3261 19.1.2).",
            ], evidence: evidence, culprit: .proved("\(key.client)"), confidence: .likely,
            remedies: [
                Remedy(.phone, "Set port 5061, where the server speaks TLS; or the transport to UDP or TCP."),
                Remedy(.server, "If it is meant to speak TLS on port 5060, see in its log that it does."),
            ], subject: FindingSubject(client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: attempts.dropped)
    }

    /// One end's part of the handshake never arrives, although the connection was opened.
    private func stuck(
        _ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts, _ stall: HandshakeLedger.Stall
    ) -> Finding {
        let (client, server) = ("\(key.client)", Self.name(key.server))
        let isLarge = stall.octets > 1_000
        let whose = stall.isOfClient ? "its hello" : "the server's part of the handshake"
        let (sender, receiver) = stall.isOfClient ? (client, server) : (server, client)
        return Finding(
            .tlsFailed, .fault,
            "\(client) gets no TLS connection to \(server): \(whose) is sent again and again and never arrives"
                + (isLarge ? ", as large packets get lost on the way (MTU)." : "."),
            details: [
                "\(counted(attempts.stuck, "handshake")) stuck: \(stall.octets) octets in one segment, sent \(stall.sends) times and not acknowledged once.",
                "The connection itself was opened: small packets pass both ways.",
            ],
            evidence: [
                hello(key, attempts),
                Evidence(
                    place: stall.place, source: stall.isOfClient ? attempts.client.endpoint : key.server.endpoint,
                    excerpt: "TCP segment of \(stall.octets) octets", says: "sent again, and not acknowledged"),
            ], culprit: .between(sender, receiver), confidence: .likely,
            remedies: isLarge
                ? [
                    Remedy(
                        .router,
                        "Lower the MTU, or clamp the segment size of TCP, on the line with the smaller MTU (PPPoE, VPN), and let ICMP type 3 code 4 pass.",
                        commands: ["iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"]),
                    Remedy(.server, "Or let the server use smaller segments towards \(client)."),
                ]
                : [Remedy(.network, "See what drops packets between \(sender) and \(receiver) once the connection is open.")],
            subject: FindingSubject(client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: attempts.stuck)
    }

    private func hello(_ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts) -> Evidence {
        Evidence(
            place: attempts.hello, time: Instant(nanoseconds: attempts.time), source: attempts.client.endpoint,
            destination: key.server.endpoint, excerpt: "TLS ClientHello", says: "the first attempt")
    }
}
