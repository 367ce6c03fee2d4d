import ArgumentParser
import TerminalEdge

/// `pinhole-explain`: `explain` as a program of its own.
public struct ExplainProgram: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "pinhole-explain", abstract: ExplainCommand.configuration.abstract,
        discussion: ExplainCommand.configuration.discussion, version: "pinhole-explain \(programVersion)")

    @OptionGroup var explain: ExplainCommand

    public init() {}

    public func run() throws { try explain.run() }
}
