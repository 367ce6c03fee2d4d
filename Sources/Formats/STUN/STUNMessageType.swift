/// The class and method of a STUN message (RFC 8489 5): 14 bits on the wire, the class bits woven into the method.
public struct STUNMessageType: Hashable, Sendable, CustomStringConvertible {
    /// RFC 8489 5.
    public enum Class: UInt16, Hashable, Sendable, CaseIterable {
        case request = 0
        case indication = 1
        case success = 2
        case error = 3
    }

    public var kind: Class
    /// 12 bits; 1 is Binding.
    public var method: UInt16

    /// `method`: its upper four bits are dropped.
    public init(_ kind: Class, method: UInt16 = STUNMessageType.binding) {
        self.kind = kind
        self.method = method & 0xfff
    }

    /// Nil if either of the two most significant bits is set: such a word starts no STUN message.
    @inlinable
    public init?(wire: UInt16) {
        guard wire & 0xc000 == 0, let kind = Class(rawValue: (wire >> 7 & 2) | (wire >> 4 & 1)) else { return nil }
        self.kind = kind
        method = wire & 0x000f | wire >> 1 & 0x0070 | wire >> 2 & 0x0f80
    }

    /// The 16 bits that start the message.
    public var wire: UInt16 {
        let class0 = (kind.rawValue & 1) << 4
        let class1 = (kind.rawValue & 2) << 7
        return method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | class0 | class1
    }

    public static let binding: UInt16 = 1
    /// RFC 3489 only; retired by RFC 5389.
    public static let sharedSecret: UInt16 = 2

    public static let bindingRequest = STUNMessageType(.request)
    public static let bindingIndication = STUNMessageType(.indication)
    public static let bindingSuccess = STUNMessageType(.success)
    public static let bindingError = STUNMessageType(.error)

    public var description: String {
        let name =
            switch method {
            case 1: "Binding"
            case 2: "Shared Secret"
            default: "method 0x\(String(method, radix: 16))"
            }
        return switch kind {
        case .request: "\(name) request"
        case .indication: "\(name) indication"
        case .success: "\(name) success response"
        case .error: "\(name) error response"
        }
    }
}
