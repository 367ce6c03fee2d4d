import Foundation
import Targets

/// Feeds every file below FOLDER/<target>/ to that target. A bug traps, and the line printed last names the file.
///
///     pinhole-replay FOLDER...
@main
struct Replay {
    static func main() throws {
        var counts: [FuzzTarget: Int] = [:]
        for folder in CommandLine.arguments.dropFirst() {
            for target in FuzzTarget.allCases {
                let place = URL(fileURLWithPath: folder).appendingPathComponent(target.rawValue).path
                guard FileManager.default.fileExists(atPath: place) else { continue }
                for name in try FileManager.default.contentsOfDirectory(atPath: place).sorted() where !name.hasPrefix(".") {
                    let file = place + "/" + name
                    guard let data = FileManager.default.contents(atPath: file) else {
                        say("cannot read \(file)\n")
                        exit(2)
                    }
                    say("\(file)\n")
                    exercise(target, [UInt8](data))
                    counts[target, default: 0] += 1
                }
            }
        }
        let summary = FuzzTarget.allCases.map { "\($0.rawValue) \(counts[$0] ?? 0)" }.joined(separator: ", ")
        say("fuzz replay: clean (\(summary))\n")
        guard FuzzTarget.allCases.allSatisfy({ (counts[$0] ?? 0) > 0 }) else {
            say("A target had nothing to replay: a folder is missing.\n")
            exit(2)
        }
    }

    /// Not through a buffer: what is said before a trap must be seen.
    private static func say(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    /// The file, and cut short everywhere: each parser meets every way in which a message can end too early.
    private static func exercise(_ target: FuzzTarget, _ bytes: [UInt8]) {
        target.exercise(bytes)
        for length in stride(from: 0, to: min(bytes.count, 512), by: 1) { target.exercise(Array(bytes[..<length])) }
    }
}
