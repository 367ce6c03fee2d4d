/// Notes the places of the parameters it knows while a header's parameters are walked, so that nobody looks for them again.
protocol ParameterRecord {
    /// `value` is nil where the parameter has none. Of several parameters of one name the first counts.
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?)
}

/// For headers whose parameters nobody asks for by name.
struct NoParameterRecord: ParameterRecord {
    @inline(__always)
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?) {}
}

/// A parameter that is looked for once: whether it stands there, and where its value is.
struct ParameterPlace: Sendable {
    private(set) var isThere = false
    private(set) var value = TextSpan()

    @inline(__always)
    mutating func note(_ value: TextSpan?) {
        guard !isThere else { return }
        isThere = true
        if let value { self.value = value }
    }
}

/// Those of From, To and Contact.
struct AddressParameterPlaces: ParameterRecord, Sendable {
    var tag = ParameterPlace()
    var expires = ParameterPlace()
    var q = ParameterPlace()
    var instance = ParameterPlace()
    var regID = ParameterPlace()

    @inline(__always)
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?) {
        let (from, to) = (name.lowerBound, name.upperBound)
        switch to &- from {
        case 1: if cursor.matches(from, to, "q") { q.note(value) }
        case 3: if cursor.matches(from, to, "tag") { tag.note(value) }
        case 6: if cursor.matches(from, to, "reg-id") { regID.note(value) }
        case 7: if cursor.matches(from, to, "expires") { expires.note(value) }
        case 13: if cursor.matches(from, to, "+sip.instance") { instance.note(value) }
        default: break
        }
    }
}

/// Those of Via.
struct ViaParameterPlaces: ParameterRecord, Sendable {
    var branch = ParameterPlace()
    var rport = ParameterPlace()
    var received = ParameterPlace()

    @inline(__always)
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?) {
        let (from, to) = (name.lowerBound, name.upperBound)
        switch to &- from {
        case 5: if cursor.matches(from, to, "rport") { rport.note(value) }
        case 6: if cursor.matches(from, to, "branch") { branch.note(value) }
        case 8: if cursor.matches(from, to, "received") { received.note(value) }
        default: break
        }
    }
}
