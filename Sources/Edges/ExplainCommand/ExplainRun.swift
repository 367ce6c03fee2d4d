import Analysis
import Base
import Capture
import CaptureCrypto
import CaptureInput
import Glibc
import ShowExplain
import TLS

/// One run of the command: reads everything, analyses, hands the result to the output.
struct ExplainRun {
    let files: [String]
    let interface: String?
    let hep: String?
    let seconds: Double?
    let passwords: [String: String]
    let keys: TLSKeyLog
    let filter: ExplainTimeFilter
    /// Inputs are kept so that they can be read once more.
    let isSpooled: Bool

    func execute(_ output: ExplainOutput) -> ExplainStatus {
        do throws(InputError) {
            if files.contains(where: FolderRun.isFolder) { return FolderRun(run: self, output: output).execute() }
            return try files.isEmpty ? live(output) : read(output)
        } catch {
            ExplainOutput.complain("\(error)")
        }
        return .unread
    }

    // MARK: Files

    private func read(_ output: ExplainOutput) throws(InputError) -> ExplainStatus {
        var inputs = ExplainInputs(isSpooled: isSpooled)
        for path in files { inputs.open(path) }
        if inputs.areManyCases { return FolderRun(run: self, output: output).execute(inputs.queues) }
        guard !inputs.list.isEmpty else { return .unread }
        var isUnread = inputs.isUnread
        var analyzer = Analyzer(sources: inputs.list.map { SourceSummary(name: $0.name, kind: $0.kind) }, options: options)
        for (index, input) in inputs.list.enumerated() {
            do throws(InputError) {
                guard let source = input.source.take() else { continue }
                if try !read(source, index, &analyzer) { isUnread = true }
            } catch {
                ExplainOutput.complain("\(error)")
                analyzer.blind(Blindness(.truncatedFile, "\(error)"), in: Vantage(UInt16(index)))
                isUnread = true
            }
        }
        if !isUnread { split(&analyzer, inputs.list.map(\.second)) }
        for (index, input) in inputs.list.enumerated() {
            for blindness in input.beside { analyzer.blind(blindness, in: Vantage(UInt16(index))) }
        }
        var result = analyzer.finish()
        var copies = inputs.list.map(\.copy)
        if !isUnread, let whole = FolderRun(run: self, output: output).rejoined(result, inputs.list.map(\.second)) {
            (result, copies) = whole
        }
        // Files that have no talk in common are cases of their own; an excerpt or one page is made of all of them.
        let isOnePage = output.html.map { !FolderRun.isFolder($0) } ?? false
        if files.count > 1, !files.contains("-"), output.pcap == nil, !isOnePage, result.cases.count > 1 {
            ExplainOutput.tell("these files have no talk in common: each case is judged by itself")
            return FolderRun(run: self, output: output).execute(files.map { .path($0) })
        }
        let status = output.show(result, filter, copies)
        return isUnread ? .unread : status
    }

    /// Reads all once more where a capture turned out to show both sides of a router, which are told apart then.
    func split(_ analyzer: inout Analyzer, _ copies: [ByteCopy?]) {
        guard var again = analyzer.splitting() else { return }
        for (index, copy) in copies.enumerated() {
            do throws(InputError) {
                guard let source = try copy?.open(), try read(source, index, &again) else { return }
            } catch {
                return
            }
        }
        analyzer = again
    }

    /// Feeds one input to the analyzer. False: it is nothing that is read here.
    func read(_ source: ByteSource, _ index: Int, _ analyzer: inout Analyzer) throws(InputError) -> Bool {
        let vantage = Vantage(UInt16(index))
        let name = source.name
        let size = source.size
        var progress = ProgressLine("reading \(name)", total: size)
        defer { progress.clear() }
        switch source.kind {
        case .pcap, .pcapng:
            let notes = try CaptureFileReader().read(source, file: index, tls: tls, reading: BatchReading()) {
                $1.read($0)
            } _: { batch, reading, done in
                analyzer.observe(batch, reading, file: index)
                progress.show(done)
            }
            analyzer.blind(notes, in: vantage)
        case .hep:
            analyzer.blind(try hepFile(source, index, &analyzer, &progress), in: vantage)
        case .textLog:
            analyzer.blind(try log(source, index, &analyzer, &progress), in: vantage)
        case .hexDump:
            analyzer.blind(try hexDump(source, index, &analyzer, &progress), in: vantage)
        case .empty:
            analyzer.blind(Blindness(.undecoded, "\(name) is empty."), in: vantage)
        case .compressed, .archive, .foreign, .unknown:
            // What was made of the messages is told before anything else.
            let kind: Blindness.Kind = source.kind == .foreign(.dissection) ? .unreadMessages : .undecoded
            analyzer.blind(Blindness(kind, "\(name) \(ExplainInputs.unread(source.kind))"), in: vantage)
            return false
        }
        return true
    }

