import ArgumentParser
import ExplainCommand
import LabCommand

@main
struct Pinhole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pinhole",
        abstract: "SIP that gets through NATs, and says which box broke it when it does not.",
        subcommands: [
            ServeCommand.self, AccountCommand.self, BindingsCommand.self, CallsCommand.self, PhoneCommand.self, LabCommand.self,
            ExplainCommand.self,
        ])
}
