import Base
import Capture

/// Recomputes a digest with the password given, and looks for the input that would make it right (RFC 7616 3.4).
struct DigestRecheck: Sendable {
    enum Outcome: Hashable, Sendable {
        /// Right with the password given, as it stands.
        case right
        /// Right once this input is replaced: its name, what the phone says, what it hashed.
        case differs(field: String, said: String, hashed: String)
        /// No combination tried gives the phone's response.
        case wrongPassword
        /// Not enough is known: no password, no hash, an algorithm nobody tried.
        case unknown
    }

    let hash: @Sendable (AnalysisHash, [UInt8]) -> [UInt8]
    private var kind = AnalysisHash.md5
    private var isSession = false
    private var response = ""
    private var user = ""
    private var realm = ""
    private var nonce = ""
    private var uri = ""
    private var count = ""
    private var clientNonce = ""
    private var qop = ""
    private var body: [UInt8] = []
    private var method = ""

    init(hash: @escaping @Sendable (AnalysisHash, [UInt8]) -> [UInt8]) { self.hash = hash }

    /// `message`: the request; `challenge`: the response it answers, for its realm.
    mutating func check(_ message: [UInt8], challenge: [UInt8]?, password: String) -> Outcome {
        guard let facts = message.withUnsafeBytes({ MessageFacts($0) }), facts.credentials.isPresent else { return .unknown }
        message.withUnsafeBytes { p in
            let whole = facts.credentials.whole
            func value(_ name: StaticString) -> String { p.string(MessageFacts.parameter(p, whole.start, whole.end, name)) }
            user = value("username")
            realm = value("realm")
            nonce = value("nonce")
            uri = value("uri")
            response = value("response").lowercased()
            count = value("nc")
            clientNonce = value("cnonce")
            qop = value("qop").lowercased()
            let algorithm = value("algorithm").lowercased()
            isSession = algorithm.hasSuffix("-sess")
            kind = algorithm.hasPrefix("sha-256") ? .sha256 : .md5
            body = p.array(facts.body)
            method = MessageMethod.allCases.first { $0 == facts.method }?.token ?? ""
        }
        guard !response.isEmpty, response.utf8.count == (kind == .md5 ? 32 : 64) else { return .unknown }
        if matches(password: password) { return .right }
        let line = message.withUnsafeBytes { $0.string(facts.firstLine) }
        let asked = challenge.flatMap { Self.realm(of: $0) }
        for (field, said, values) in candidates(line, asked, facts, message) {
            for hashed in values where hashed != said && !hashed.isEmpty {
                if matches(password: password, replacing: field, with: hashed) {
                    return .differs(field: field, said: said, hashed: hashed)
                }
            }
        }
        return .wrongPassword
    }

    private static func realm(of challenge: [UInt8]) -> String? {
        challenge.withUnsafeBytes { p in
            MessageFacts(p).map { p.string($0.challenge.realm) }
        }
    }

    private func candidates(
        _ line: String, _ asked: String?, _ facts: MessageFacts, _ message: [UInt8]
    ) -> [(field: String, said: String, values: [String])] {
        let requestURI = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let aor = message.withUnsafeBytes { $0.string(facts.from) }
        let parts = aor.split(separator: "@").map(String.init)
        let host = parts.last ?? ""
        let bare = user.split(separator: "@").first.map(String.init) ?? user
        return [
            ("realm", realm, [asked ?? "", host, "asterisk", realm.lowercased(), ""]),
            (
                "uri", uri,
                [
                    requestURI, requestURI.split(separator: ";").first.map(String.init) ?? "", "sip:\(host)", "sip:\(aor)",
                    "sips:\(host)",
                ]
            ),
            ("username", user, [parts.first ?? "", bare, "\(user)@\(host)", "\(user)@\(realm)", aor, user.lowercased()]),
            ("method", method, MessageMethod.allCases.map(\.token)),
            ("qop", qop, ["none", "auth", "auth-int"]),
            ("nc", count, ["00000001", "00000002", "1"]),
        ]
    }

    private func matches(password: String, replacing field: String = "", with value: String = "") -> Bool {
        func input(_ name: String, _ said: String) -> String { name == field ? value : said }
        let used = input("qop", qop)
        var first = hex("\(input("username", user)):\(input("realm", realm)):\(password)")
        if isSession { first = hex("\(first):\(nonce):\(clientNonce)") }
        var last = "\(input("method", method)):\(input("uri", uri))"
        if used == "auth-int" { last += ":\(hex(body))" }
        let text =
            used.isEmpty || used == "none"
            ? "\(first):\(nonce):\(hex(last))" : "\(first):\(nonce):\(input("nc", count)):\(clientNonce):\(used):\(hex(last))"
        return hex(text) == response
    }

    private func hex(_ text: String) -> String { hex(Array(text.utf8)) }

    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        for byte in hash(kind, bytes) {
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }
}
