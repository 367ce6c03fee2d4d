import Base
import Glibc

/// An IPv4 endpoint as the socket calls take it (ip(7)).
struct SocketAddress {
    private var address = sockaddr_in()

    init() {}

    /// nil: of another family.
    init?(_ endpoint: Endpoint) {
        guard case .v4(let v4) = endpoint.address else { return nil }
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = endpoint.port.bigEndian
        address.sin_addr.s_addr = v4.bits.bigEndian
    }

    var endpoint: Endpoint? {
        guard address.sin_family == sa_family_t(AF_INET) else { return nil }
        return Endpoint(.v4(IPv4Address(bits: UInt32(bigEndian: address.sin_addr.s_addr))), UInt16(bigEndian: address.sin_port))
    }

    func use<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    mutating func fill<Result>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result) -> Result {
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
        }
    }
}
