import Foundation
import Hashes
import Lab
import ShowLab
import ShowText
import TerminalEdge

/// `pinhole-demo`, and what `pinhole lab demo` does: the story, the matrix and the conference, each shown when it is played.
///
/// Its few options are read here, as swift-argument-parser is 52 files to compile (docs/decisions/0017-first-build.md).
public enum DemoProgram {
    static let usage = """
        USAGE: pinhole-demo [--full] [--no-color]

          --full      Tell all: every event, every message, every REGISTER.
          --no-color  Plain text, whatever the terminal can show.
          --version   Show the version.
          -h, --help  Show this.

        """

    /// Ends with 64 where an argument is not known, as the other programs do, and with 1 where the demo cannot be played.
    public static func main(_ arguments: [String]) async {
        var isFull = false
        var noColor = false
        for argument in arguments {
            switch argument {
            case "--full": isFull = true
            case "--no-color": noColor = true
            case "--version":
                print("pinhole-demo \(programVersion)")
                return
            case "-h", "--help":
                print("The story, the matrix, and a conference of three.\n\n\(usage)", terminator: "")
                return
            default:
                OutputPort.error.write("Error: Unknown option '\(argument)'\n\(usage)")
                exit(64)
            }
        }
        if let problem = HashFunction.problem {
            OutputPort.error.write("Error: \(problem).\n")
            exit(1)
        }
        await play(isFull: isFull, noColor: noColor)
    }

    /// Plays all, on standard output, each part told as soon as the ones before it are.
    public static func play(isFull: Bool, noColor: Bool) async {
        let style = Terminal.style(noColor: noColor)
        let demo = DemoReport(isFull: isFull)
        async let conference = Conference().hold()
        OutputPort.standard.write(demo.story(Story().play(), style))
        let matrix = Matrix()
        OutputPort.standard.write(demo.matrix(MatrixReport(matrix, await results(matrix)), style))
        OutputPort.standard.write(demo.conference(ConferenceReport(await conference), style))
    }

    /// All cells, in their order; each is a world of its own, so they are played on as many cores as there are.
    private static func results(_ matrix: Matrix) async -> [MatrixResult] {
        await withTaskGroup(of: (place: Int, result: MatrixResult).self) { group in
            for (place, cell) in MatrixCell.all.enumerated() { group.addTask { (place, matrix.run(cell)) } }
            var results: [(place: Int, result: MatrixResult)] = []
            for await played in group {
                results.append(played)
                Terminal.progress("matrix", results.count, of: MatrixCell.all.count)
            }
            return results.sorted { $0.place < $1.place }.map(\.result)
        }
    }
}
