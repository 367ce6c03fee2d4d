import Base

extension SIPURI {
    /// The comparison of RFC 3261 19.1.4.
    public func isEquivalent(to other: SIPURI) -> Bool {
        scheme == other.scheme && host == other.host && port == other.port
            && SIPURI.same(user, other.user) && SIPURI.same(password, other.password)
            && parametersMatch(other) && other.parametersMatch(self) && headersMatch(other)
    }

    /// What stands in both must match. `user`, `ttl`, `method`, `maddr` and, by the section's examples, `transport` must
    /// stand in both or in neither.
    private func parametersMatch(_ other: SIPURI) -> Bool {
        for parameter in parameters {
            guard let match = other.parameters.find(named: parameter.name) else {
                for decisive in ["user", "ttl", "method", "maddr", "transport"] as [StaticString]
                where parameter.name.equalsCaseless(literal: decisive) {
                    return false
                }
                continue
            }
            let mine = parameter.value ?? SIPText()
            let theirs = match.value ?? SIPText()
            guard mine.normalizedEscapes.equalsCaseless(theirs.normalizedEscapes) else { return false }
        }
        return true
    }

    /// Header components are never ignored; their order does not count.
    private func headersMatch(_ other: SIPURI) -> Bool {
        let mine = headerFields
        let theirs = other.headerFields
        guard mine.count == theirs.count else { return false }
        var left = theirs
        for field in mine {
            guard let place = left.firstIndex(where: { $0.name == field.name && $0.value == field.value }) else {
                return false
            }
            left.remove(at: place)
        }
        return true
    }

    /// The header components, unescaped.
    public var headerFields: [(name: HeaderName, value: SIPText)] {
        guard let headers else { return [] }
        return headers.bytes.split(separator: UInt8(ascii: "&")).map { field in
            let sign = field.firstIndex(of: UInt8(ascii: "=")) ?? field.endIndex
            return (
                HeaderName(SIPText(field[..<sign]).percentDecoded), SIPText(field[sign...].dropFirst()).percentDecoded
            )
        }
    }

    private static func same(_ a: SIPText?, _ b: SIPText?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return a == b || a.normalizedEscapes == b.normalizedEscapes
    }
}

extension SIPText {
    /// Escapes of characters outside of the reserved set resolved, others in capital letters (RFC 3261 19.1.4).
    var normalizedEscapes: SIPText {
        guard bytes.contains(UInt8(ascii: "%")) else { return self }
        var plain: [UInt8] = []
        var index = 0
        while let byte = self[index] {
            guard byte == UInt8(ascii: "%"), let high = self[index + 1].flatMap(hexDigit),
                let low = self[index + 2].flatMap(hexDigit)
            else {
                plain.append(byte)
                index += 1
                continue
            }
            let value = high << 4 | low
            if ";/?:@&=+$,".utf8.contains(value) {
                plain.append(byte)
                for digit in [high, low] { plain.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            } else {
                plain.append(value)
            }
            index += 3
        }
        return SIPText(plain)
    }
}
