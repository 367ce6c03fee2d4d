import Codecs

/// One tone; frequency 0 is a pause.
struct Note: Hashable, Sendable {
    /// Hz.
    var frequency: Int
    var milliseconds: Int

    init(_ frequency: Int, _ milliseconds: Int) {
        self.frequency = frequency
        self.milliseconds = milliseconds
    }
}

/// What the rooms say, in tones: rising is good news, falling is not.
enum Prompt: Hashable, Sendable, CaseIterable {
    /// To the whole room.
    case entry, exit
    /// To one party.
    case askPIN, wrongPIN, waitForVerdict, muted, unmuted, locked, unlocked, refused, removed, recorded

    var notes: [Note] {
        switch self {
        case .entry: [Note(660, 80), Note(880, 120)]
        case .exit: [Note(880, 80), Note(587, 120)]
        case .askPIN: [Note(1_000, 120), Note(0, 80), Note(1_000, 120), Note(0, 80), Note(1_200, 200)]
        case .wrongPIN: [Note(300, 400)]
        case .waitForVerdict: [Note(425, 100)]
        case .muted: [Note(520, 80), Note(390, 120)]
        case .unmuted: [Note(390, 80), Note(520, 120)]
        case .locked: [Note(700, 80), Note(0, 60), Note(700, 80)]
        case .unlocked: [Note(700, 80), Note(0, 60), Note(900, 80)]
        case .refused: [Note(480, 250), Note(0, 250), Note(480, 250)]
        case .removed: [Note(600, 150), Note(480, 150), Note(360, 250)]
        case .recorded: [Note(1_400, 400)]
        }
    }
}

/// Notes becoming samples, tick by tick.
struct NotePlayer: Sendable {
    private static let amplitude = 4_000.0

    private let notes: [Note]
    private let sampleRate: Int
    private var note = 0
    /// Samples of the current note that were played.
    private var position = 0

    init(_ notes: [Note], sampleRate: Int) {
        self.notes = notes
        self.sampleRate = sampleRate
    }

    var isOver: Bool { note >= notes.count }

    /// Fills `samples`, silence where the notes are over.
    mutating func next(into samples: UnsafeMutableBufferPointer<Int16>) {
        var index = 0
        while index < samples.count {
            guard note < notes.count else {
                samples[index] = 0
                index += 1
                continue
            }
            let length = notes[note].milliseconds * sampleRate / 1_000
            guard position < length else {
                note += 1
                position = 0
                continue
            }
            samples[index] = sample(notes[note].frequency, length)
            position += 1
            index += 1
        }
    }

    /// With an edge of 4 ms either side, so that nothing clicks.
    private func sample(_ frequency: Int, _ length: Int) -> Int16 {
        guard frequency > 0 else { return 0 }
        let edge = max(1, sampleRate * 4 / 1_000)
        let envelope = min(1, Double(min(position, length - position)) / Double(edge))
        return Int16(sine(turns: Double(frequency * position) / Double(sampleRate)) * Self.amplitude * envelope)
    }
}
