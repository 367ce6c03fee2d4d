/// Reads text forward. The one place of this target that touches pointers, the table of `ByteSet` apart: every access lies
/// between `base` and `base + end`, which the closures of `withCursor` keep alive.
///
/// It owns nothing, so that copying it is free: whoever makes a text hands over the bytes that the text will share.
struct Cursor {
    /// The first byte of the whole buffer: places count from here, and all before `end` may be read.
    let base: UnsafePointer<UInt8>
    private let sets: UnsafePointer<UInt16>
    var at: Int
    var end: Int

    /// `base` is nil for an empty buffer.
    @inline(__always)
    init(_ base: UnsafePointer<UInt8>?, from: Int, to: Int) {
        sets = ByteSet.table
        // Never read: an empty buffer has no place before its end.
        self.base = base ?? UnsafePointer(UnsafeRawPointer(sets).assumingMemoryBound(to: UInt8.self))
        at = from
        end = to
    }

    /// The same buffer between other places.
    @inline(__always)
    func part(_ from: Int, _ to: Int) -> Cursor {
        var part = self
        part.at = from
        part.end = to
        return part
    }

    @inline(__always)
    func isIn(_ set: ByteSet, _ byte: UInt8) -> Bool { sets[Int(byte)] & set.bit != 0 }

    @inline(__always) var isAtEnd: Bool { at >= end }

    /// The byte at `at`, 0 at the end.
    @inline(__always) var peek: UInt8 { at < end ? base[at] : 0 }

    /// The byte `distance` further on, 0 beyond the end.
    @inline(__always)
    func peek(_ distance: Int) -> UInt8 { at + distance < end ? base[at + distance] : 0 }

    @inline(__always)
    mutating func skip(_ byte: UInt8) -> Bool {
        guard at < end, base[at] == byte else { return false }
        at &+= 1
        return true
    }

    @inline(__always)
    mutating func skip(_ set: ByteSet) { at = endOfRun(of: set, from: at, end) }

    /// Where the bytes of `set` end that stand from `start` on.
    @inline(__always)
    func endOfRun(of set: ByteSet, from start: Int, _ limit: Int) -> Int {
        var place = start
        while place < limit, isIn(set, base[place]) { place &+= 1 }
        return place
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while at < end, base[at] == 0x20 || base[at] == 0x09 { at &+= 1 }
    }

    /// Separator: white space, `byte`, white space; nothing moves without the byte.
    @inline(__always)
    mutating func skipSeparator(_ byte: UInt8) -> Bool {
        var place = at
        while place < end, base[place] == 0x20 || base[place] == 0x09 { place &+= 1 }
        guard place < end, base[place] == byte else { return false }
        at = place &+ 1
        skipWhitespace()
        return true
    }

    /// Where `byte` stands next, nil if nowhere.
    func place(of byte: UInt8) -> Int? {
        var place = at
        let pattern = SIMD16(repeating: byte)
        while place &+ 16 <= end {
            if let hit = firstHit(sixteen(place) .== pattern) { return place &+ hit }
            place &+= 16
        }
        if place &+ 8 <= end {
            let hits = zeroBytes(word(place) ^ UInt64(byte) &* 0x0101_0101_0101_0101)
            if hits != 0 { return place &+ hits.trailingZeroBitCount >> 3 }
            place &+= 8
        }
        while place < end {
            if base[place] == byte { return place }
            place &+= 1
        }
        return nil
    }

    /// Where CR or LF stands next; `end` if nowhere.
    @inline(__always)
    func placeOfLineEnd() -> Int {
        var place = at
        while true {
            // Any byte below 0x0E; of those only CR and LF count.
            while place &+ 16 <= end {
                if let hit = firstHit(sixteen(place) .< SIMD16(repeating: 0x0E)) {
                    place &+= hit
                    break
                }
                place &+= 16
            }
            while place < end, base[place] >= 0x0E { place &+= 1 }
            guard place < end else { return end }
            if base[place] == 0x0D || base[place] == 0x0A { return place }
            place &+= 1
        }
    }

    /// A field name, its colon and the white space around it; nil, and nothing moves, where none stands here.
    @inline(__always)
    mutating func fieldName(_ names: HeaderNameTable) -> (id: UInt8, end: Int)? {
        let start = at
        // Registered names are told by their letters: only the others need a look at each.
        let stop = endOfName(from: start)
        guard stop > start else { return nil }
        var colon = stop
        while colon < end, base[colon] == 0x20 || base[colon] == 0x09 { colon &+= 1 }
        guard colon < end, base[colon] == UInt8(ascii: ":") else { return nil }
        let id = nameKey(start, stop).map { names.id(of: $0) } ?? 0
        if id == 0, endOfRun(of: .token, from: start, end) != stop { return nil }
        at = colon &+ 1
        skipWhitespace()
        return (id, stop)
    }

    /// Where a colon, or a byte up to the space, stands next; `end` if nowhere.
    @inline(__always)
    private func endOfName(from start: Int) -> Int {
        var place = start
        while place &+ 8 <= end {
            let w = word(place)
            let low = (w &- 0x2121_2121_2121_2121) & ~w & 0x8080_8080_8080_8080
            let hits = low | zeroBytes(w ^ 0x3A3A_3A3A_3A3A_3A3A)
            if hits != 0 { return place &+ hits.trailingZeroBitCount >> 3 }
            place &+= 8
        }
        while place < end, base[place] > 0x20, base[place] != UInt8(ascii: ":") { place &+= 1 }
        return place
    }

    /// Whether `range` spells `name` without regard to case.
    @inline(__always)
    func matches(_ from: Int, _ to: Int, _ name: StaticString) -> Bool {
        equalsCaseless(base + from, to &- from, name.utf8Start, name.utf8CodeUnitCount)
    }

