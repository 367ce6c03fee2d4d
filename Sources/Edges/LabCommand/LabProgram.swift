import ArgumentParser
import TerminalEdge

/// `pinhole-lab`: the laboratory as a program of its own.
public struct LabProgram: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "pinhole-lab", abstract: LabCommand.configuration.abstract, version: "pinhole-lab \(programVersion)",
        subcommands: LabCommand.configuration.subcommands, defaultSubcommand: LabCommand.configuration.defaultSubcommand)

    public init() {}
}

/// What was asked for could not be done: exit status 1. Wrong usage is a `ValidationError`, 64.
struct LabFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
