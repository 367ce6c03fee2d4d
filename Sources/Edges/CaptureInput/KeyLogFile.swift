import Capture
import TLS

/// A key log (SSLKEYLOGFILE) that the user names.
public enum KeyLogFile {
    /// All secrets of a file; `path` `-`: standard input. Throws what is wrong with it, and what to do, where it holds none.
    public static func read(_ path: String, limits: TLSKeyLog.Limits = .init()) throws(InputError) -> TLSKeyLog {
        let source = try ByteSource(path: path)
        let name = source.name
        var log = TLSKeyLog(limits: limits)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var isFirst = true
        while log.omittedOctets == 0 {
            var failure: InputError?
            let count = buffer.withUnsafeMutableBytes { space -> Int in
                do throws(InputError) {
                    return try source.read(into: space)
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            if count == 0 { break }
            if isFirst, let reason = Self.foreign(buffer.prefix(count), source.kind) { throw InputError(name, reason) }
            isFirst = false
            buffer.withUnsafeBytes { log.read(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        log.endLine()
        guard log.isEmpty else { return log }
        let advice = "let the phone, browser or server write one (SSLKEYLOGFILE) while the capture runs, and give that"
        if isFirst { throw InputError(name, "this key log is empty: \(advice)") }
        let lines = log.strangeLines + log.otherLines
        throw InputError(
            name,
            lines == 0
                ? "this key log holds comments alone: \(advice)"
                : "this is no TLS key log: none of its \(lines) lines is a secret such as CLIENT_RANDOM or CLIENT_TRAFFIC_SECRET_0; \(advice)"
        )
    }

    /// What is sometimes given in place of a key log.
    private static func foreign(_ head: ArraySlice<UInt8>, _ kind: InputKind) -> String? {
        if [.pcap, .pcapng, .hep].contains(kind) { return "this is a capture, no key log: name it without --keylog" }
        guard head.starts(with: "-----BEGIN ".utf8) || head.starts(with: [0x30, 0x82]) else { return nil }
        return "this is a certificate or a private key: such keys open no session of today; a key log (SSLKEYLOGFILE) is wanted"
    }
}
