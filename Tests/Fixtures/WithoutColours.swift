/// A report without its escape sequences.
public func withoutColours(_ text: String) -> String {
    var plain = ""
    var isInside = false
    for character in text {
        if character == "\u{1b}" { isInside = true }
        if !isInside { plain.append(character) }
        if isInside, character == "m" { isInside = false }
    }
    return plain
}
