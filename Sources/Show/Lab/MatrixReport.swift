import Base
import Lab
import NAT
import ServerNode
import ShowText

/// The matrix as a table a screen wide, with legend and reasons, and as JSON.
public struct MatrixReport: Sendable {
    /// What a cell comes to.
    public enum Standing: Hashable, Sendable, CaseIterable {
        case reachable, sometimesReachable, unreachable, flapping, unregistered

        public init(_ result: MatrixResult) {
            guard result.isRegistered else {
                self = .unregistered
                return
            }
            guard !result.isFlapping else {
                self = .flapping
                return
            }
            let tried = result.reach.compactMap(\.isReached)
            if tried.allSatisfy({ $0 }) {
                self = .reachable
            } else {
                self = tried.contains(true) ? .sometimesReachable : .unreachable
            }
        }

        func glyph(_ style: ReportStyle) -> String {
            switch self {
            case .reachable: style.glyph("●", "#")
            case .sometimesReachable: style.glyph("◐", "+")
            case .unreachable: style.glyph("○", "o")
            case .flapping: style.glyph("≈", "~")
            case .unregistered: style.glyph("✗", "X")
            }
        }

        var tone: ReportTone {
            switch self {
            case .reachable: .good
            case .sometimesReachable, .flapping: .warning
            case .unreachable, .unregistered: .bad
            }
        }

        public var text: String {
            switch self {
            case .reachable: "registered; an inbound request arrives after every silence tried"
            case .sometimesReachable: "registered; an inbound request arrives after some silences only"
            case .unreachable: "registered, but no inbound request arrives"
            case .flapping: "registers again and again, as STUN and the server see different ports"
            case .unregistered: "not registered"
            }
        }
    }

    public var matrix: Matrix
    public var results: [MatrixResult]

    public init(_ matrix: Matrix, _ results: [MatrixResult]) {
        self.matrix = matrix
        self.results = results
    }

    /// The table, its legend, and each reason once with how many cells have it.
    public func text(_ style: ReportStyle = .plain) -> String {
        let reasons = groupedReasons
        var text = header(style)
        var rows: [RowKey] = []
        var cells: [RowKey: [ColumnKey: MatrixResult]] = [:]
        for result in results {
            let row = RowKey(result.cell)
            if cells[row] == nil { rows.append(row) }
            cells[row, default: [:]][ColumnKey(result.cell)] = result
        }
        for row in rows {
            var line = padded(row.text, to: Self.labelWidth)
            for (group, keys) in Self.columns.enumerated() {
                line += group % 3 == 0 ? "  " : " "
                for key in keys {
                    guard let result = cells[row]?[key] else {
                        line += "  "
                        continue
                    }
                    let standing = Standing(result)
                    line += style.paint(standing.glyph(style), standing.tone) + letter(of: result, in: reasons)
                }
            }
            text += line + audioColumn(cells[row].map { Array($0.values) } ?? [], style) + "\n"
        }
        text += "\n" + legend(style) + "\n" + reasonList(reasons, style) + silenceList(style)
        return text
    }

    /// An object with the settings of the run and an array `cells`, in the order of `MatrixCell.all`.
    public var json: JSONValue {
        .object([
            ("seed", Int(exactly: matrix.seed).map { .integer($0) } ?? .string(String(matrix.seed))),
            ("phone", .string("\(matrix.behaviour)")),
            ("alg", .string(matrix.alg.rawValue)),
            ("seconds", .integer(Int(matrix.length.wholeSeconds))),
            ("cells", .array(results.map(Self.json))),
        ])
    }

    private static func json(_ result: MatrixResult) -> JSONValue {
        let cell = result.cell
        let reach = result.reach.map { reach in
            (String(reach.silence.wholeSeconds), reach.isReached.map { JSONValue.bool($0) } ?? .null)
        }
        return .object([
            ("stun", .bool(cell.phoneUsesSTUN)), ("alg", .bool(cell.routerALG)), ("natHandling", .bool(cell.natHandling)),
            ("server", .string(cell.server.rawValue)), ("mapping", .string(cell.mapping.name)),
            ("filtering", .string(cell.filtering.name)), ("udpTimer", .integer(Int(cell.udpTimer.wholeSeconds))),
            ("registered", .bool(result.isRegistered)),
            ("registeredShare", .number((result.registeredShare * 10_000).rounded() / 10_000)), ("reachable", .object(reach)),
            ("flapping", .bool(result.isFlapping)), ("mappingSurprises", .integer(result.mappingSurprises)),
            ("registers", .integer(result.registers)), ("reason", .string(result.reason)), ("audio", Self.json(result.audio)),
        ])
    }

    // MARK: The table

