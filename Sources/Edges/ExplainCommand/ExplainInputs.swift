import Analysis
import Base
import Capture
import CaptureInput

/// What the command was given, opened: one input for each file, or many cases where an archive holds several.
struct ExplainInputs {
    /// One input under way.
    final class Input {
        let name: String
        let kind: SourceSummary.Kind
        var source: ByteSource?
        /// For the excerpt.
        let copy: ByteCopy?
        /// For reading it once more; nil for a pipe.
        let second: ByteCopy?
        /// What else is to be said of it.
        var beside: [Blindness] = []

        init(_ source: ByteSource, copy: ByteCopy?) {
            name = source.name
            kind = source.kind == .textLog ? .log : .capture
            self.copy = copy
            second = source.copy()
            self.source = source
        }
    }

    /// Inputs are kept so that they can be read once more.
    let isSpooled: Bool
    private(set) var list: [Input] = []
    /// Something could not be opened.
    private(set) var isUnread = false
    /// An archive holds several captures or logs: each is a case of its own.
    private(set) var areManyCases = false
    private(set) var queues: [FolderRun.Origin] = []

    init(isSpooled: Bool) { self.isSpooled = isSpooled }

    mutating func open(_ path: String) {
        do throws(InputError) {
            let queue = try InputQueue(path: path, isSpooled: isSpooled)
            guard !queue.isArchive else {
                queues.append(.queue(queue))
                if let input = member(of: queue) { list.append(input) }
                return
            }
            guard let input = try queue.next().map({ input($0) }) else { return }
            queues.append(.input(input))
            list.append(input)
        } catch {
            queues.append(.failed(path, error))
            ExplainOutput.complain("\(error)")
            isUnread = true
        }
    }

    private func input(_ source: ByteSource) -> Input {
        // A log or HEP holds no packets.
        let copy = isSpooled && source.kind.isCapture ? source.copy() : nil
        return Input(source, copy: copy)
    }

    /// The one input in an archive that can be judged. What lies beside it is told with it, without its name.
    private mutating func member(of queue: InputQueue) -> Input? {
        var judged: Input?
        var spare: Input?
        var beside: [String: Int] = [:]
        var failures: [InputError] = []
        var isOver = false
        var isSeveral = false
        while !isOver, !isSeveral {
            do throws(InputError) {
                guard let source = try queue.next() else {
                    isOver = true
                    continue
                }
                if source.kind.isJudged {
                    if judged != nil { isSeveral = true } else { judged = input(source) }
                } else {
                    beside[Self.name(source.kind), default: 0] += 1
                    if spare == nil { spare = input(source) }
                }
            } catch {
                failures.append(error)
            }
        }
        guard !isSeveral else {
            areManyCases = true
            return nil
        }
        for failure in failures.prefix(8) { ExplainOutput.complain("\(failure)") }
        guard let judged else {
            if !failures.isEmpty { isUnread = true }
            return spare
        }
        if let failure = failures.first {
            judged.beside.append(
                Blindness(
                    .truncatedFile,
                    "Of the archive around it \(failures.count == 1 ? "a part" : "\(failures.count) parts") could not be read: \(failure.reason)."
                ))
        }
        for (name, count) in beside.sorted(by: { $0.key < $1.key }) {
            judged.beside.append(
                Blindness(
                    .undecoded, "Beside it in the archive, not read: \(count == 1 ? name : "\(count) times \(name)").",
                    count: count))
        }
        return judged
    }

    // MARK: Words

    private static func name(_ kind: InputKind) -> String {
        switch kind {
        case .foreign(let file): file.name
        case .empty: "an empty file"
        case .compressed, .archive: "a damaged archive"
        default: "a file of an unknown kind"
        }
    }

    /// Why nothing of such an input was read, behind its name.
    static func unread(_ kind: InputKind) -> String {
        switch kind {
        case .foreign(let file): "is \(file.name): nothing of it was read. \(file.advice)"
        case .compressed: "is compressed and damaged: nothing of it could be read."
        default: "is neither a capture (pcap, pcapng, HEPv3) nor a text log: nothing of it was read."
        }
    }
}
