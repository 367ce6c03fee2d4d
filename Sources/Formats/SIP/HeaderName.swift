/// The name of a header field: keeps its spelling, compared without case; compact forms equal their long ones (RFC 3261 7.3).
///
/// Names that the registry knows carry a small number, so that comparing them compares integers.
public struct HeaderName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// 1 and up for names of the registry, 0 for all others.
    public let id: UInt8
    /// The spelling met in a message; empty for a registered name that was made from its number.
    private let spelling: SIPText

    init(id: UInt8) {
        self.id = id
        spelling = SIPText()
    }

    init(id: UInt8, spelling: SIPText) {
        self.id = id
        self.spelling = spelling
    }

    public init(_ text: SIPText) {
        spelling = text
        id = HeaderNameTable.shared.id(of: text)
    }

    public init(stringLiteral value: String) { self.init(SIPText(value)) }

    /// As spelt, or the canonical long form.
    public var text: SIPText { spelling.isEmpty ? canonical : spelling }

    /// The registered long form; unknown names as spelt.
    public var canonical: SIPText {
        guard id > 0 else { return spelling }
        return HeaderName.registry[Int(id) - 1].name.withUTF8Buffer { SIPText(Array($0)) }
    }

    public var description: String { text.string }

    public static func == (a: HeaderName, b: HeaderName) -> Bool {
        a.id == b.id && (a.id != 0 || a.spelling.equalsCaseless(b.spelling))
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        if id == 0 { spelling.hashCaseless(into: &hasher) }
    }

    func append(to bytes: inout [UInt8]) {
        if spelling.isEmpty, id > 0 {
            bytes.append(ascii: HeaderName.registry[Int(id) - 1].name)
        } else {
            bytes.append(spelling)
        }
    }
}

/// Registered names by their letters: open addressing over the length and the words of a name in lower case.
struct HeaderNameTable: Sendable {
    private struct Slot: Sendable {
        var key = NameKey()
        var id: UInt8 = 0
    }

    static let shared = HeaderNameTable()

    private var slots = [Slot](repeating: Slot(), count: 512)

    private init() {
        for (index, entry) in HeaderName.registry.enumerated() {
            let id = UInt8(index + 1)
            entry.name.withUTF8Buffer { insert(SIPText(Array($0)), id) }
            if entry.compact != 0 { insert(SIPText([entry.compact]), id) }
        }
    }

    private mutating func insert(_ name: SIPText, _ id: UInt8) {
        guard let key = name.nameKey else { return }
        var place = Int(key.slot)
        while slots[place].id != 0 { place = (place + 1) & 511 }
        slots[place] = Slot(key: key, id: id)
    }

    func id(of text: SIPText) -> UInt8 {
        guard let key = text.nameKey else { return 0 }
        return id(of: key)
    }

    @inline(__always)
    func id(of key: NameKey) -> UInt8 {
        var place = Int(key.slot)
        while slots[place].id != 0 {
            if slots[place].key == key { return slots[place].id }
            place = (place + 1) & 511
        }
        return 0
    }
}

/// A name of at most 32 letters as four words in lower case, short ones padded with zeros.
struct NameKey: Equatable, Sendable {
    var a: UInt64 = 0
    var b: UInt64 = 0
    var c: UInt64 = 0
    var d: UInt64 = 0

    @inline(__always)
    var slot: UInt64 {
        let mixed = (a &* 0x9E37_79B9_7F4A_7C15) ^ (b &* 0xC2B2_AE3D_27D4_EB4F) ^ (c &* 0x1656_67B1_9E37_79F9) ^ d
        return ((mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9) >> 55
    }
}
