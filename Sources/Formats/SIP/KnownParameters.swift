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
@usableFromInline
struct ParameterPlace: Sendable {
    @usableFromInline private(set) var isThere = false
    @usableFromInline private(set) var value = TextSpan()

    @inline(__always)
    mutating func note(_ value: TextSpan?) {
        guard !isThere else { return }
        isThere = true
        if let value { self.value = value }
    }
}

/// Those of From, To and Contact.
@usableFromInline
struct AddressParameterPlaces: ParameterRecord, Sendable {
    @usableFromInline var tag = ParameterPlace()
    @usableFromInline var expires = ParameterPlace()
    @usableFromInline var q = ParameterPlace()
    @usableFromInline var instance = ParameterPlace()
    @usableFromInline var regID = ParameterPlace()

    @inline(__always)
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?) {
        guard let short = cursor.shortName(name) else {
            if cursor.matches(name.lowerBound, name.upperBound, "+sip.instance") { instance.note(value) }
            return
        }
        switch short {
        case "tag": tag.note(value)
        case "expires": expires.note(value)
        case "q": q.note(value)
        case "reg-id": regID.note(value)
        default: break
        }
    }
}

/// Those of Via.
@usableFromInline
struct ViaParameterPlaces: ParameterRecord, Sendable {
    @usableFromInline var branch = ParameterPlace()
    @usableFromInline var rport = ParameterPlace()
    @usableFromInline var received = ParameterPlace()

    @inline(__always)
    mutating func note(_ cursor: Cursor, _ name: Range<Int>, _ value: TextSpan?) {
        guard let short = cursor.shortName(name) else { return }
        switch short {
        case "branch": branch.note(value)
        case "rport": rport.note(value)
        case "received": received.note(value)
        default: break
        }
    }
}
