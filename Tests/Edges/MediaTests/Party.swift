import Base
import Glibc

/// A party on a real socket.
final class Party {
    let endpoint: Endpoint
    private let socket: Int32

    init(_ address: String = "127.0.0.1") {
        let wanted = IPAddress(address)!
        socket = Glibc.socket(wanted.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var name = Self.name(Endpoint(wanted, 0))
        var length = socklen_t(name.count)
        let socket = socket
        name.withUnsafeMutableBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            _ = bind(socket, pointer, length)
            _ = getsockname(socket, pointer, &length)
        }
        endpoint = Endpoint(wanted, Self.port(name))
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        let name = Self.name(endpoint)
        name.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            _ = sendto(socket, bytes, bytes.count, 0, pointer, socklen_t(name.count))
        }
    }

    /// What came next, and from where; nil after a minute without anything.
    func receive() -> (bytes: [UInt8], port: UInt16, address: IPAddress)? {
        var buffer = [UInt8](repeating: 0, count: 2_048)
        var name = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_in6>.size)
        var length = socklen_t(name.count)
        let count = name.withUnsafeMutableBytes { raw in
            recvfrom(socket, &buffer, buffer.count, 0, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard count >= 0 else { return nil }
        let isIPv6 = endpoint.address.isIPv6
        let octets = Array(name[(isIPv6 ? 8 : 4)..<(isIPv6 ? 24 : 8)])
        func word(_ at: Int) -> UInt64 { UInt64(octets.uint32(at: at)) << 32 | UInt64(octets.uint32(at: at + 4)) }
        let address: IPAddress =
            isIPv6 ? .v6(IPv6Address(high: word(0), low: word(8))) : .v4(IPv4Address(bits: octets.uint32(at: 0)))
        return (Array(buffer[..<count]), Self.port(name), address)
    }

    /// The port stands at the same place for both families.
    private static func port(_ name: [UInt8]) -> UInt16 { UInt16(name[2]) << 8 | UInt16(name[3]) }

    /// A sockaddr_in or sockaddr_in6.
    private static func name(_ endpoint: Endpoint) -> [UInt8] {
        let size = endpoint.address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        var name = [UInt8](repeating: 0, count: size)
        let family = UInt16(endpoint.address.isIPv6 ? AF_INET6 : AF_INET)
        name[0] = UInt8(truncatingIfNeeded: family)
        name[1] = UInt8(family >> 8)
        name[2] = UInt8(endpoint.port >> 8)
        name[3] = UInt8(truncatingIfNeeded: endpoint.port)
        var octets: [UInt8] = []
        octets.append(endpoint.address)
        let start = endpoint.address.isIPv6 ? 8 : 4
        name.replaceSubrange(start..<(start + octets.count), with: octets)
        return name
    }
}