    private func hepFile(
        _ source: ByteSource, _ index: Int, _ analyzer: inout Analyzer, _ progress: inout ProgressLine
    ) throws(InputError) -> CaptureNotes {
        var decoder = HEPDecoder(file: index)
        var batch = PayloadBatch()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try read(source, into: &buffer)
            if count == 0 { break }
            decoder.begin(&batch)
            buffer.withUnsafeBytes { decoder.stream(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &batch) }
            analyzer.observe(batch, file: index)
            progress.show(source.done)
        }
        decoder.finish()
        if let shortfall = source.shortfall {
            analyzer.blind(.shortfall(isBomb: shortfall != .damaged), in: Vantage(UInt16(index)))
        }
        return decoder.notes
    }

    private func hexDump(
        _ source: ByteSource, _ index: Int, _ analyzer: inout Analyzer, _ progress: inout ProgressLine
    ) throws(InputError) -> CaptureNotes {
        var decoder = HexDumpDecoder(file: index)
        var batch = PayloadBatch()
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        func observe(_ batch: borrowing PayloadBatch) {
            if decoder.timeless > 0, !decoder.hasTimes { analyzer.timeless.insert(UInt16(clamping: index)) }
            analyzer.observe(batch, file: index)
        }
        while true {
            let count = try read(source, into: &buffer)
            if count == 0 { break }
            decoder.begin(&batch)
            buffer.withUnsafeBytes { decoder.read(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &batch) }
            observe(batch)
            progress.show(source.done)
        }
        decoder.begin(&batch)
        decoder.finish(&batch)
        observe(batch)
        let vantage = Vantage(UInt16(index))
        if let shortfall = source.shortfall { analyzer.blind(.shortfall(isBomb: shortfall != .damaged), in: vantage) }
        if decoder.timeless > 0 {
            analyzer.blind(
                Blindness(
                    .noTimes, "\(decoder.timeless) packets bear no time: only their order is known.",
                    count: Int(clamping: decoder.timeless)), in: vantage)
        }
        return decoder.notes
    }

    private func log(
        _ source: ByteSource, _ index: Int, _ analyzer: inout Analyzer, _ progress: inout ProgressLine
    ) throws(InputError) -> LogGaps {
        var reader = LogReader()
        var order = LogOrder()
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try read(source, into: &buffer)
            if count == 0 { break }
            buffer.withUnsafeBytes { reader.read(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            while let item = reader.nextItem() { order.add(item) { analyzer.observe($0, file: index) } }
            progress.show(source.done)
        }
        reader.finish()
        while let item = reader.nextItem() { order.add(item) { analyzer.observe($0, file: index) } }
        order.finish { analyzer.observe($0, file: index) }
        analyzer.count(lines: reader.lines, file: index)
        if let shortfall = source.shortfall {
            analyzer.blind(.shortfall(isBomb: shortfall != .damaged), in: Vantage(UInt16(index)))
        }
        return reader.gaps
    }

    private func read(_ source: ByteSource, into buffer: inout [UInt8]) throws(InputError) -> Int {
        var failure: InputError?
        let count = buffer.withUnsafeMutableBytes { space -> Int in
            do throws(InputError) { return try source.read(into: space) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    // MARK: Live

    private func live(_ output: ExplainOutput) throws(InputError) -> ExplainStatus {
        let input = try LiveInput()
        var sources: [SourceSummary] = []
        if let interface {
            try input.capture(interface: interface, file: sources.count, isSpooled: isSpooled)
            sources.append(SourceSummary(name: interface, kind: .live))
        }
        let hepIndex = sources.count
        var listening = interface.map { "listening on \($0)" } ?? ""
        if let hep {
            let port = try input.listen(hep: hep, file: hepIndex)
            sources.append(SourceSummary(name: "HEP \(hep)", kind: .live))
            listening += (listening.isEmpty ? "listening" : "") + " for HEPv3 on UDP and TCP port \(port)"
        }
        var analyzer = Analyzer(sources: sources, options: options)
        ExplainOutput.tell("\(listening); \(seconds.map { "for \($0) s" } ?? "Ctrl-C ends") and reports")
        var status = StatusLine()
        try input.run(seconds: seconds, idle: { status.show($0) }) { analyzer.observe($0, file: $0.file) }
        status.clear()
        if interface != nil { analyzer.blind(input.interfaceNotes, in: Vantage(0)) }
        if hep != nil { analyzer.blind(input.hepNotes, in: Vantage(UInt16(hepIndex))) }
        var copies: [ByteCopy?] = []
        if interface != nil { copies.append(try input.copy()) }
        if hep != nil { copies.append(nil) }
        return output.show(analyzer.finish(), filter, copies)
    }

    private var tls: TLSReading { TLSReading(keys: keys, primitives: .libcrypto) }

    var options: AnalysisOptions { AnalysisOptions(passwords: passwords, hash: RecheckHash.all) }
}
