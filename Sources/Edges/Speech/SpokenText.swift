import Codecs
import Conference
import Foundation
import Synchronization

/// The voice of announcements: the program espeak-ng, where it is installed.
///
/// A text is spoken once and remembered. The media loop only asks; the program runs on threads of its own, two at a time.
public final class SpokenText: Sendable {
    private enum State: Sendable {
        case running
        case ready([Int16], sampleRate: Int)
        case failed
    }

    private struct Memory: Sendable {
        var texts: [String: State] = [:]
        /// In the order in which they came, for forgetting.
        var order: [String] = []
        var running = 0

        mutating func remember(_ text: String, most: Int) {
            texts[text] = .running
            order.append(text)
            // Those at work stay.
            while order.count > most,
                let index = order.firstIndex(where: { if case .running? = texts[$0] { false } else { true } })
            {
                texts[order.remove(at: index)] = nil
            }
        }
    }

    /// Texts remembered: half a minute each at worst is 1.3 MB.
    private static let mostTexts = 32
    private static let mostRunning = 2
    /// Octets that the program may give: half a minute.
    private static let longest = 1_500_000
    /// Characters of a text beyond which it is cut off.
    private static let mostCharacters = 500

    private let program: String
    private let arguments: [String]
    private let patience: Duration
    private let memory = Mutex(Memory())

    /// The first espeak-ng (or espeak) in `folders`; nil: there is none.
    public convenience init?(searching folders: [String] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]) {
        let candidates = folders.flatMap { folder in ["espeak-ng", "espeak"].map { folder + "/" + $0 } }
        guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { return nil }
        // The text goes in by standard input, so that none can be taken for an option.
        self.init(program: program, arguments: ["--stdin", "--stdout", "-s", "140"])
    }

    /// A program that reads a text and writes a WAV file. `patience`: after this it is killed.
    package init(program: String, arguments: [String], patience: Duration = .seconds(10)) {
        self.program = program
        self.arguments = arguments
        self.patience = patience
    }

    /// For a `SoundPlane`.
    public var provider: SpeechProvider { SpeechProvider { [self] in ask($0) } }

    package func ask(_ text: String) -> SpeechAnswer {
        let text = String(text.prefix(Self.mostCharacters))
        let (answer, starts) = memory.withLock { memory -> (SpeechAnswer, Bool) in
            switch memory.texts[text] {
            case .running: return (.pending, false)
            case .ready(let samples, let rate): return (.ready(samples, sampleRate: rate), false)
            case .failed: return (.unavailable, false)
            case nil:
                guard memory.running < Self.mostRunning else { return (.pending, false) }
                memory.running += 1
                memory.remember(text, most: Self.mostTexts)
                return (.pending, true)
            }
        }
        if starts { Thread.detachNewThread { [self] in speak(text) } }
        return answer
    }

    private func speak(_ text: String) {
        var state = State.failed
        if let octets = run(text), let file = try? WAVFile(parsing: octets), !file.samples.isEmpty {
            state = .ready(file.mono(at: file.sampleRate), sampleRate: file.sampleRate)
        }
        memory.withLock { memory in
            memory.running -= 1
            memory.texts[text] = state
        }
    }

    /// The program's output; nil: it failed or took too long.
    private func run(_ text: String) -> [UInt8]? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ["LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let identifier = process.processIdentifier
        let isOver = Mutex(false)
        // Killed by its identifier only while it has not been waited for.
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(patience / .milliseconds(1)))) {
            isOver.withLock { if !$0 { kill(identifier, SIGKILL) } }
        }
        // Shorter than a pipe's buffer: this cannot block.
        try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try? input.fileHandleForWriting.close()
        var octets: [UInt8] = []
        while let part = try? output.fileHandleForReading.read(upToCount: 65_536), !part.isEmpty {
            octets += part
            if octets.count > Self.longest {
                isOver.withLock { if !$0 { kill(identifier, SIGKILL) } }
                break
            }
        }
        process.waitUntilExit()
        isOver.withLock { $0 = true }
        return process.terminationReason == .exit && process.terminationStatus == 0 ? octets : nil
    }
}
