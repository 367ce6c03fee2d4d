/// How many octets the payloads of a stream have, as far as one size is nearly all of them.
struct PayloadSizes: Sendable {
    /// Of the size that is watched: the first that came, or that has ousted it.
    private(set) var octets: UInt16 = 0
    private var same: UInt32 = 0
    private var others: UInt32 = 0

    /// Counts a payload of that many octets.
    @inline(__always)
    mutating func note(_ count: Int) {
        if count == Int(octets) {
            same &+= 1
        } else if same <= 2 {
            octets = UInt16(clamping: count)
            same = 1
        } else {
            others &+= 1
        }
    }

    /// The size of all but one in twenty, of a hundred or more; nil where sizes differ.
    var steady: Int? { same >= 100 && others <= same / 20 ? Int(octets) : nil }
}
