import Base

/// A STUN message (RFC 8489 5; without the magic cookie RFC 3489 11.1), parsed into ranges over its own bytes.
///
/// Nothing is lost: `bytes` is what was received, padding, order and unknown attributes included, and what may be sent on.
public struct STUNMessage: Hashable, Sendable {
    /// One attribute's place in the message.
    public struct Place: Hashable, Sendable {
        public var type: STUNAttributeType
        /// Where the attribute's own header starts.
        public var start: Int
        /// The value without its padding, as indices into `bytes`.
        public var value: Range<Int>
    }

    public let bytes: [UInt8]
    public let type: STUNMessageType
    public let transactionID: STUNTransactionID
    /// In order of appearance, repetitions included.
    public let places: [Place]

    /// What a message may hold before it counts as hostile.
    public static let mostAttributes = 128
    public static let headerLength = 20

    /// `bytes`: one whole message and nothing else.
    public init(_ bytes: [UInt8]) throws(STUNError) {
        guard bytes.count >= Self.headerLength else { throw STUNError(.shorterThanHeader, at: bytes.count) }
        guard let type = STUNMessageType(wire: bytes.uint16(at: 0)) else { throw STUNError(.notSTUN, at: 0) }
        let length = Int(bytes.uint16(at: 2))
        guard length % 4 == 0 else { throw STUNError(.oddLength, at: 2) }
        let following = bytes.count - Self.headerLength
        guard length == following else { throw STUNError(.wrongLength(says: length, is: following), at: 2) }
        var places: [Place] = []
        var at = Self.headerLength
        while at < bytes.count {
            // Lengths are multiples of four throughout, so at least four bytes are left.
            let attribute = STUNAttributeType(rawValue: bytes.uint16(at: at))
            let count = Int(bytes.uint16(at: at + 2))
            let start = at + 4
            guard count <= bytes.count - start else { throw STUNError(.attributePastEnd(attribute), at: at) }
            guard places.count < Self.mostAttributes else { throw STUNError(.tooManyAttributes, at: at) }
            places.append(Place(type: attribute, start: at, value: start..<(start + count)))
            at = start + (count + 3) & ~3
        }
        self.bytes = bytes
        self.type = type
        self.places = places
        transactionID = STUNTransactionID(
            high: UInt64(bytes.uint32(at: 4)) << 32 | UInt64(bytes.uint32(at: 8)),
            low: UInt64(bytes.uint32(at: 12)) << 32 | UInt64(bytes.uint32(at: 16))
        )
    }

    /// How long the message that starts with `prefix` is, header included, for reading from a stream; nil while fewer than four
    /// bytes are there.
    public static func length(startingWith prefix: ArraySlice<UInt8>) -> Int? {
        guard prefix.count >= 4 else { return nil }
        let at = prefix.startIndex + 2
        return Self.headerLength + (Int(prefix[at]) << 8 | Int(prefix[at + 1]))
    }

    /// The place of the first attribute of `type`: later ones of the same type are ignored, and so is all that follows
    /// MESSAGE-INTEGRITY except MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 14, 14.5 to 14.7).
    public func place(of type: STUNAttributeType) -> Place? {
        var sealed = false
        for place in places {
            let seals = place.type == .messageIntegrity || place.type == .messageIntegritySHA256
            if place.type == type, !sealed || type == .messageIntegritySHA256 || type == .fingerprint { return place }
            if place.type == .fingerprint { return nil }
            sealed = sealed || seals
        }
        return nil
    }

    /// The raw value of the first attribute of `type`.
    public func value(of type: STUNAttributeType) -> ArraySlice<UInt8>? {
        place(of: type).map { bytes[$0.value] }
    }

    /// Comprehension-required attributes that `known` does not hold, each once, in order of appearance.
    public func unknownRequired(knowing known: Set<STUNAttributeType>) -> [STUNAttributeType] {
        var unknown: [STUNAttributeType] = []
        for place in places where place.type.isComprehensionRequired && !known.contains(place.type) {
            if !unknown.contains(place.type) { unknown.append(place.type) }
        }
        return unknown
    }
}
