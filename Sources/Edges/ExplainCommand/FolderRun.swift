import Analysis
import Base
import CaptureInput
import Glibc
import Redaction
import ShowExplain
import ShowText
import TerminalEdge

/// A folder is many cases: each file below it is judged by itself, the worst is told first.
struct FolderRun {
    /// Files judged in one run.
    static let mostFiles = 10_000
    private static let deepest = 16
    /// Of so many it is found out which belong together: each is held open meanwhile.
    private static let mostJoined = 400
    /// Recordings compared with each other; more stay apart.
    private static let mostCompared = 8

    let run: ExplainRun
    let output: ExplainOutput

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// All files below the run's folders, and the members of the archives among them.
    func execute() -> ExplainStatus {
        var paths: [String] = []
        for file in run.files { Self.collect(file, 0, into: &paths) }
        if paths.count >= Self.mostFiles { ExplainOutput.complain("more than \(Self.mostFiles) files: the rest is left out") }
        return execute(paths.map { .path($0) })
    }

    /// Where cases come from.
    enum Origin {
        case path(String)
        /// Opened already: an archive, a file.
        case queue(InputQueue)
        /// The same, one that is no archive: it can be read once.
        case input(ExplainInputs.Input)
        /// It could not be.
        case failed(String, InputError)
    }

    func execute(_ origins: [Origin]) -> ExplainStatus {
        if output.pcap != nil { ExplainOutput.complain("--pcap writes no excerpt of a folder: name the file") }
        if let folder = output.html, mkdir(folder, 0o755) != 0, errno != EEXIST {
            ExplainOutput.complain("\(folder) cannot be made: \(String(cString: strerror(errno)))")
            return .unread
        }
        var redactor = output.isRedacted ? Redactor(entropy: Entropy(seed: (0..<32).map { _ in UInt8.random(in: 0...255) })) : nil
        var lines: [CaseLine] = []
        var cases: [Case] = []
        var isWritten = true
        var number = 0
        func add(_ source: ByteSource) {
            number += 1
            let name = redactor == nil ? source.name : "file-\(number)"
            let copy = cases.count < Self.mostJoined ? source.copy() : nil
            let (whole, isUnread) = judge([source])
            if copy != nil {
                let all = Set(whole.sources.indices.map { UInt16($0) })
                cases.append(Case(line: lines.count, names: TalkNames(whole), part: CapturePart(whole, of: all), copy: copy))
            }
            tell(name, whole, isUnread)
        }
        func tell(_ name: String, _ whole: AnalysisResult, _ isUnread: Bool) {
            let filter = run.filter.settled(for: whole)
            var result = filter.filtered(whole)
            if redactor != nil { result = redactor!.redact(result) }
            var line = CaseLine(name: name, result: result, isUnread: isUnread)
            // As of one file: healthy is what was asked for a finding, and has none; whoever was asked for and is not there is nothing.
            if result.emptiedBy != nil, filter.findings.isEmpty { line.standing = .nothing }
            if let folder = output.html {
                line.page = "\(number).html"
                isWritten =
                    ExplainOutput.write(ExplainPage(result, title: name).html, toFile: "\(folder)/\(number).html") && isWritten
            }
            lines.append(line)
        }
        func fail(_ error: InputError) {
            number += 1
            lines.append(
                redactor == nil
                    ? CaseLine(unread: error.name, error.sentence) : CaseLine(unread: "file-\(number)", "It could not be read."))
        }
        for origin in origins {
            do throws(InputError) {
                let queue: InputQueue
                switch origin {
                case .path(let path): queue = try InputQueue(path: path)
                case .queue(let opened): queue = opened
                case .input(let input):
                    if let source = input.source.take() { add(source) }
                    continue
                case .failed(_, let error): throw error
                }
                try queue.restart()
                var isOver = false
                while !isOver, lines.count < Self.mostFiles {
                    do throws(InputError) {
                        if let source = try queue.next() { add(source) } else { isOver = true }
                    } catch {
                        fail(error)
                    }
                }
            } catch {
                fail(error)
            }
        }
        var joined = Set<Int>()
        for group in Self.together(cases) {
            let sources = group.compactMap { part in try? ByteCopy.joined(part.compactMap { cases[$0].copy })?.open() }
            guard sources.count == group.count else { continue }
            number += 1
            let (whole, isUnread) = judge(sources)
            let members = group.flatMap { $0 }.map { cases[$0].line }
            joined.formUnion(members)
            tell(members.map { lines[$0].name }.joined(separator: " + "), whole, isUnread)
            lines[lines.count - 1].files = members.count
        }
        lines = lines.indices.filter { !joined.contains($0) }.map { lines[$0] }
        let order = lines.indices.sorted { (lines[$0].standing, $0) < (lines[$1].standing, $1) }
        lines = order.map { lines[$0] }
        if let folder = output.html {
            isWritten =
                ExplainOutput.write(CaseLine.index(lines, title: CaseLine.heading(lines)), toFile: "\(folder)/index.html")
                && isWritten
        }
        if output.isJSON {
            for line in lines { ExplainOutput.write(line.json.text + "\n", to: STDOUT_FILENO) }
        } else {
            ExplainOutput.write(CaseLine.table(lines, Terminal.style(noColor: output.isPlain)), to: STDOUT_FILENO)
        }
        return isWritten ? Self.status(lines) : .unread
    }

