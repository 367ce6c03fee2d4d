import Base
import CLinux

extension Endpoint {
    /// From the kernel's form; nil when the family is unset.
    package init?(_ address: pl_address) {
        switch address.family {
        case 4:
            let b = address.bytes
            self.init(.v4(IPv4Address(b.0, b.1, b.2, b.3)), address.port)
        case 6:
            let (high, low) = withUnsafeBytes(of: address.bytes) { raw in
                (
                    UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self.init(.v6(IPv6Address(high: high, low: low)), address.port)
        default: return nil
        }
    }

    /// The kernel's form. `scope`: the interface index of a link-local IPv6 address, 0 otherwise.
    package func kernelAddress(scope: UInt32 = 0) -> pl_address {
        var result = pl_address()
        result.port = port
        result.scope = scope
        switch address {
        case .v4(let v4):
            result.family = 4
            (result.bytes.0, result.bytes.1, result.bytes.2, result.bytes.3) = v4.octets
        case .v6(let v6):
            result.family = 6
            withUnsafeMutableBytes(of: &result.bytes) { raw in
                raw.storeBytes(of: v6.high.bigEndian, toByteOffset: 0, as: UInt64.self)
                raw.storeBytes(of: v6.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        }
        return result
    }
}

extension IPAddress {
    /// fe80::/10, whose meaning depends on the interface.
    package var isLinkLocalIPv6: Bool {
        if case .v6(let v6) = self { v6.high >> 54 == 0x3fa } else { false }
    }
}

/// An errno value with what was being done.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// As in errno.h.
    public var code: Int32
    public var doing: String

    package init(code: Int32, doing: String) {
        self.code = code
        self.doing = doing
    }

    public var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        pl_error_text(code, &buffer, buffer.count)
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(doing): \(text)"
    }
}

/// What the kernel's routing table says about reaching somewhere, without sending anything.
public enum KernelRoute {
    /// The local address packets to `destination` would leave from; nil when there is no route.
    public static func source(towards destination: IPAddress) -> IPAddress? {
        var wanted = Endpoint(destination, 9).kernelAddress()
        var source = pl_address()
        guard pl_route_source(&wanted, &source) == 0 else { return nil }
        return Endpoint(source)?.address
    }
}
