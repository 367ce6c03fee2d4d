import Base
import Capture

/// What one address was refused: registrations, and calls that never answered their challenge.
struct Guesses: Sendable {
    /// Enough names to tell a list from a phone.
    static let mostNames = 64

    /// Accounts tried, hashed.
    var names: Set<UInt64> = []
    /// What was dialled in calls that were refused and carried no credentials, its digits alone.
    var dialled: Set<[UInt8]> = []
    /// Refused requests, and of them those with credentials.
    var refused = 0
    var withCredentials = 0
    var dialogs = 0
    var successes = 0
    var first = MessageRecord.unknownTime
    var last = MessageRecord.unknownTime
    var server = PackedAddress.unknown
    /// The first dialogs.
    var sample: [Int] = []
    var evidence: [Evidence] = []
    var vantage: Vantage

    /// Many names, or one account at a pace and under Call-IDs that no phone has.
    var isAttack: Bool {
        guard successes == 0 else { return false }
        return names.count >= Judge.scannerNames && refused >= 20 || isOneAccount || seeksFreeCalls
    }

    /// Calls that never bear credentials, to one number or range behind one prefix after another: whoever pays for a trunk knows how to
    /// dial, and one who only lacks a password dials as others do.
    var seeksFreeCalls: Bool {
        guard successes == 0, withCredentials == 0, dialled.count >= Self.fewestDialled else { return false }
        var places: [ArraySlice<UInt8>: (numbers: Int, prefixes: Set<Int>)] = [:]
        for number in dialled {
            var here = Set<ArraySlice<UInt8>>()
            for start in 0..<max(0, number.count - Self.coreLength + 1) {
                let core = number[start..<(start + Self.coreLength)]
                guard here.insert(core).inserted else { continue }
                places[core, default: (0, [])].numbers += 1
                places[core]?.prefixes.insert(start)
            }
        }
        return places.values.contains { $0.numbers * 5 >= dialled.count * 4 && $0.prefixes.count >= Self.fewestPrefixes }
    }

    /// Digits that tell a number or its range.
    static let coreLength = 6
    static let fewestDialled = 6
    static let fewestPrefixes = 3
    static let mostDialled = 64
    /// No number has more (E.164 has 15) with its prefixes.
    static let mostDigits = 32

    private var isOneAccount: Bool {
        guard withCredentials >= 20, dialogs >= 20, let span = elapsed(first, last) else { return false }
        // No phone begins anew every second; over hours even a slow pace is none.
        let pace = span / Int64(withCredentials)
        return pace < second || withCredentials >= 100 && dialogs >= 50 && pace < 5 * second
    }
}
