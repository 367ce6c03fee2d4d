import ArgumentParser
import ExplainCommand
import LabCommand
import TerminalEdge

@main
struct Pinhole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pinhole",
        abstract: "SIP that gets through NATs, and says which box broke it when it does not.",
        discussion: "Exit status: 0, or 1 where it failed, or 64 for wrong usage; phone and explain have more, see their --help.",
        version: "pinhole \(programVersion)",
        subcommands: [
            ServeCommand.self, StatusCommand.self, ReloadCommand.self, CheckConfigCommand.self, AccountCommand.self,
            BindingsCommand.self, CallsCommand.self, PhoneCommand.self, RouterCommand.self, LabCommand.self,
            ExplainCommand.self,
        ])
}
