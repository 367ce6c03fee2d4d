import ALG
import Base
public import RouterNode
public import ShowText

/// A router's snapshot as a page for a terminal: `pinhole router watch`.
public struct RouterPage: Sendable {
    public struct Options: Hashable, Sendable {
        /// Lines the page may have; nil: as many as it needs. Each part gives the rest of what does not fit as a number.
        public var height: Int?

        public init(height: Int? = nil) { self.height = height }
    }

    public var snapshot: RouterSnapshot
    public var options: Options

    public init(_ snapshot: RouterSnapshot, _ options: Options = Options()) {
        self.snapshot = snapshot
        self.options = options
    }

    /// Lines, each ended by a line feed; none wider than `style.width`, or 70 columns, which the table of mappings needs.
    public func text(_ style: ReportStyle = .plain) -> String {
        let head = heading(style) + sides(style)
        var lines = head
        // A share of what room is left for each of the three lists, with its heading and what was left out.
        let room = options.height.map { max(1, ($0 - head.count) / 3 - 4) } ?? .max
        lines += part("Mappings", mappings(style), style, room)
        lines += part("Rewritten by the ALG, newest first", rewrites(style), style, max(3, room - room % 3))
        lines += part("Dropped", drops(style), style, room)
        if let height = options.height { lines = Array(lines.prefix(height)) }
        return lines.map { $0 + "\n" }.joined()
    }

    private func heading(_ style: ReportStyle) -> [String] {
        let alg =
            snapshot.isALGOn
            ? style.paint("ALG on", .warning)
            : style.paint(snapshot.configuration.isALGEnabled ? "ALG does nothing" : "ALG off", .good)
        let state = snapshot.isUp ? "" : "  " + style.paint("restarting", .bad)
        let title = truncated(printable(snapshot.name), to: style.width / 2, isUnicode: style.isUnicode)
        let counts =
            "\(snapshot.alg.rewriteCount) values rewritten, \(snapshot.alg.dropCount) messages dropped, \(snapshot.alg.held) held, "
            + "\(snapshot.alg.pinholesOpened) pinholes opened, \(snapshot.alg.pinholesUsed) used, \(snapshot.alg.portsMoved) ports moved"
        let profile = snapshot.isALGOn ? " (\(printable(snapshot.profile)))" : ""
        return [style.paint(title, .strong) + "  " + alg + profile + state] + wrapped(counts, to: style.width)
    }

    private func sides(_ style: ReportStyle) -> [String] {
        [("lan", snapshot.lan, snapshot.statistics.lan), ("wan", snapshot.wan, snapshot.statistics.wan)].map {
            name, address, side in
            let text =
                "\(name) \(address)  in \(side.packetsIn) packets \(side.octetsIn) octets, out \(side.packetsOut) packets "
                + "\(side.octetsOut) octets, \(side.dropped) dropped"
            return truncated(text, to: style.width, isUnicode: style.isUnicode)
        }
    }

    /// A list under its heading, cut to `room` lines; what was left out is counted.
    private func part(_ title: String, _ lines: [String], _ style: ReportStyle, _ room: Int) -> [String] {
        guard !lines.isEmpty else { return [] }
        var text = ["", style.paint(title, .accent)] + lines.prefix(room)
        if lines.count > room { text.append(style.paint("(\(lines.count - room) more lines)", .dim)) }
        return text
    }

    // MARK: Lists

    private func mappings(_ style: ReportStyle) -> [String] {
        let columns = [
            TextTable.Column("Proto"), .init("Inside"), .init("Outside"), .init("Towards"), .init("Age", .right),
            .init("Left", .right),
            .init("Kept by"),
        ]
        var rows = snapshot.mappings.map { row in
            [
                TextTable.Cell("\(row.mapping.proto)"), .init(row.mapping.internal.description),
                .init(row.mapping.external.description), .init(row.mapping.remote?.description ?? "anyone"),
                .init("\(row.age.wholeSeconds) s"),
                .init("\(row.idleLeft.wholeSeconds) s", row.idleLeft < .seconds(10) ? .warning : nil),
                .init("\(row.keeper.text), \(row.sinceRefresh.wholeSeconds) s ago", row.keeper == .alg ? .warning : nil),
            ]
        }
        for pinhole in snapshot.pinholes {
            rows.append([
                "hole", .init(pinhole.inside.description), .init(pinhole.external.description),
                .init(pinhole.from?.description ?? "anyone"), "-", .init("\((pinhole.until - snapshot.at).wholeSeconds) s"),
                .init(pinhole.isActive ? "ALG" : "ALG, not open yet", .warning),
            ])
        }
        return rows.isEmpty ? [] : self.lines(TextTable(columns, rows), style)
    }

    private func rewrites(_ style: ReportStyle) -> [String] {
        snapshot.alg.recent.reversed().flatMap { done in
            let way = done.direction == .outbound ? "out" : "in"
            let head = "\(ago(done.at))  \(done.rewrite.field.title) \(way)  \(done.flow.inside) - \(done.flow.remote)"
            let width = style.width - 4
            return [
                truncated(head, to: style.width, isUnicode: style.isUnicode),
                "  " + style.paint("- " + truncated(printable(done.rewrite.before), to: width, isUnicode: style.isUnicode), .bad),
                "  " + style.paint("+ " + truncated(printable(done.rewrite.after), to: width, isUnicode: style.isUnicode), .good),
            ]
        }
    }

    private func drops(_ style: ReportStyle) -> [String] {
        let rows = snapshot.statistics.drops.map { drop in
            [
                TextTable.Cell("\(drop.count)", .bad), .init(drop.interface.name), .init(drop.reason.text),
                .init(ago(drop.lastAt)),
            ]
        }
        guard !rows.isEmpty else { return [] }
        return lines(TextTable([.init("Packets", .right), .init("Side"), .init("Why"), .init("Last")], rows), style)
    }

    private func lines(_ table: TextTable, _ style: ReportStyle) -> [String] {
        table.text(style).split(separator: "\n").map(String.init)
    }

    private func ago(_ at: Instant) -> String { "\((snapshot.at - at).wholeSeconds) s ago" }
}

extension RouterInterface {
    var name: String { self == .lan ? "lan" : "wan" }
}
