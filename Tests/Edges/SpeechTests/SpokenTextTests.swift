import Codecs
import Conference
import Foundation
import Speech
import Testing

@Suite struct SpokenTextTests {
    /// Asks until there is an answer.
    private func answer(_ voice: SpokenText, _ text: String) async throws -> SpeechAnswer {
        for _ in 0..<12_000 {
            let answer = voice.ask(text)
            guard case .pending = answer else { return answer }
            try await Task.sleep(for: .milliseconds(10))
        }
        return .pending
    }

    private func isUnavailable(_ answer: SpeechAnswer) -> Bool { if case .unavailable = answer { true } else { false } }

    /// A WAV file of a second, as a program that prints it whatever it is told.
    private func script(_ body: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-voice-\(UUID().uuidString)").path
        try ("#!/bin/sh\n" + body + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        return path
    }

    @Test("What a program speaks is heard; it is asked by standard input and only once a text")
    func program() async throws {
        var tone = ToneGenerator(500, sampleRate: 16_000)
        let wav = WAVFile(sampleRate: 16_000, samples: tone.next(16_000))
        let sound = try script("")
        let log = sound + ".log"
        try Data(wav.bytes).write(to: URL(fileURLWithPath: sound + ".wav"))
        try "#!/bin/sh\ncat >> \(log)\necho >> \(log)\ncat \(sound).wav\n".write(
            toFile: sound, atomically: false, encoding: .utf8)
        defer { for end in ["", ".log", ".wav"] { try? FileManager.default.removeItem(atPath: sound + end) } }
        let voice = SpokenText(program: sound, arguments: [], patience: .seconds(100))
        for _ in 0..<2 {
            guard case .ready(let samples, let rate) = try await answer(voice, "-q --version") else {
                Issue.record("nothing was spoken")
                return
            }
            #expect(samples == wav.samples && rate == 16_000)
        }
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "-q --version\n")
    }

    @Test("A program that fails, is not there, speaks no WAV or hangs is no voice, within its time")
    func failures() async throws {
        let failing = try script("cat > /dev/null; exit 3")
        let babbling = try script("cat > /dev/null; echo hello")
        let hanging = try script("exec sleep 1000")
        defer { for path in [failing, babbling, hanging] { try? FileManager.default.removeItem(atPath: path) } }
        for program in [failing, babbling, "/nonexistent"] {
            #expect(isUnavailable(try await answer(SpokenText(program: program, arguments: [], patience: .seconds(100)), "x")))
        }
        let voice = SpokenText(program: hanging, arguments: [], patience: .milliseconds(200))
        #expect(isUnavailable(try await answer(voice, "x")))
        #expect(SpokenText(searching: ["/nonexistent"]) == nil)
    }

    @Test("espeak-ng speaks an address", .enabled(if: SpokenText() != nil))
    func espeak() async throws {
        let voice = try #require(SpokenText())
        guard case .ready(let samples, let rate) = try await answer(voice, "Your address is 203.0.113.7, port 52011.") else {
            Issue.record("espeak-ng said nothing")
            return
        }
        #expect((8_000...48_000).contains(rate) && samples.count > 2 * rate && ToneMeter.level(samples) > 300)
    }
}
