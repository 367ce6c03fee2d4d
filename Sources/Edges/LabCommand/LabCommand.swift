import Analysis
import ArgumentParser
import Base
import Demo
import Foundation
import Lab
import LabAnalysis
import ShowExplain
import ShowLab
import ShowText
import TerminalEdge

/// `pinhole lab` and `pinhole-lab`: server, phone and router on a virtual network, in virtual time.
public struct LabCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Server, phones and routers on a virtual network in virtual time: the same code as for real.",
        subcommands: [StoryCommand.self, MatrixCommand.self, ConferenceCommand.self, RunCommand.self, DemoCommand.self],
        defaultSubcommand: StoryCommand.self)

    public init() {}
}

/// What every laboratory command takes.
struct LabOptions: ParsableArguments {
    @Flag(help: "Plain text, whatever the terminal can show.") var noColor = false
    @Flag(help: "For machines.") var json = false
    @Option(help: ArgumentHelp("Write a capture of each link there, for tshark or Wireshark.", valueName: "dir"))
    var pcap: String?

    var style: ReportStyle { Terminal.style(noColor: noColor) }

    /// What `pinhole explain` would say of the captures. Those of two links that show both sides of a router are compared.
    func explanation(_ captures: [(link: String, pcap: [UInt8])]) -> String {
        var shown = ExplainText.Options()
        shown.mostLadders = 0
        let heading = style.paint("Explained from what the links recorded", .strong) + "\n"
        return heading + ExplainText(LabExplanation.ofCaptures(captures), shown).text(style)
    }

    /// Writes captures as `DIR/PREFIX-LINK.pcap`; their paths.
    @discardableResult
    func write(_ captures: [(link: String, pcap: [UInt8])], prefix: String) throws -> [String] {
        guard let pcap else { return [] }
        var paths: [String] = []
        let folder = URL(fileURLWithPath: pcap, isDirectory: true)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for capture in captures {
                let name = "\(prefix)-\(capture.link).pcap".map { $0 == "/" || $0 == " " ? "_" : $0 }
                let file = folder.appendingPathComponent(String(name))
                try Data(capture.pcap).write(to: file)
                paths.append(file.relativePath)
            }
        } catch {
            throw LabFailure("The captures could not be written to \(pcap): \(error.localizedDescription)")
        }
        return paths
    }
}

struct StoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "story", abstract: "The phone of 2007 that would not register, and three ways it goes.")

    @OptionGroup var options: LabOptions
    @Option(help: "Another seed draws other tags, nonces and jitter.") var seed: UInt64 = 2007
    @Option(help: "Only this act, 1 to 3.") var act: Int?
    @Flag(help: "Show the server's console as well: every message, and what it means.") var sipDebug = false
    @Flag(help: "Explain what the links recorded, by the rules of pinhole explain.") var explain = false

    func run() throws {
        let story = Story(seed: seed, isRecorded: options.pcap != nil || explain)
        let chapters: [Story.Chapter]
        if let act {
            guard let act = Story.Act(rawValue: act) else { throw ValidationError("There are acts 1 to 3, found \(act).") }
            chapters = [story.play(act)]
        } else {
            chapters = story.play()
        }
        for chapter in chapters { try options.write(chapter.world.captures, prefix: "act\(chapter.act.rawValue)") }
        if options.json {
            print(StoryJSON(chapters).value.prettyText)
            return
        }
        var shown = StoryReport.Options()
        shown.showsMessages = sipDebug
        guard explain else {
            print(StoryReport(chapters, shown).text(options.style), terminator: "")
            return
        }
        let report = StoryReport(chapters, shown)
        for chapter in chapters {
            print(report.text(chapter, options.style), terminator: "")
            print(options.explanation(chapter.world.captures), terminator: "")
        }
    }
}

struct MatrixCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "matrix",
        abstract: "288 ways to put a phone behind a router, one simulated hour each: registered, reachable, flapping, and why.")

    @OptionGroup var options: LabOptions
    @Option(help: "The same seed gives the same bytes.") var seed: UInt64 = 2007

    func run() throws {
        let matrix = Matrix(seed: seed)
        var results: [MatrixResult] = []
        for (index, cell) in MatrixCell.all.enumerated() {
            results.append(matrix.run(cell))
            Terminal.progress("matrix", index + 1, of: MatrixCell.all.count)
            if options.pcap != nil { try options.write(matrix.captures(cell), prefix: "cell\(index)") }
        }
        let report = MatrixReport(matrix, results)
        print(options.json ? report.json.prettyText : report.text(options.style))
    }
}

struct ConferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conference", abstract: "Three phones behind three routers in one room: who hears whom.")

    @OptionGroup var options: LabOptions
    @Option(help: "The same seed gives the same bytes.") var seed: UInt64 = 2007
    @Flag(help: "Show the ladder.") var ladder = false
    @Flag(help: "Explain what the links recorded, by the rules of pinhole explain.") var explain = false

    func run() throws {
        let outcome = Conference(seed: seed, isRecorded: options.pcap != nil || explain).hold()
        try options.write(outcome.world.captures, prefix: "conference")
        let report = ConferenceReport(outcome)
        if ladder, !options.json {
            print(LabLadder(outcome.records, of: outcome.world, from: outcome.start).text(options.style))
        }
        print(options.json ? report.json.prettyText : report.text(options.style), terminator: options.json ? "\n" : "")
        if explain, !options.json { print(options.explanation(outcome.world.captures), terminator: "") }
        if !outcome.isComplete { throw ExitCode(1) }
    }
}

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "The story, the matrix, and a conference of three.")

    @Flag(help: "Tell all: every event, every message, every REGISTER.") var full = false
    @Flag(help: "Plain text, whatever the terminal can show.") var noColor = false

    func run() async { await DemoProgram.play(isFull: full, noColor: noColor) }
}
