/// A JSON value (RFC 8259) to be written. Members keep the order in which they are given.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// Not-a-number and infinities, which JSON lacks, become null.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(String, JSONValue)])

    /// On one line.
    public var text: String {
        var text = ""
        write(to: &text, indent: nil, depth: 0)
        return text
    }

    /// On many lines, two spaces a level.
    public var prettyText: String {
        var text = ""
        write(to: &text, indent: "  ", depth: 0)
        return text
    }

    private func write(to text: inout String, indent: String?, depth: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.isFinite ? Self.number(value) : "null"
        case .string(let value): Self.write(value, to: &text)
        case .array(let values):
            Self.write(values.count, "[", "]", to: &text, indent, depth) { index, text in
                values[index].write(to: &text, indent: indent, depth: depth + 1)
            }
        case .object(let members):
            Self.write(members.count, "{", "}", to: &text, indent, depth) { index, text in
                Self.write(members[index].0, to: &text)
                text += indent == nil ? ":" : ": "
                members[index].1.write(to: &text, indent: indent, depth: depth + 1)
            }
        }
    }

    private static func write(
        _ count: Int, _ opening: String, _ closing: String, to text: inout String, _ indent: String?, _ depth: Int,
        _ element: (Int, inout String) -> Void
    ) {
        text += opening
        for index in 0..<count {
            if index > 0 { text += "," }
            if let indent { text += "\n" + String(repeating: indent, count: depth + 1) }
            element(index, &text)
        }
        if let indent, count > 0 { text += "\n" + String(repeating: indent, count: depth) }
        text += closing
    }

    /// Whole numbers without a fraction, as other writers have it.
    private static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
