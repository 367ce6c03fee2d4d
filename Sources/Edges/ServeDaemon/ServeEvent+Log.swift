import Base
import LogEdge
import Logging
import Serve
import ServerNode

extension ServeEvent {
    /// Where it belongs in the log, and from which level on it is told there.
    var place: (category: LogCategory, level: Logger.Level) {
        switch self {
        case .server(let trace): trace.place
        case .listening, .notListening: (.transport, .info)
        case .connected, .disconnected, .sendFailed: (.transport, .info)
        case .certificate, .accounts, .clockSet, .draining, .reloaded, .stopped: (.server, .info)
        case .warning: (.server, .warning)
        case .media, .believesAnyone, .recording: (.media, .info)
        case .database, .restored: (.storage, .info)
        // The end of a trouble is told wherever the trouble was.
        case .trouble, .relief: (.server, .error)
        }
    }
}

extension ServerTrace {
    /// Message by message is for who looks for something; the usual log tells what came of them.
    var place: (category: LogCategory, level: Logger.Level) {
        switch self {
        case .received, .sent: (.transport, .debug)
        case .stunAnswered: (.transport, .trace)
        case .challenged: (.security, .debug)
        case .authentication(let authentication):
            switch authentication.verdict {
            case .accepted, .absent: (.security, .debug)
            case .stale, .replayed, .wrongPassword, .mangled: (.security, .info)
            }
        case .refused, .dropped: (.security, .info)
        case .bound(_, _, .refreshed), .keepalive, .restored: (.registrar, .debug)
        case .bound, .unbound, .flowDead, .flowRevived, .probed: (.registrar, .info)
        case .commitFailed, .storageWorks: (.storage, .info)
        case .notice(.guessed): (.security, .notice)
        case .notice(.tableFull): (.server, .notice)
        case .notice: (.registrar, .info)
        case .call: (.calls, .info)
        }
    }

    /// Roughly how many bytes it holds on to.
    var octets: Int {
        switch self {
        case .received(_, let message, _), .sent(_, let message, _): 256 + message.bytes.count
        default: 256
        }
    }
}

extension ServerTrace.Authentication {
    /// What programs that lock out look for: the same line whatever else changes. The user name is a stranger's, and percent-encoded
    /// where it could be taken for something else.
    public var failureLine: String? {
        guard let failure else { return nil }
        return "auth-failure " + failureFields(failure).map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }

    func failureFields(_ failure: Failure) -> [(name: String, value: String)] {
        let reason =
            switch failure {
            case .wrongPassword: "wrong-password"
            case .unknownUser: "unknown-user"
            }
        return [
            ("ip", "\(flow.remote.address)"), ("port", "\(flow.remote.port)"), ("user", Self.safe(username.bytes)),
            ("reason", reason),
        ]
    }

    private static func safe(_ name: some Collection<UInt8>) -> String {
        var result = ""
        for byte in name.prefix(64) {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "-._~+@".utf8.contains(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            result += isPlain ? String(UnicodeScalar(byte)) : "%" + (digits.count < 2 ? "0" : "") + digits
        }
        return result.isEmpty ? "-" : result
    }
}