    private struct RowKey: Hashable {
        var stun: Bool
        var alg: Bool
        var handling: Bool
        var server: ServerSettings.Profile

        init(_ cell: MatrixCell) {
            stun = cell.phoneUsesSTUN
            alg = cell.routerALG
            handling = cell.natHandling
            server = cell.server
        }

        var text: String {
            func word(_ isOn: Bool) -> String { isOn ? "on " : "off" }
            return "\(word(stun))   \(word(alg))  \(word(handling))  \(server.rawValue)"
        }
    }

    private struct ColumnKey: Hashable {
        var mapping: Dependence
        var filtering: Dependence
        var timer: Duration

        init(_ mapping: Dependence, _ filtering: Dependence, _ timer: Duration) {
            self.mapping = mapping
            self.filtering = filtering
            self.timer = timer
        }

        init(_ cell: MatrixCell) { self.init(cell.mapping, cell.filtering, cell.udpTimer) }
    }

    private static let labelWidth = 24

    /// Nine pairs, each with both timers.
    private static let columns: [[ColumnKey]] = Dependence.allCases.flatMap { mapping in
        Dependence.allCases.map { filtering in [30, 300].map { ColumnKey(mapping, filtering, .seconds($0)) } }
    }

    private func header(_ style: ReportStyle) -> String {
        func short(_ dependence: Dependence) -> String {
            switch dependence {
            case .endpointIndependent: "EI"
            case .addressDependent: "AD"
            case .addressAndPortDependent: "APD"
            }
        }
        var mappings = padded("", to: Self.labelWidth)
        var filterings = padded("phone router server", to: Self.labelWidth)
        for mapping in Dependence.allCases {
            mappings += "  " + padded("mapping " + short(mapping), to: 14)
            for (index, filtering) in Dependence.allCases.enumerated() {
                filterings += (index == 0 ? "  " : " ") + padded(short(filtering), to: 4)
            }
        }
        var names =
            padded("STUN  ALG  NAT  profile", to: Self.labelWidth) + "  "
            + padded("filtering above; a pair: UDP timer 30, 300 s", to: 46)
        filterings += "  audio"
        names += "   both"
        return [mappings, filterings, names].map { line in
            style.paint(String(line.reversed().drop { $0 == " " }.reversed()), .strong) + "\n"
        }.joined()
    }

    private func legend(_ style: ReportStyle) -> String {
        var text = ""
        for standing in Standing.allCases {
            let count = results.count { Standing($0) == standing }
            text +=
                "\(style.paint(standing.glyph(style), standing.tone))  \(padded("\(count)", to: 4, onTheLeft: true))  \(standing.text)\n"
        }
        let terms = "EI endpoint-independent, AD address-dependent, APD address-and-port-dependent (RFC 4787)"
        return text + wrapped(terms, to: style.width).map { $0 + "\n" }.joined()
    }

    // MARK: Reasons

    private struct ReasonGroup {
        var key: String
        var example: String
        var count: Int
    }

    /// Reasons that differ in numbers only are one; the most frequent first.
    private var groupedReasons: [ReasonGroup] {
        var groups: [ReasonGroup] = []
        for result in results {
            let key = Self.withoutNumbers(result.reason)
            if let index = groups.firstIndex(where: { $0.key == key }) {
                groups[index].count += 1
            } else {
                groups.append(ReasonGroup(key: key, example: result.reason, count: 1))
            }
        }
        let order = groups.enumerated().sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
        return order.map(\.element)
    }

    static func withoutNumbers(_ text: String) -> String {
        var key = ""
        for character in text {
            if character.isASCII, character.isNumber {
                if key.last != "#" { key.append("#") }
            } else {
                key.append(character)
            }
        }
        return key
    }

    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

    private func letter(of result: MatrixResult, in groups: [ReasonGroup]) -> String {
        let key = Self.withoutNumbers(result.reason)
        guard let index = groups.firstIndex(where: { $0.key == key }), index < Self.letters.count else { return "?" }
        return String(Self.letters[index])
    }

    private func reasonList(_ groups: [ReasonGroup], _ style: ReportStyle) -> String {
        var text = style.paint("Why (numbers from the first cell of each kind):", .strong) + "\n"
        for (index, group) in groups.enumerated() {
            let mark = index < Self.letters.count ? String(Self.letters[index]) : "?"
            let count = padded("\(group.count)", to: 4, onTheLeft: true)
            for (row, line) in wrapped(printable(group.example), to: style.width - 9).enumerated() {
                text += row == 0 ? "\(style.paint(mark, .accent))  \(count)  \(line)\n" : "         \(line)\n"
            }
        }
        return text
    }
}
