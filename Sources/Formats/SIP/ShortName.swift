/// A name of at most eight letters as one word, compared without case; what parsers look for among parameters.
///
/// Only letters, digits and hyphens may stand in the names that are looked for: of these two differ in case alone where
/// their words are equal, whatever the other one holds.
struct ShortName: Equatable {
    static var capacity: Int { 8 }

    private let letters: UInt64

    /// The first letter in the lowest byte; bytes behind the last are zero.
    @inline(__always)
    init(letters: UInt64) { self.letters = letters | (letters & 0x4040_4040_4040_4040) >> 1 }

    /// A name in small letters.
    @inline(__always)
    init(_ name: StaticString) {
        var letters: UInt64 = 0
        var index = name.utf8CodeUnitCount
        while index > 0 {
            index &-= 1
            letters = letters << 8 | UInt64(name.utf8Start[index])
        }
        self.letters = letters
    }

    /// `switch` over a name: `case "tag"`.
    @inline(__always)
    static func ~= (pattern: StaticString, name: ShortName) -> Bool { ShortName(pattern) == name }
}
