import Analysis
import Base
import ShowText

/// What protects signalling and media, in words and for machines.
extension ExplainWords {
    /// `; signalling over TLS, media by SDES (AES_CM_128_HMAC_SHA1_80)` behind a ladder's title; empty where all is plain or unknown.
    static func security(_ dialog: DialogSummary, _ result: AnalysisResult) -> String {
        var parts: [String] = []
        if let transport = transport(dialog, result), transport != "UDP", transport != "TCP" {
            parts.append("signalling over \(transport)")
        }
        if let media = protection(dialog.protection) { parts.append("media by \(media)") }
        return parts.map { "; \($0)" }.joined()
    }

    /// `SDES (AES_CM_128_HMAC_SHA1_80), its keys readable on the way`, `DTLS-SRTP, handshake completed`; nil for plain RTP and for what is
    /// not known.
    static func protection(_ protection: MediaProtection?) -> String? {
        guard let protection else { return nil }
        var text: String
        switch protection.kind {
        case .none: return nil
        case .sdes:
            text = "SDES" + (protection.suite.map { " (\($0))" } ?? "")
            if protection.areKeysReadable { text += ", its keys readable on the way" }
        case .dtls:
            text = "DTLS-SRTP"
            switch protection.handshake {
            case .completed: text += ", handshake completed"
            case .incomplete: text += ", handshake not completed"
            case .refused: text += ", handshake refused"
            case .unanswered: text += ", handshake not answered"
            case nil: break
            }
        }
        return text + (protection.isExtra ? ", offered beside plain RTP" : "")
    }

    private static let transports = SIPTransport.allCases.map(\.viaToken)

    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS`: what its first message came over; nil where that is not known.
    static func transport(_ dialog: DialogSummary, _ result: AnalysisResult) -> String? {
        guard let first = result.recordIndices(of: dialog).first else { return nil }
        let record = result.records[first]
        let isSecure = record.marks.contains(.overTLS)
        if record.marks.contains(.overWebSocket) { return isSecure ? "WSS" : "WS" }
        if isSecure { return "TLS" }
        if record.marks.contains(.overStream) { return "TCP" }
        guard record.place.kind == .line else { return "UDP" }
        // Where the log's own line does not tell, the sender does.
        let via = result.message(record, in: dialog).fields.first { $0.name == "Via" }?.value.prefix { $0 != " " }
        return via?.split(separator: "/").last.map { $0.uppercased() }.flatMap { transports.contains($0) ? $0 : nil }
    }
}

extension ExplainJSON {
    static func protection(_ protection: MediaProtection?) -> JSONValue {
        guard let protection else { return .null }
        return .object([
            ("kind", .string(protection.kind.rawValue)), ("suite", text(protection.suite)), ("extra", .bool(protection.isExtra)),
            ("keysReadable", .bool(protection.areKeysReadable)), ("handshake", text(protection.handshake?.rawValue)),
        ])
    }
}
