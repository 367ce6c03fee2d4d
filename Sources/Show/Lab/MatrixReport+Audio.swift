import Lab
import ShowText

/// The matrix' last column: in how many cells of a row a call had audio both ways; and why not in the others.
extension MatrixReport {
    func audioColumn(_ results: [MatrixResult], _ style: ReportStyle) -> String {
        let tried = results.filter { $0.audio != .noCalls }
        guard !tried.isEmpty else { return "      -" }
        let heard = tried.count { $0.audio == .bothWays }
        let text = padded("\(heard)", to: 2, onTheLeft: true) + "/\(tried.count)"
        return "  " + style.paint(text, heard == tried.count ? .good : heard == 0 ? .bad : .warning)
    }

    /// Each reason once, with how many cells have it; nothing where all calls had audio both ways.
    func silenceList(_ style: ReportStyle) -> String {
        var groups: [(key: String, example: String, count: Int)] = []
        for result in results {
            let reason: String
            switch result.audio {
            case .bothWays, .noCalls: continue
            case .broken(let because): reason = "silence: \(because)"
            case .notAnswered(let because): reason = "no call: \(because)"
            }
            let key = Self.withoutNumbers(reason)
            if let index = groups.firstIndex(where: { $0.key == key }) {
                groups[index].count += 1
            } else {
                groups.append((key, reason, 1))
            }
        }
        let tried = results.count { $0.audio != .noCalls }
        guard tried > 0 else { return "" }
        let heard = results.count { $0.audio == .bothWays }
        let head =
            "Audio both ways, measured by a tone that the phone sends to the echo test and hears again: \(heard) of \(tried) cells"
            + (tried < results.count ? " (chan_sip's profile takes no calls)." : ".")
        var text = "\n" + wrapped(head, to: style.width).map { style.paint($0, .strong) + "\n" }.joined()
        for group in groups {
            let count = padded("\(group.count)", to: 7, onTheLeft: true)
            for (row, line) in wrapped(printable(group.example), to: style.width - 9).enumerated() {
                text += row == 0 ? "\(count)  \(line)\n" : "         \(line)\n"
            }
        }
        return text
    }

    static func json(_ audio: MatrixResult.Audio) -> JSONValue {
        switch audio {
        case .bothWays: .string("both ways")
        case .broken(let because): .string("broken: \(because)")
        case .notAnswered(let because): .string("not answered: \(because)")
        case .noCalls: .null
        }
    }
}
