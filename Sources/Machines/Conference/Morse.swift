/// International Morse code (ITU-R M.1677): what is said where no voice is at hand, and in the lab.
enum Morse {
    /// Milliseconds of a dot: twenty words a minute.
    static let dot = 60
    static let frequency = 600
    /// Characters of a text beyond which it is cut off: a minute or two.
    static let longest = 200

    /// Letters in either case, digits and the punctuation of addresses; spaces part words, others are left out.
    static func notes(_ text: String) -> [Note] {
        var notes: [Note] = []
        for character in text.prefix(longest) {
            guard let signs = code[Character(character.lowercased())] else {
                // A word's gap is seven dots, of which a letter's gap (three) went before.
                if character.isWhitespace, !notes.isEmpty { notes.append(Note(0, 4 * dot)) }
                continue
            }
            for sign in signs {
                notes.append(Note(frequency, sign == "-" ? 3 * dot : dot))
                notes.append(Note(0, dot))
            }
            notes.append(Note(0, 2 * dot))
        }
        return notes
    }

    private static let code: [Character: String] = [
        "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.", "h": "....", "i": "..", "j": ".---",
        "k": "-.-", "l": ".-..", "m": "--", "n": "-.", "o": "---", "p": ".--.", "q": "--.-", "r": ".-.", "s": "...", "t": "-",
        "u": "..-", "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..", "0": "-----", "1": ".----", "2": "..---",
        "3": "...--", "4": "....-", "5": ".....", "6": "-....", "7": "--...", "8": "---..", "9": "----.", ".": ".-.-.-",
        ",": "--..--", ":": "---...", "?": "..--..", "/": "-..-.", "-": "-....-", "=": "-...-", "@": ".--.-.", "+": ".-.-.",
        "(": "-.--.", ")": "-.--.-", "'": ".----.",
    ]
}