    private static func status(_ lines: [CaseLine]) -> ExplainStatus {
        if lines.contains(where: { $0.standing <= .risk }) { return .accuses }
        if lines.contains(where: { $0.standing == .unread }) { return .unread }
        return lines.contains { $0.standing == .healthy || $0.standing == .failed } ? .clean : .nothing
    }

    /// One input, with what tells which others show the same talks.
    private struct Case {
        var line: Int
        var names: TalkNames
        var part: CapturePart
        var copy: ByteCopy?
    }

    /// Recordings of the same talks at the same time belong together: two sides of a router, a capture and a log, each of which may have been
    /// written into several files. More than can be compared stay apart.
    private static func together(_ cases: [Case]) -> [[[Int]]] {
        let rotations = CapturePart.rotations(cases.map(\.part))
        let inParts = Set(rotations.flatMap { $0 })
        let wholes = rotations + cases.indices.filter { !inParts.contains($0) }.map { [$0] }
        return TalkNames.groups(wholes.count) { a, b in
            wholes[a].contains { a in
                wholes[b].contains { b in cases[a].names.shares(cases[b].names) && cases[a].names.overlaps(cases[b].names) }
            }
        }.map { $0.map { wholes[$0] } }.filter { ($0.count > 1 || $0[0].count > 1) && $0.count <= mostCompared }
    }

    /// What several files tell of which some are parts of one capture, each such capture read as one; nil where none are.
    func rejoined(_ result: AnalysisResult, _ copies: [ByteCopy?]) -> (AnalysisResult, [ByteCopy?])? {
        let rotations = result.rotations
        guard !rotations.isEmpty, copies.allSatisfy({ $0 != nil }) else { return nil }
        let inParts = Set(rotations.flatMap { $0 })
        let wholes = (rotations + copies.indices.filter { !inParts.contains($0) }.map { [$0] }).sorted { $0[0] < $1[0] }
        let joined = wholes.map { ByteCopy.joined($0.compactMap { copies[$0] }) }
        let sources = joined.compactMap { try? $0?.open() }
        guard sources.count == wholes.count else { return nil }
        let (whole, isUnread) = judge(sources)
        return isUnread ? nil : (whole, joined)
    }

    /// Judges one input, or several that belong together.
    private func judge(_ sources: [ByteSource]) -> (AnalysisResult, isUnread: Bool) {
        var analyzer = Analyzer(
            sources: sources.map { SourceSummary(name: $0.name, kind: $0.kind == .textLog ? .log : .capture) },
            options: run.options)
        let copies = sources.map { $0.copy() }
        var isRead = true
        for (index, source) in sources.enumerated() {
            do throws(InputError) {
                if try !run.read(source, index, &analyzer) { isRead = false }
            } catch {
                analyzer.blind(Blindness(.truncatedFile, "\(error)"), in: Vantage(UInt16(index)))
                isRead = false
            }
        }
        if isRead { run.split(&analyzer, copies) }
        return (analyzer.finish(), !isRead)
    }

    /// Regular files below, by name; hidden ones and what links lead to are left alone.
    private static func collect(_ path: String, _ depth: Int, into paths: inout [String]) {
        guard isFolder(path) else {
            if paths.count < mostFiles { paths.append(path) }
            return
        }
        guard depth < deepest, let folder = opendir(path) else {
            ExplainOutput.complain("\(path) cannot be listed: \(depth < deepest ? String(cString: strerror(errno)) : "too deep")")
            return
        }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        closedir(folder)
        for name in names.sorted() {
            let below = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
            var status = stat()
            guard lstat(below, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: collect(below, depth + 1, into: &paths)
            case S_IFREG: if paths.count < mostFiles { paths.append(below) }
            default: break
            }
        }
    }
}
