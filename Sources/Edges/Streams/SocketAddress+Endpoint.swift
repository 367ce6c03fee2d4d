import Base
import NIOCore

extension Endpoint {
    /// nil for what is no IP address.
    init?(_ address: SocketAddress) {
        guard let port = address.port.flatMap(UInt16.init(exactly:)) else { return nil }
        switch address {
        case .v4(let v4):
            let bits = UInt32(bigEndian: v4.address.sin_addr.s_addr)
            self.init(
                .v4(IPv4Address(UInt8(bits >> 24), UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255))), port)
        case .v6(let v6):
            let (high, low) = withUnsafeBytes(of: v6.address.sin6_addr) { raw in
                (
                    UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self.init(.v6(IPv6Address(high: high, low: low)), port)
        case .unixDomainSocket: return nil
        }
    }

    /// As NIO wants it.
    func socketAddress() throws -> SocketAddress { try SocketAddress(ipAddress: address.description, port: Int(port)) }
}
