/// An alert of TLS (RFC 8446 6.2) and what it means between phone and server.
struct TLSAlert {
    let name: String
    private var kind: Kind

    private enum Kind { case trust, date, version, cipher, certificateWanted, name, late, other }

    init(_ description: UInt8) {
        (name, kind) =
            switch description {
            case 40: ("handshake_failure", .cipher)
            case 42: ("bad_certificate", .trust)
            case 43: ("unsupported_certificate", .trust)
            case 44: ("certificate_revoked", .trust)
            case 45: ("certificate_expired", .date)
            case 46: ("certificate_unknown", .trust)
            case 47: ("illegal_parameter", .other)
            case 48: ("unknown_ca", .trust)
            case 70: ("protocol_version", .version)
            case 71: ("insufficient_security", .cipher)
            case 80: ("internal_error", .other)
            case 86: ("inappropriate_fallback", .version)
            case 112: ("unrecognized_name", .name)
            case 116: ("certificate_required", .certificateWanted)
            default: ("number \(description)", .other)
            }
    }

    /// Of a server's alert, by what had been said before it.
    init(_ alert: HandshakeLedger.Alert) {
        self.init(alert.description)
        guard !alert.isOfClient else { return }
        // What follows a hello that the server answered is no quarrel about versions and ciphers.
        if alert.lacksCertificate { kind = .certificateWanted } else if alert.isAnswered, kind == .cipher { kind = .late }
    }

    func sentence(client: String, server: String, isOfClient: Bool) -> String {
        switch (kind, isOfClient) {
        case (.trust, true): "it does not trust the server's certificate"
        case (.date, true): "it finds the server's certificate expired"
        case (.trust, false), (.date, false): "the server does not accept the phone's certificate"
        case (.certificateWanted, _): "the server wants a certificate of the phone"
        case (.cipher, true): "it finds no TLS version or cipher in common with the server"
        case (.cipher, false): "the server finds no TLS version or cipher in common with it"
        case (.version, true): "it does not accept the version of TLS that the server speaks"
        case (.version, false): "the server does not accept the version of TLS that it offers"
        case (.late, _): "the server breaks the handshake off after both had agreed on version and cipher"
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
        case (.late, _):
            [
                Remedy(
                    .server,
                    "See in the log of the server why: a check of the phone's certificate or name, or a key that does not fit.")
            ]
        case (.version, _), (.cipher, _):
            [
                Remedy(.phone, "Update the phone, or allow TLS 1.2 in its settings."),
                Remedy(.server, "Allow on the server the newest version and a cipher that the phone knows."),
            ]
        case (.name, _): [Remedy(.phone, "Enter the server by a name that its certificate has.")]
        case (.other, _): [Remedy(.server, "Look into the logs of both ends around that moment.")]
        }
    }
}
