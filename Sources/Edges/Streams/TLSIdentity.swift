import Base
import Crypto
import Foundation
import NIOCore
import NIOSSL
import X509

/// A certificate chain and its private key, from files.
public struct TLSIdentity: Sendable {
    /// What is wrong with the files, in words for whoever named them.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public var description: String
        /// The key's file is meant, not the certificate's.
        public var isAboutKey = false
    }

    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    /// The SHA-256 fingerprint of the first certificate, as RFC 8122 writes it: what a person compares.
    public let fingerprint: String
    /// From when to when the first certificate is valid, in seconds since the Unix epoch.
    public let validFrom: Int64
    public let validUntil: Int64

    /// PEM files: the server's certificate first, then the chain; and its private key, unencrypted.
    public init(certificateFile: String, keyFile: String) throws(Failure) {
        for (file, isKey) in [(certificateFile, false), (keyFile, true)] where access(file, R_OK) != 0 {
            let words = errno == EACCES ? "this user may not read it" : "there is no such file"
            throw Failure(description: "\(file): \(words)", isAboutKey: isKey)
        }
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificateFile)
        } catch {
            throw Failure(description: "\(certificateFile): not a readable PEM certificate (\(error))")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw Failure(description: "\(keyFile): not a readable, unencrypted PEM private key (\(error))", isAboutKey: true)
        }
        guard let first = chain.first else { throw Failure(description: "\(certificateFile): holds no certificate") }
        self.init(chain, first, key)
        guard (try? NIOSSLContext(configuration: serverConfiguration)) != nil else {
            throw Failure(description: "\(keyFile): not the key of the first certificate in \(certificateFile)", isAboutKey: true)
        }
    }

    private init(_ chain: [NIOSSLCertificate], _ first: NIOSSLCertificate, _ key: NIOSSLPrivateKey) {
        self.chain = chain
        self.key = key
        validFrom = Int64(first.notValidBefore)
        validUntil = Int64(first.notValidAfter)
        let bytes = (try? first.toDERBytes()) ?? []
        let digits = Array("0123456789ABCDEF")
        fingerprint = SHA256.hash(data: bytes).map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }

    /// The self-signed identity that lives in `folder` (`tls-certificate.pem`, `tls-key.pem`), made now where it is missing, broken
    /// or about to expire, or not valid for one of `required`. `names`: host names and addresses it is to be valid for.
    public static func selfSigned(
        in folder: String, names: [String], required: [String] = [], now: Date = Date()
    ) throws -> TLSIdentity {
        let place = URL(fileURLWithPath: folder, isDirectory: true)
        let certificateFile = place.appendingPathComponent("tls-certificate.pem")
        let keyFile = place.appendingPathComponent("tls-key.pem")
        if let text = try? String(contentsOf: certificateFile, encoding: .utf8),
            let certificate = try? Certificate(pemEncoded: text),
            certificate.notValidAfter > now.addingTimeInterval(30 * 86_400), isValid(certificate, for: required),
            let identity = try? TLSIdentity(certificateFile: certificateFile.path, keyFile: keyFile.path)
        {
            return identity
        }
        let key = P256.Signing.PrivateKey()
        let certificate = try makeCertificate(key, names: names, now: now)
        do {
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try write(Data(key.pemRepresentation.utf8), to: keyFile, mode: 0o600)
            try write(Data(try certificate.serializeAsPEM().pemString.utf8), to: certificateFile, mode: 0o644)
        } catch {
            throw Failure(
                description: "\(folder): the self-signed certificate cannot be kept there (\(error.localizedDescription))")
        }
        return try TLSIdentity(certificateFile: certificateFile.path, keyFile: keyFile.path)
    }

    /// A self-signed identity that is kept nowhere, for a server without a data folder.
    public static func passing(names: [String], now: Date = Date()) throws -> TLSIdentity {
        let key = P256.Signing.PrivateKey()
        let text = try makeCertificate(key, names: names, now: now).serializeAsPEM().pemString
        let certificate = try NIOSSLCertificate(bytes: Array(text.utf8), format: .pem)
        return TLSIdentity(
            [certificate], certificate, try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))
    }

    /// What a self-signed certificate is valid for where nobody says.
    public static var nameOfThisMachine: String {
        let name = ProcessInfo.processInfo.hostName
        return name.isEmpty ? "localhost" : name
    }

    private static func isValid(_ certificate: Certificate, for names: [String]) -> Bool {
        guard !names.isEmpty else { return true }
        guard let known = try? certificate.extensions.subjectAlternativeNames else { return false }
        return names.allSatisfy { known.contains(alternative($0)) }
    }

    private static func alternative(_ name: String) -> GeneralName {
        switch IPAddress(name) {
        case .v4(let v4)?:
            let o = v4.octets
            return .ipAddress(.init(contentBytes: [o.0, o.1, o.2, o.3]))
        case .v6(let v6)?:
            let octets = [v6.high, v6.low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
            return .ipAddress(.init(contentBytes: octets[...]))
        case nil: return .dnsName(name)
        }
    }

    private static func makeCertificate(_ key: P256.Signing.PrivateKey, names: [String], now: Date) throws -> Certificate {
        let subject = try DistinguishedName { CommonName(names.first ?? "pinhole") }
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
            // A phone's clock may be behind; one that starts in 1970 accepts nothing anyway.
            notValidBefore: now.addingTimeInterval(-2 * 86_400), notValidAfter: now.addingTimeInterval(3_650 * 86_400),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames(names.map(alternative))
            }, issuerPrivateKey: .init(key))
    }

    /// In place only when whole; never readable by others before its mode is set.
    private static func write(_ data: Data, to file: URL, mode: Int) throws {
        let draft = file.appendingPathExtension("new")
        try? FileManager.default.removeItem(at: draft)
        guard FileManager.default.createFile(atPath: draft.path, contents: data, attributes: [.posixPermissions: mode]) else {
            throw CocoaError(.fileWriteUnknown)
        }
        _ = try? FileManager.default.removeItem(at: file)
        try FileManager.default.moveItem(at: draft, to: file)
    }

    /// Throws where the certificate and the key do not belong together.
    package func check() throws(StreamError) { _ = try serverContext() }

    func serverContext() throws(StreamError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: serverConfiguration)
        } catch {
            throw StreamError(code: 0, description: "the certificate and its key cannot be used together (\(error))")
        }
    }

    private var serverConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        // Desk phones of the last ten years speak it; nothing older is worth the risk.
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }
}

/// Whom a connecting client believes.
public enum TLSTrust: Hashable, Sendable {
    /// The system's certificate authorities.
    case system
    /// The certificates in this PEM file: authorities, or a server's own self-signed one.
    case file(String)
    /// Anyone. Bytes cannot be read in passing, but whoever sits in the middle can.
    case anyone

    var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        switch self {
        case .system: break
        case .file(let path): configuration.trustRoots = .file(path)
        case .anyone: configuration.certificateVerification = .none
        }
        return configuration
    }
}
