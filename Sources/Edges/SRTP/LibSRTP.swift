import CSRTP
import MediaControl
import RTP
import Relay

/// SRTP and SRTCP of one leg by libsrtp2 (RFC 3711, RFC 7714), in place.
///
/// Invariant for `@unchecked Sendable`: the contexts belong to one leg of one media plane, and only the thread that drives the plane
/// calls them.
public final class LibSRTP: SRTPInPlace, @unchecked Sendable {
    private let outbound: OpaquePointer
    private let inbound: OpaquePointer

    /// nil: the suite is missing from this build of the library, or a key has the wrong length.
    public init?(_ parameters: SRTPParameters) {
        let suite = parameters.suite.librarySuite
        guard let outbound = ps_create(suite, parameters.localKey, parameters.localKey.count, true) else { return nil }
        guard let inbound = ps_create(suite, parameters.remoteKey, parameters.remoteKey.count, false) else {
            ps_destroy(outbound)
            return nil
        }
        self.outbound = outbound
        self.inbound = inbound
    }

    deinit {
        ps_destroy(outbound)
        ps_destroy(inbound)
    }

    public static let provider = SRTPProvider { LibSRTP($0) }

    /// What this build of the library can do, strongest that every phone has first (RFC 4568, RFC 7714).
    public static let suites: [SRTPParameters.Suite] = SRTPParameters.Suite.allCases.filter { suite in
        let key = [UInt8](repeating: 1, count: suite.keyLength)
        return LibSRTP(SRTPParameters(suite: suite, localKey: key, remoteKey: key)) != nil
    }

    public func protect(_ packet: UnsafeMutableRawBufferPointer, length: Int, isRTCP: Bool) -> Int? {
        guard length <= packet.count, let start = packet.baseAddress else { return nil }
        let count = ps_protect(outbound, start.assumingMemoryBound(to: UInt8.self), length, packet.count, isRTCP)
        return count >= 0 ? count : nil
    }

    public func unprotect(_ packet: UnsafeMutableRawBufferPointer, length: Int, isRTCP: Bool) -> Int? {
        guard length <= packet.count, let start = packet.baseAddress else { return nil }
        let count = ps_unprotect(inbound, start.assumingMemoryBound(to: UInt8.self), length, isRTCP)
        return count >= 0 ? count : nil
    }

    public func protect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? {
        inBuffer(packet) { protect($0, length: packet.count, isRTCP: isRTCP) }
    }

    public func unprotect(_ packet: [UInt8], isRTCP: Bool) -> [UInt8]? {
        inBuffer(packet) { unprotect($0, length: packet.count, isRTCP: isRTCP) }
    }

    private func inBuffer(_ packet: [UInt8], _ body: (UnsafeMutableRawBufferPointer) -> Int?) -> [UInt8]? {
        // The library works on whole words.
        withUnsafeTemporaryAllocation(byteCount: packet.count + ps_overhead, alignment: 8) { buffer in
            buffer.copyBytes(from: packet)
            return body(buffer).map { Array(buffer[0..<$0]) }
        }
    }
}

extension SRTPParameters.Suite {
    fileprivate var librarySuite: ps_suite {
        switch self {
        case .aesCM128HMACSHA1_80: ps_aes_cm_128_hmac_sha1_80
        case .aesCM128HMACSHA1_32: ps_aes_cm_128_hmac_sha1_32
        case .aesCM256HMACSHA1_80: ps_aes_cm_256_hmac_sha1_80
        case .aeadAES128GCM: ps_aead_aes_128_gcm
        case .aeadAES256GCM: ps_aead_aes_256_gcm
        }
    }
}
