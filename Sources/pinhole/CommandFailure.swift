/// What was asked for could not be done: exit status 1. Wrong usage is a `ValidationError`, 64.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