    /// A name made of token characters; nil where it is longer than `ShortName` holds.
    @inline(__always)
    func shortName(_ name: Range<Int>) -> ShortName? {
        let count = name.upperBound &- name.lowerBound
        guard count &- 1 < ShortName.capacity, count > 0 else { return nil }
        var letters: UInt64 = 0
        if name.upperBound >= 8 {
            // What stands before the name is shifted out.
            letters = word(name.upperBound &- 8) &>> UInt64((8 &- count) &* 8)
        } else {
            for place in name.reversed() { letters = letters << 8 | UInt64(base[place]) }
        }
        return ShortName(letters: letters)
    }

    @inline(__always)
    func nameKey(_ from: Int, _ to: Int) -> NameKey? {
        makeNameKey(base + from, to &- from, readable: end &- from)
    }

    @inline(__always)
    private func sixteen(_ place: Int) -> SIMD16<UInt8> {
        UnsafeRawPointer(base + place).loadUnaligned(as: SIMD16<UInt8>.self)
    }

    @inline(__always)
    private func word(_ place: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(base + place).loadUnaligned(as: UInt64.self))
    }
}

/// The first lane that is true.
@inline(__always)
private func firstHit(_ mask: SIMDMask<SIMD16<Int8>>) -> Int? {
    let halves = unsafeBitCast(mask, to: SIMD2<UInt64>.self)
    let (low, high) = (UInt64(littleEndian: halves[0]), UInt64(littleEndian: halves[1]))
    guard low | high != 0 else { return nil }
    return low != 0 ? low.trailingZeroBitCount >> 3 : 8 &+ high.trailingZeroBitCount >> 3
}

/// The high bit of every byte that is zero; bits above the first such byte mean nothing.
@inline(__always)
private func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
}

/// ASCII only; bytes above 0x7F must be equal.
@inline(__always)
private func equalsCaseless(_ a: UnsafePointer<UInt8>, _ aCount: Int, _ b: UnsafePointer<UInt8>, _ bCount: Int) -> Bool {
    guard aCount == bCount else { return false }
    var index = 0
    while index < aCount {
        if a[index] != b[index], asciiLowercased(a[index]) != asciiLowercased(b[index]) { return false }
        index &+= 1
    }
    return true
}

@inline(__always)
private func makeNameKey(_ start: UnsafePointer<UInt8>, _ count: Int, readable: Int) -> NameKey? {
    guard count > 0, count <= 32 else { return nil }
    /// Letters from `from` on, at most 8, capitals made small; bytes behind the name are zero.
    @inline(__always)
    func word(_ from: Int) -> UInt64 {
        guard from < count else { return 0 }
        var value: UInt64 = 0
        if from &+ 8 <= readable {
            value = UInt64(littleEndian: UnsafeRawPointer(start + from).loadUnaligned(as: UInt64.self))
            if count &- from < 8 { value &= 1 << (8 &* UInt64(count &- from)) &- 1 }
        } else {
            var index = min(count, from &+ 8)
            while index > from {
                index &-= 1
                value = value << 8 | UInt64(start[index])
            }
        }
        return value | (value & 0x4040_4040_4040_4040) >> 1
    }
    return NameKey(a: word(0), b: word(8), c: word(16), d: word(24))
}

extension SIPText {
    /// Runs `body` with a cursor over the whole text, and the bytes it shares; offsets are those of these bytes.
    @inline(__always)
    func withCursor<Result>(
        _ body: (inout Cursor, [UInt8]) throws(SIPParseError) -> Result
    ) throws(SIPParseError) -> Result {
        try storage.withUnsafeBufferPointer { (buffer) throws(SIPParseError) -> Result in
            var cursor = Cursor(buffer.baseAddress, from: Int(lower), to: Int(upper))
            return try body(&cursor, storage)
        }
    }

    /// The same where nothing is thrown.
    @inline(__always)
    func reading<Result>(_ body: (inout Cursor) -> Result) -> Result {
        storage.withUnsafeBufferPointer { buffer in
            var cursor = Cursor(buffer.baseAddress, from: Int(lower), to: Int(upper))
            return body(&cursor)
        }
    }

    var nameKey: NameKey? {
        reading { cursor in cursor.nameKey(cursor.at, cursor.end) }
    }

    /// Equality by content.
    public static func == (a: SIPText, b: SIPText) -> Bool {
        guard a.count == b.count else { return false }
        return a.reading { x in
            b.reading { y in
                var index = 0
                let count = x.end - x.at
                while index < count {
                    if x.base[x.at + index] != y.base[y.at + index] { return false }
                    index &+= 1
                }
                return true
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        reading { cursor in
            hasher.combine(bytes: UnsafeRawBufferPointer(start: cursor.base + cursor.at, count: cursor.end - cursor.at))
        }
    }

    /// Equality that takes ASCII capitals for small letters.
    public func equalsCaseless(_ other: SIPText) -> Bool {
        guard count == other.count else { return false }
        return reading { x in
            other.reading { y in
                SIP.equalsCaseless(x.base + x.at, x.end - x.at, y.base + y.at, y.end - y.at)
            }
        }
    }

    /// The same against a literal, without making a text of it.
    public func equalsCaseless(literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        return reading { cursor in cursor.matches(cursor.at, cursor.end, literal) }
    }

    /// Exact equality with a literal, without making a text of it.
    public func equals(literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        return reading { cursor in
            for index in 0..<(cursor.end - cursor.at) where cursor.base[cursor.at + index] != literal.utf8Start[index] {
                return false
            }
            return true
        }
    }

    func hashCaseless(into hasher: inout Hasher) {
        for byte in bytes { hasher.combine(asciiLowercased(byte)) }
        hasher.combine(count)
    }
}
