import Foundation
import Hashes
import Lab
import ShowLab
import ShowText
import TerminalEdge

/// `pinhole-demo`, and what `pinhole lab demo` does: the story, the matrix and the conference, each shown when it is played.
///
/// Its few options are read here, as swift-argument-parser would take as long to compile as a fifth of the lab (docs/decisions/0017-first-build.md).
public enum DemoProgram {
    static let usage = """
        USAGE: pinhole-demo [--full] [--no-color]

          --full      Tell all: every event, every message, every REGISTER.
          --no-color  Plain text, whatever the terminal can show.
          --version   Show the version.
          -h, --help  Show this.

        """

    /// Ends with 64 where an argument is not known, as the other programs do, and with 1 where the demo cannot be played.
    public static func main(_ arguments: [String]) {
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
        play(isFull: isFull, noColor: noColor)
    }

    /// Plays all, on standard output.
    public static func play(isFull: Bool, noColor: Bool) {
        let style = Terminal.style(noColor: noColor)
        let demo = DemoReport(isFull: isFull)
        // Written at once, not when a buffer is full: what was told is read while the next is played.
        OutputPort.standard.write(demo.story(Story().play(), style))
        var results: [MatrixResult] = []
        let matrix = Matrix()
        for (index, cell) in MatrixCell.all.enumerated() {
            results.append(matrix.run(cell))
            Terminal.progress("matrix", index + 1, of: MatrixCell.all.count)
        }
        OutputPort.standard.write(demo.matrix(MatrixReport(matrix, results), style))
        OutputPort.standard.write(demo.conference(ConferenceReport(Conference().hold()), style))
    }
}
