import Base
import Capture

/// TLS handshakes of SIP (RFC 8446, RFC 5246) that came to nothing: ended by an alert, or dropped before the server said a word.
struct HandshakeLedger: Sendable {
    typealias Key = ConnectionLedger.Key

    /// One client's handshakes with one server.
    struct Attempts: Sendable {
        var client: PackedEndpoint
        var hello: EvidencePlace
        var time: Int64
        var tried = 0
        /// The server answered, and no alert came.
        var stood = 0
        /// Closed or reset before the server answered.
        var dropped = 0
        var alerts = 0
        /// The first alert: its number, who sent it, and where it is.
        var alert: (description: UInt8, isOfClient: Bool, place: EvidencePlace)?
        var end: EvidencePlace?
    }

    private struct Handshake: Sendable {
        var key: Key
        var isAnswered = false
    }

    static let mostServers = 4_096
    static let mostOpen = 65_536

    private(set) var attempts: [Key: Attempts] = [:]
    /// By the client's flow.
    private var open: [PackedFlow: Handshake] = [:]

    mutating func event(_ event: StreamEvent, file: UInt16) {
        let flow = event.flow
        let place = EvidencePlace(.frame, file: file, number: UInt32(clamping: event.frame))
        switch event.kind {
        case .tls: begins(flow, place, event, file)
        case .tlsAlert(let description): alert(flow, description, place)
        case .reset, .closed:
            guard let side = open[flow] != nil ? flow : open[flow.reversed] != nil ? flow.reversed : nil,
                let handshake = open.removeValue(forKey: side)
            else { return }
            attempts[handshake.key]?.end = place
            if handshake.isAnswered { attempts[handshake.key]?.stood += 1 } else { attempts[handshake.key]?.dropped += 1 }
        case .opening, .opened, .refused, .stalled, .moved, .gap, .webSocket, .resynchronised: return
        }
    }

    private mutating func begins(_ flow: PackedFlow, _ place: EvidencePlace, _ event: StreamEvent, _ file: UInt16) {
        if open[flow.reversed] != nil {
            open[flow.reversed]?.isAnswered = true
            return
        }
        guard Self.isSIP(flow.destinationPort), !Self.isSIP(flow.sourcePort), open.count < Self.mostOpen else { return }
        let key = Key(file: file, client: flow.source, server: PackedEndpoint(flow.destination, flow.destinationPort))
        if attempts[key] == nil {
            guard attempts.count < Self.mostServers else { return }
            attempts[key] = Attempts(
                client: PackedEndpoint(flow.source, flow.sourcePort), hello: place, time: event.time.nanoseconds)
        }
        attempts[key]?.tried += 1
        open[flow] = Handshake(key: key)
    }

    private mutating func alert(_ flow: PackedFlow, _ description: UInt8, _ place: EvidencePlace) {
        // A farewell, or somebody's change of mind.
        guard description != 0, description != 90 else { return }
        let isOfClient = open[flow] != nil
        guard let handshake = open.removeValue(forKey: isOfClient ? flow : flow.reversed) else { return }
        attempts[handshake.key]?.alerts += 1
        if attempts[handshake.key]?.alert == nil { attempts[handshake.key]?.alert = (description, isOfClient, place) }
    }

    /// SIP over TLS (RFC 3261 19.1.2), and the ports on which PBXs offer secure WebSockets.
    private static func isSIP(_ port: UInt16) -> Bool { port == 5_061 || port == 8_089 || port == 7_443 }
}

extension Judge {
    /// tls.failed: clients that never get a TLS connection to their server. One that got one, before or after, lost little.
    func handshakes(_ ledger: HandshakeLedger) -> [Finding] {
        var result: [Finding] = []
        let list = ledger.attempts.sorted { ($0.value.hello, $0.key.server.port) < ($1.value.hello, $1.key.server.port) }
        for (key, attempts) in list where attempts.stood == 0 && result.count < 50 {
            if let alert = attempts.alert {
                result.append(alerted(key, attempts, alert.description, alert.isOfClient, alert.place))
            } else if attempts.dropped > 0, attempts.dropped == attempts.tried {
                result.append(dropped(key, attempts))
            }
        }
        return result
    }

