import Base
import SIP
import SIPStack

/// A registrar that does what a test wants of it, with digests checked by hand-written arithmetic rather than by the product's server.
final class TestRegistrar {
    enum Nonces {
        /// Any nonce it has ever made is good.
        case all
        /// Only the newest; an older one is stale (one nonce a dialog).
        case newest
        /// Every answer is called stale.
        case none
    }

    var password = "secret100"
    var nonces = Nonces.all
    /// Offered in this order, in one response.
    var algorithms: [DigestHash] = [.md5]
    var unknownAlgorithm: String?
    var qop = true
    var granted: UInt32?
    var minimum: UInt32?
    /// Served before anything else: status line and extra header lines.
    var script: [(status: Int, lines: String)] = []
    var isSilent = false
    var isOutbound = true
    var fillsRport = true
    var isProxy = false
    /// Whether a wrong or old nonce is told apart by `stale=true`.
    var saysStale = true
    private(set) var made: [String] = []
    private(set) var optionsSeen = 0
    var answersOptions = true
    private(set) var bindings: [String: UInt32] = [:]
    /// The nonces to hand out first.
    var planned: [String] = []

    func callAsFunction(_ message: SIPMessage, _ source: Endpoint, _ now: Instant) -> [[UInt8]] {
        guard !isSilent else { return [] }
        if message.method == .options {
            optionsSeen += 1
            return answersOptions ? [response(message, source, 200, "OK")] : []
        }
        guard message.method == .register else { return [] }
        if !script.isEmpty {
            let next = script.removeFirst()
            return [response(message, source, next.status, next.lines)]
        }
        let name = isProxy ? HeaderName.proxyAuthorization : .authorization
        guard let header = message.first(name)?.value.string else { return [challenge(message, source, stale: false)] }
        guard isRight(header) else { return [challenge(message, source, stale: false)] }
        let nonce = parameter("nonce", of: header) ?? ""
        let isFresh: Bool
        switch nonces {
        case .all: isFresh = made.contains(nonce)
        case .newest: isFresh = made.last == nonce
        case .none: isFresh = false
        }
        guard isFresh else { return [challenge(message, source, stale: saysStale)] }
        let asked = (try? message.expires) ?? 3600
        if asked > 0, let minimum, asked < minimum { return [response(message, source, 423, "Min-Expires: \(minimum)\r\n")] }
        guard case .list(let contacts)? = try? message.contacts else { return [] }
        var lines = ""
        for contact in contacts {
            let expires = min(contact.expires ?? asked, granted ?? .max)
            bindings[contact.uriText.string] = expires == 0 ? nil : expires
            if expires > 0 { lines += "Contact: <\(contact.uriText)>;expires=\(expires)\r\n" }
        }
        if isOutbound { lines += "Supported: path, outbound\r\n" }
        return [response(message, source, 200, lines)]
    }

    private func challenge(_ message: SIPMessage, _ source: Endpoint, stale: Bool) -> [UInt8] {
        let nonce = planned.isEmpty ? "nonce\(made.count + 1)" : planned.removeFirst()
        made.append(nonce)
        let field = isProxy ? "Proxy-Authenticate" : "WWW-Authenticate"
        var lines = ""
        if let unknownAlgorithm {
            lines += "\(field): Digest realm=\"lab.test\", nonce=\"\(nonce)\", algorithm=\(unknownAlgorithm)\r\n"
        }
        for algorithm in algorithms {
            lines +=
                "\(field): Digest realm=\"lab.test\", nonce=\"\(nonce)\", algorithm=\(algorithm.token)"
                + (qop ? ", qop=\"auth\"" : "") + (stale ? ", stale=true" : "") + "\r\n"
        }
        return response(message, source, isProxy ? 407 : 401, lines)
    }

    private func isRight(_ header: String) -> Bool {
        let hash = DigestHash.allCases.first { $0.token == parameter("algorithm", of: header) ?? "MD5" } ?? .md5
        func h(_ text: String) -> String { hash.hash(Array(text.utf8)).description }
        let value = { parameter($0, of: header) ?? "" }
        let secret = h("100:lab.test:\(password)")
        let subject = h("REGISTER:\(value("uri"))")
        let middle = qop ? "\(value("nonce")):\(value("nc")):\(value("cnonce")):auth" : value("nonce")
        return value("response") == h("\(secret):\(middle):\(subject)")
    }

    func response(_ message: SIPMessage, _ source: Endpoint, _ status: Int, _ lines: String) -> [UInt8] {
        var text = "SIP/2.0 \(status) Reason\r\n"
        for via in message.all(.via) {
            var value = via.value.string
            if fillsRport { value += ";received=\(source.address)" }
            text += "Via: \(fillsRport ? value.replacing(";rport", with: ";rport=\(source.port)") : value)\r\n"
        }
        for name in [HeaderName.from, .callID, .cseq] { text += "\(name.canonical): \(message.first(name)!.value)\r\n" }
        text +=
            "To: \(message.first(.to)!.value);tag=server\r\n\(lines.hasSuffix("\r\n") || lines.isEmpty ? lines : "")Content-Length: 0\r\n\r\n"
        return Array(text.utf8)
    }
}

extension String {
    /// Without Foundation: every occurrence of `old`.
    func replacing(_ old: String, with new: String) -> String {
        var result = ""
        var rest = self[...]
        while let first = rest.first {
            if rest.hasPrefix(old) {
                result += new
                rest = rest.dropFirst(old.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
