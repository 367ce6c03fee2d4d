import Glibc

/// Why an input could not be read, in words for the one who named it.
public struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, interface or address as it was given.
    public var name: String
    public var reason: String

    public init(_ name: String, _ reason: String) {
        self.name = name
        self.reason = reason
    }

    /// `code`: an errno value.
    init(_ name: String, code: Int32, doing: String) {
        self.name = name
        reason = "\(doing): \(String(cString: strerror(code)))"
    }

    public var description: String { "\(name): \(reason)" }

    /// The reason alone, as a sentence.
    public var sentence: String { reason.prefix(1).uppercased() + reason.dropFirst() + (reason.hasSuffix(".") ? "" : ".") }
}
