import Foundation

/// What two programs of OpenSSL said to each other over TLS (`tls/make.py`), and the key log of one.
public struct TLSTalk: Sendable {
    /// Lines of the key log.
    public var keys: [String] = []
    public var turns: [(isClient: Bool, octets: [UInt8])] = []

    public init(_ name: String) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("tls/\(name).tls")
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("key ") {
                keys.append(String(line.dropFirst(4)))
            } else {
                turns.append((line.hasPrefix(">"), try WrittenOctets.octets(of: ["=" + line.dropFirst(2)])))
            }
        }
    }
}