    private func alerted(
        _ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts, _ description: UInt8, _ isOfClient: Bool,
        _ place: EvidencePlace
    ) -> Finding {
        let (client, server) = ("\(key.client)", Self.name(key.server))
        let alert = TLSAlert(description)
        let sender = isOfClient ? client : server
        let source = isOfClient ? attempts.client.endpoint : key.server.endpoint
        return Finding(
            .tlsFailed, .fault,
            "\(client) gets no TLS connection to \(server): \(alert.sentence(client: client, server: server, isOfClient: isOfClient)).",
            details: [
                "The alert \(alert.name) (\(description)) ended \(counted(attempts.alerts, "handshake")); none succeeded in this capture."
            ],
            evidence: [
                hello(key, attempts),
                Evidence(place: place, source: source, excerpt: "TLS alert \(alert.name)", says: "ends the handshake"),
            ], culprit: .proved(sender), confidence: .proved, remedies: alert.remedies(isOfClient: isOfClient),
            subject: FindingSubject(client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: max(1, attempts.alerts))
    }

    private func dropped(_ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts) -> Finding {
        var evidence = [hello(key, attempts)]
        if let end = attempts.end {
            evidence.append(Evidence(place: end, excerpt: "TCP FIN or RST", says: "instead of an answer"))
        }
        return Finding(
            .tlsFailed, .fault,
            "\(key.client) gets no TLS connection to \(Self.name(key.server)): the connection is closed as soon as TLS begins.",
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

    private func hello(_ key: HandshakeLedger.Key, _ attempts: HandshakeLedger.Attempts) -> Evidence {
        Evidence(
            place: attempts.hello, time: Instant(nanoseconds: attempts.time), source: attempts.client.endpoint,
            destination: key.server.endpoint, excerpt: "TLS ClientHello", says: "the first attempt")
    }
}

/// An alert of TLS (RFC 8446 6.2) and what it means between phone and server.
struct TLSAlert {
    let name: String
    private let kind: Kind

    private enum Kind { case trust, date, version, certificateWanted, name, other }

    init(_ description: UInt8) {
        (name, kind) =
            switch description {
            case 40: ("handshake_failure", .version)
            case 42: ("bad_certificate", .trust)
            case 43: ("unsupported_certificate", .trust)
            case 44: ("certificate_revoked", .trust)
            case 45: ("certificate_expired", .date)
            case 46: ("certificate_unknown", .trust)
            case 47: ("illegal_parameter", .other)
            case 48: ("unknown_ca", .trust)
            case 70: ("protocol_version", .version)
            case 71: ("insufficient_security", .version)
            case 80: ("internal_error", .other)
            case 86: ("inappropriate_fallback", .version)
            case 112: ("unrecognized_name", .name)
            case 116: ("certificate_required", .certificateWanted)
            default: ("number \(description)", .other)
            }
    }

    func sentence(client: String, server: String, isOfClient: Bool) -> String {
        switch (kind, isOfClient) {
        case (.trust, true): "it does not trust the server's certificate"
        case (.date, true): "it finds the server's certificate expired"
        case (.trust, false), (.date, false): "the server does not accept the phone's certificate"
        case (.certificateWanted, _): "the server wants a certificate of the phone"
        case (.version, true): "it finds no TLS version or cipher in common with the server"
        case (.version, false): "the server finds no TLS version or cipher in common with it"
        case (.name, _): "the server has no certificate for the name it asked for"
        case (.other, _): "\(isOfClient ? client : server) broke the handshake off"
        }
    }

    func remedies(isOfClient: Bool) -> [Remedy] {
        switch (kind, isOfClient) {
        case (.trust, true):
            [
                Remedy(
                    .phone,
                    "Give the phone the authority that signed the server's certificate, and enter the server by the name in it."),
                Remedy(.server, "Let the server send its whole chain (intermediate certificates too)."),
            ]
        case (.date, true):
            [
                Remedy(.server, "Renew the server's certificate."),
                Remedy(.phone, "If it is not expired, set the phone's clock (NTP)."),
            ]
        case (.trust, false), (.date, false), (.certificateWanted, _):
            [
                Remedy(.phone, "Give the phone a certificate that the server accepts."),
                Remedy(.server, "Or let the server do without: switch the check of clients' certificates off."),
            ]
        case (.version, _):
            [
                Remedy(.phone, "Update the phone, or allow TLS 1.2 in its settings."),
                Remedy(.server, "Allow on the server the newest version and a cipher that the phone knows."),
            ]
        case (.name, _): [Remedy(.phone, "Enter the server by a name that its certificate has.")]
        case (.other, _): [Remedy(.server, "Look into the logs of both ends around that moment.")]
        }
    }
}
