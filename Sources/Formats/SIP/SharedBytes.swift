import Base

/// A range in shared bytes, or none.
@usableFromInline
struct TextSpan: Sendable {
    @usableFromInline var lower: UInt32 = .max
    @usableFromInline var upper: UInt32 = .max

    init() {}

    @inline(__always)
    init(_ range: Range<Int>) { self.init(range.lowerBound, range.upperBound) }

    @inline(__always)
    init(_ from: Int, _ to: Int) {
        lower = UInt32(truncatingIfNeeded: from)
        upper = UInt32(truncatingIfNeeded: to)
    }

    @inlinable @inline(__always) var isPresent: Bool { lower != .max }
}

/// The bytes that the texts of one value share: a message's, with what was put in by hand behind them.
///
/// A value made of many texts holds one reference in place of one for each, which halves the cost of reading it.
@usableFromInline
struct SharedBytes: Sendable {
    @usableFromInline private(set) var bytes: [UInt8] = []

    init() {}

    @inline(__always)
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    @inlinable @inline(__always)
    func text(_ span: TextSpan) -> SIPText? {
        span.isPresent ? SIPText(unchecked: bytes, Int(span.lower), Int(span.upper)) : nil
    }

    @inline(__always)
    func parameters(_ span: TextSpan) -> SIPParameters {
        span.isPresent ? SIPParameters(checked: SIPText(unchecked: bytes, Int(span.lower), Int(span.upper))) : SIPParameters()
    }

    mutating func keep(_ text: SIPText?) -> TextSpan {
        guard let text else { return TextSpan() }
        let start = bytes.count
        bytes.append(text)
        return TextSpan(start, bytes.count)
    }

    mutating func keep(_ parameters: SIPParameters) -> TextSpan {
        parameters.isEmpty ? TextSpan() : keep(parameters.text)
    }

    @inlinable @inline(__always)
    func host(_ place: HostPlace) -> SIPHost {
        switch place {
        case .ipv4(let v4): .ipv4(v4)
        case .ipv6(let v6): .ipv6(v6)
        case .name(let span): .name(text(span) ?? SIPText())
        }
    }

    mutating func keep(_ host: SIPHost) -> HostPlace {
        switch host {
        case .ipv4(let v4): .ipv4(v4)
        case .ipv6(let v6): .ipv6(v6)
        case .name(let name): .name(keep(name))
        }
    }
}

/// A host whose name is a place in shared bytes.
@usableFromInline
enum HostPlace: Sendable {
    case ipv4(IPv4Address)
    case ipv6(IPv6Address)
    case name(TextSpan)
}
