import ArgumentParser
import Base
import Configuration
import Foundation
import Lab
import ShowLab
import ShowText

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Scenarios of your own; the exit status says whether their expectations were met.",
        discussion: """
            Exit status: 0 all were met, 1 one was not, 2 a file expects nothing, 64 a file is missing or no scenario; the worst of
            several files counts.
            """)

    @Argument(help: ArgumentHelp("YAML files, or folders of them; see docs/scenarios.md.", valueName: "file"))
    var paths: [String]
    @OptionGroup var options: LabOptions
    @Option(help: "Instead of the scenarios' own seed.") var seed: UInt64?
    @Flag(help: "Show the ladder.") var ladder = false
    @Flag(help: "Explain what the links recorded, by the rules of pinhole explain.") var explain = false
    @Flag(help: "Print the Test Anything Protocol (version 14).") var tap = false
    @Option(help: ArgumentHelp("Write JUnit's XML there too.", valueName: "file")) var junit: String?

    /// For people: everything of each scenario. `--tap` and `--json` are only that.
    private var isForPeople: Bool { !options.json && !tap }

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Give a scenario file, or a folder of them.") }
        guard !(options.json && tap) else { throw ValidationError("Give --json or --tap, not both.") }
    }

    func run() throws {
        let found = paths.flatMap(Self.scenarios)
        var files: [ScenarioSuite.File] = []
        for path in found {
            let file = try play(path, isAlone: found.count == 1)
            if case .unreadable(let why, _) = file.outcome {
                FileHandle.standardError.write(Data("error: \(printable(why))\n".utf8))
            }
            files.append(file)
        }
        let suite = ScenarioSuite(files)
        // One file asked for by name is one object, as it always was.
        if options.json { print((found == paths && files.count == 1 ? files[0].json : suite.json).prettyText) }
        if tap { print(suite.tap, terminator: "") }
        if isForPeople, files.count > 1 { print(suite.text(options.style), terminator: "") }
        if let junit { try write(suite.junit, to: junit) }
        if suite.status != .met { throw ExitCode(suite.status.rawValue) }
    }

    /// The scenario files of a folder and of those in it, by name; a file is itself.
    private static func scenarios(_ path: String) -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { return [path] }
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        let files = names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted().map { "\(path)/\($0)" }
        return files.isEmpty ? [path] : files
    }

    private func play(_ path: String, isAlone: Bool) throws -> ScenarioSuite.File {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            return ScenarioSuite.File(
                path, .unreadable("\(path) holds no scenario: no file whose name ends in .yaml or .yml", line: nil))
        }
        guard let text = FileManager.default.contents(atPath: path) else {
            let why = "\(path) cannot be read; check the name and its permissions."
            return ScenarioSuite.File(path, .unreadable(why, line: nil))
        }
        let scenario: Scenario
        do throws(ConfigError) {
            scenario = try Scenario(try YAMLFile.parse(String(decoding: text, as: UTF8.self), name: path))
        } catch {
            var line: Int?
            if case .file(_, let at, _) = error.place { line = at }
            return ScenarioSuite.File(path, .unreadable("\(error)", line: line))
        }
        let result = scenario.run(seed: seed, isRecorded: options.pcap != nil || explain)
        let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        let captures = try options.write(result.world.captures, prefix: isAlone ? result.name : "\(stem)-\(result.name)")
        if isForPeople {
            print(ScenarioReport(result).text(options.style, showsLadder: ladder), terminator: isAlone ? "" : "\n")
            if explain { print(options.explanation(result.world.captures), terminator: "") }
        }
        return ScenarioSuite.File(
            path, .ran(name: result.name, seed: seed ?? scenario.seed, length: scenario.length, result.outcomes),
            captures: captures)
    }

    private func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw LabFailure("\(path) could not be written: \(error.localizedDescription)")
        }
    }
}
