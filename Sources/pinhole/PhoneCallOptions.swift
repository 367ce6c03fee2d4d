import ArgumentParser
import Base
import Codecs
import Foundation
import LinuxEdge
import PhoneNode

/// The calls of `pinhole phone`.
struct PhoneCallOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Call that number or SIP address, hang up when it is over, and leave.", valueName: "target"))
    var call: [String] = []

    @Flag(help: "Answer calls.")
    var answer = false

    @Option(help: "How long a call rings before --answer takes it.")
    var answerAfter = "1s"

    @Option(help: ArgumentHelp("Play this WAV file instead of the microphone.", valueName: "file"))
    var play: String?

    @Flag(help: "Play it over and over.")
    var loop = false

    @Option(help: ArgumentHelp("Play a tone of so many Hz.", valueName: "Hz"))
    var tone: Int?

    @Option(
        help: ArgumentHelp(
            "Record what is heard into this WAV file (several calls: the second into file-2.wav).", valueName: "file"))
    var record: String?

    @Option(help: ArgumentHelp("Digits to send once the call is answered.", valueName: "digits"))
    var dtmf: String?

    @Option(help: "How long after the answer.")
    var dtmfDelay = "1s"

    @Option(help: "How digits are sent: rfc4733 or info.")
    var dtmfBy = "rfc4733"

    @Option(help: ArgumentHelp("Hang up so long after the answer.", valueName: "duration"))
    var hangUpAfter: String?

    @Option(help: ArgumentHelp("Send this text as a message to --to, and leave.", valueName: "text"))
    var text: String?

    @Option(help: ArgumentHelp("Who gets the text.", valueName: "target"))
    var to: String?

    @Option(help: "How long an unanswered call is waited for.")
    var ringFor = "60s"

    @Option(help: ArgumentHelp("Codecs, best first (default: all there are).", valueName: "name,name"))
    var codecs: String?

    @Option(help: "Encrypted audio (SRTP): never, automatic (offered over TLS, taken where it is offered) or required.")
    var encryption = "automatic"

    @Flag(help: "Find the way for audio with ICE.")
    var ice = false

    @Flag(help: "Send audio to where it comes from, rather than to the address in SDP.")
    var symmetricRTP = false

    @Flag(help: "Let callers hear us before the call is answered (183).")
    var earlyMedia = false

    @Option(
        help: ArgumentHelp("First of the UDP ports for audio, even (default: 16384 or the next free ones).", valueName: "port"))
    var rtpPort: UInt16?

    @Option(help: "How many calls at once.")
    var lines = 4

    @Flag(help: "No loudspeaker and microphone.")
    var noSound = false

    @Option(help: "The sound device, as ALSA names it.")
    var soundDevice = "default"

    func plan(once: Bool) throws -> PhonePlan {
        let hangUp = try hangUpAfter.map { try phoneDuration($0, "--hang-up-after") }
        var source: PlaySource?
        if let play {
            guard tone == nil else { throw ValidationError("--play and --tone exclude each other.") }
            source = try Self.sound(play, repeats: loop)
        } else if let tone {
            guard (20...20_000).contains(tone) else { throw ValidationError("--tone wants 20 to 20000 Hz, found \(tone).") }
            source = .tone(tone)
        }
        guard (dtmf ?? "").allSatisfy({ "0123456789*#ABCD".contains($0) }) else {
            throw ValidationError("--dtmf takes 0-9, *, # and A-D.")
        }
        guard (text == nil) == (to == nil) else { throw ValidationError("--text and --to belong together.") }
        return PhonePlan(
            targets: call, play: source, record: record, dtmf: dtmf ?? "",
            dtmfDelay: try phoneDuration(dtmfDelay, "--dtmf-delay"),
            hangUpAfter: hangUp, isOnce: once, answers: answer, sound: noSound ? nil : soundDevice,
            text: text.flatMap { text in to.map { PhonePlan.Text(to: $0, text: text) } })
    }

    func settings(locals: [Endpoint]) throws -> CallSettings {
        guard let encryption = CallSettings.Encryption(rawValue: encryption) else {
            throw ValidationError("--encryption is never, automatic or required, found '\(encryption)'.")
        }
        guard let dtmfBy = CallSettings.DTMF(rawValue: dtmfBy) else {
            throw ValidationError("--dtmf-by is rfc4733 or info, found '\(dtmfBy)'.")
        }
        guard (1...32).contains(lines) else { throw ValidationError("--lines is 1 to 32, found \(lines).") }
        let known = PhoneCodecs.registry.codecs.map(\.encoding)
        let wanted = codecs.map { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } } ?? known
        for name in wanted where !known.contains(where: { $0.lowercased() == name.lowercased() }) {
            throw ValidationError("--codecs: '\(name)' is not one of \(known.joined(separator: ", ")).")
        }
        var result = CallSettings(
            rtpPorts: try ports(locals), codecs: wanted, dtmf: dtmfBy, encryption: encryption, symmetricRTP: symmetricRTP,
            ice: ice,
            ringPatience: try phoneDuration(ringFor, "--ring-for"))
        if answer {
            result.answers = .auto(after: try Duration(text: answerAfter) ?? phoneDuration(answerAfter, "--answer-after"))
        }
        result.earlyMedia = earlyMedia
        result.answerPlay = try plan(once: false).play ?? .microphone
        return result
    }

    /// Pairs of ports that are free on every address.
    private func ports(_ locals: [Endpoint]) throws -> [UInt16] {
        var result: [UInt16] = []
        var port = UInt32(rtpPort ?? 16_384)
        guard port % 2 == 0, port > 0 else { throw ValidationError("--rtp-port is even, found \(port).") }
        while result.count < lines, port < 65_534 {
            let isFree = locals.allSatisfy { local in
                local.port != port && local.port != port + 1
                    && [port, port + 1].allSatisfy { (try? UDPSocket(Endpoint(local.address, UInt16($0)))) != nil }
            }
            if isFree { result.append(UInt16(port)) }
            port += 2
        }
        guard !result.isEmpty else { throw CommandFailure("No UDP ports for audio are free from \(rtpPort ?? 16_384) upwards.") }
        return result
    }

    private static func sound(_ path: String, repeats: Bool) throws -> PlaySource {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("--play: '\(path)' cannot be read.")
        }
        do {
            let file = try WAVFile(parsing: [UInt8](data))
            return .samples(file.mono(at: file.sampleRate), rate: file.sampleRate, repeats: repeats)
        } catch {
            throw CommandFailure("--play: '\(path)': \(error)")
        }
    }
}

/// What `pinhole phone` shall do with calls.
struct PhonePlan: Sendable {
    struct Text: Sendable {
        var to: String
        var text: String
    }

    var targets: [String]
    /// nil: the microphone where there is one.
    var play: PlaySource?
    var record: String?
    var dtmf: String
    var dtmfDelay: Duration
    var hangUpAfter: Duration?
    var isOnce: Bool
    var answers: Bool
    /// nil: none.
    var sound: String?
    var text: Text?
}
