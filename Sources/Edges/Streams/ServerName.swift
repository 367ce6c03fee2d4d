import X509

/// Whether a certificate is for a host (RFC 6125 6.4, RFC 5922 7.2).
enum ServerName {
    /// True when a DNS name among the certificate's alternative names is `name`, or a wildcard for its first label.
    static func isNamed(_ name: String, inCertificate bytes: [UInt8]) -> Bool {
        guard let certificate = try? Certificate(derEncoded: bytes),
            let alternatives = try? certificate.extensions.subjectAlternativeNames
        else { return false }
        let wanted = labels(name)
        return alternatives.contains { alternative in
            guard case .dnsName(let pattern) = alternative else { return false }
            let offered = labels(pattern)
            if offered.first == "*", offered.count > 2 { return offered.dropFirst().elementsEqual(wanted.dropFirst()) }
            return offered == wanted
        }
    }

    private static func labels(_ name: String) -> [Substring] {
        name.lowercased().split(separator: ".", omittingEmptySubsequences: true)
    }
}
