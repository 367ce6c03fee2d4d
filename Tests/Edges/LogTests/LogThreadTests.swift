import Base
import Foundation
import Logging
import TerminalEdge
import Testing

@testable import LogEdge

/// A log that writes into files of a folder of its own.
private final class Bench {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)")
    let thread: LogThread
    var path: String { folder.appendingPathComponent("log").path }

    init(_ change: (inout LogSettings) -> Void = { _ in }, room: LogThread.Room = .init()) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var settings = LogSettings()
        settings.file = folder.appendingPathComponent("log").path
        change(&settings)
        thread = try LogThread(settings, clock: { Instant(seconds: 1_184_140_908) }, room: room)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func logger(_ category: LogCategory = .server) -> Logger {
        Logger(label: category.label) { [thread] label in
            PinholeLogHandler(label: label, thread) { Instant(seconds: 1_184_140_908) }
        }
    }

    func text(_ name: String = "log") -> String {
        (try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)) ?? ""
    }

    func settings(_ change: (inout LogSettings) -> Void = { _ in }) -> LogSettings {
        var settings = LogSettings()
        settings.file = path
        change(&settings)
        return settings
    }
}

@Suite("The log is written by a thread of its own, and never stands in anybody's way")
struct LogThreadTests {
    @Test("What a Logger says is one line with the time, errors and warnings marked")
    func text() throws {
        let bench = try Bench()
        bench.thread.start()
        let logger = bench.logger()
        logger.info("100 registers")
        logger.warning("the clock is late")
        logger.error("the disk is full")
        logger.error("there is room again", metadata: ["state": "over"])
        #expect(bench.thread.flush(within: 60))
        #expect(
            bench.text() == """
                2007-07-11 08:01:48.000 100 registers
                2007-07-11 08:01:48.000 warning: the clock is late
                2007-07-11 08:01:48.000 error: the disk is full
                2007-07-11 08:01:48.000 over: there is room again

                """)
        #expect(bench.thread.counts == .init(waiting: 0, written: 4, dropped: 0, unwritable: 0))
    }

    @Test("What a stranger put into a line can neither begin another one nor move the cursor")
    func hostile() throws {
        let bench = try Bench()
        bench.thread.start()
        bench.logger().info("user \("a\n2007-07-11 08:01:48.000 auth-failure ip=192.0.2.1\u{1b}[2J")")
        #expect(bench.thread.flush(within: 60))
        #expect(bench.text() == "2007-07-11 08:01:48.000 user a\\x0a2007-07-11 08:01:48.000 auth-failure ip=192.0.2.1\\x1b[2J\n")
    }

    @Test("As JSON each line is one object with time, level, category, message and what else is known")
    func json() throws {
        let bench = try Bench { $0.format = .json }
        bench.thread.start()
        bench.logger(.security).notice("he \"says\" \\", metadata: ["user": "a\"b", "ip": "192.0.2.1"])
        #expect(bench.thread.flush(within: 60))
        let expected =
            #"{"time":"2007-07-11T08:01:48.000Z","level":"notice","category":"security","message":"he \"says\" \\","ip":"192.0.2.1","user":"a\"b"}"#
        #expect(bench.text() == expected + "\n")
        let object = try JSONSerialization.jsonObject(with: Data(bench.text().utf8)) as? [String: String]
        #expect(object?["user"] == "a\"b")
    }

    @Test(
        "For journald a line begins with syslog's severity",
        arguments: [
            (Logger.Level.critical, 2), (.error, 3), (.warning, 4), (.notice, 5), (.info, 6), (.debug, 7),
        ])
    func journal(_ level: Logger.Level, _ priority: Int) throws {
        let record = LogRecord(time: Instant(seconds: 0), level: level, category: .server, text: "words")
        let mark = level >= .error ? "error: " : level == .warning ? "warning: " : ""
        #expect(record.line(.journal) == "<\(priority)>\(mark)words\n")
    }

    @Test("Each category has its level, libraries are heard from warnings on, and levels change while the log is used")
    func levels() throws {
        let bench = try Bench { $0.levels = [.calls: .debug, .registrar: .warning] }
        bench.thread.start()
        func all() {
            for category in [LogCategory.calls, .registrar, .server, .libraries] {
                bench.logger(category).debug("\(category.rawValue) debug")
                bench.logger(category).info("\(category.rawValue) info")
            }
        }
        all()
        try bench.thread.adopt(
            bench.settings {
                $0.level = .error; $0.levels = [.registrar: .info]
            })
        all()
        #expect(bench.thread.flush(within: 60))
        #expect(
            bench.text().split(separator: "\n").map { $0.dropFirst(24) } == [
                "calls debug", "calls info", "server info", "registrar info",
            ])
    }

    @Test("Every category has its own level, whatever the others' are", arguments: LogCategory.allCases)
    func ownLevel(_ category: LogCategory) throws {
        for level in Logger.Level.allCases {
            let bench = try Bench { settings in
                settings.level = level == .critical ? .trace : .critical
                settings.levels = [category: level]
            }
            #expect(bench.thread.level(of: category) == level)
            for other in LogCategory.allCases where other != category {
                #expect(
                    bench.thread.level(of: other)
                        == bench.settings { $0.level = level == .critical ? .trace : .critical }.level(of: other))
            }
        }
    }

    @Test("What there is no room for is dropped and counted, the log says how much, and goes on")
    func dropping() throws {
        let bench = try Bench(room: .init(entries: 4, octets: 1 << 20))
        let gate = DispatchSemaphore(value: 0)
        let logger = bench.logger()
        bench.thread.perform(octets: 0, at: Instant(seconds: 0)) { gate.wait() }
        for number in 1...10 { logger.info("line \(number)") }
        #expect(bench.thread.counts.dropped == 7)
        bench.thread.start()
        gate.signal()
        #expect(bench.thread.flush(within: 60))
        logger.info("after")
        #expect(bench.thread.flush(within: 60))
        #expect(
            bench.text().split(separator: "\n").map { $0.dropFirst(24) } == [
                "line 1", "line 2", "line 3",
                "error: 7 lines of the log were dropped: what was to be logged came faster than it could be written", "after",
            ])
    }

    @Test("What waits is bounded by bytes as well")
    func octets() throws {
        let bench = try Bench(room: .init(entries: 1_000, octets: 1_000))
        #expect(bench.thread.perform(octets: 900, at: Instant(seconds: 0)) {})
        #expect(!bench.thread.perform(octets: 101, at: Instant(seconds: 0)) {})
        #expect(bench.thread.perform(octets: 100, at: Instant(seconds: 0)) {})
        #expect(bench.thread.counts.dropped == 1)
    }

    @Test("A reader that has stopped reading holds nobody up; when it is gone, what was lost is counted and nothing dies")
    func stalledReader() throws {
        signal(SIGPIPE, SIG_IGN)
        var pipe: [Int32] = [0, 0]
        try #require(Glibc.pipe(&pipe) == 0)
        let thread = try LogThread(
            LogSettings(), clock: { Instant(seconds: 0) }, standard: OutputPort(pipe[1]),
            room: .init(entries: 16, octets: 1 << 20))
        thread.start()
        let line = String(repeating: "x", count: 8_192)
        for _ in 0..<200 { thread.write(LogRecord(time: Instant(seconds: 0), level: .info, category: .server, text: line)) }
        #expect(thread.counts.dropped >= 100)
        close(pipe[0])
        #expect(thread.flush(within: 60))
        #expect(thread.counts.unwritable > 0)
        close(pipe[1])
    }

    @Test("What standard error does not take is counted too, and stays counted when a file takes over")
    func unwritableErrors() throws {
        signal(SIGPIPE, SIG_IGN)
        var pipes: [[Int32]] = [[0, 0], [0, 0]]
        for index in pipes.indices { try #require(Glibc.pipe(&pipes[index]) == 0) }
        let bench = try Bench()
        let thread = try LogThread(
            LogSettings(), clock: { Instant(seconds: 0) }, standard: OutputPort(pipes[0][1]), errors: OutputPort(pipes[1][1]))
        thread.start()
        for pipe in pipes { close(pipe[0]) }
        for level in [Logger.Level.info, .error] {
            thread.write(LogRecord(time: Instant(seconds: 0), level: level, category: .server, text: "x"))
        }
        #expect(thread.flush(within: 60))
        #expect(thread.counts.unwritable == 2)
        try thread.adopt(bench.settings())
        #expect(thread.flush(within: 60))
        #expect(thread.counts.unwritable == 2)
        for pipe in pipes { close(pipe[1]) }
    }

    @Test("The file is opened anew: what was moved away keeps its lines, new ones go to the new file")
    func rotation() throws {
        let bench = try Bench()
        bench.thread.start()
        let logger = bench.logger()
        logger.info("before")
        #expect(bench.thread.flush(within: 60))
        try FileManager.default.moveItem(atPath: bench.path, toPath: bench.path + ".1")
        logger.info("between")
        try bench.thread.adopt(bench.settings())
        logger.info("after")
        #expect(bench.thread.flush(within: 60))
        #expect(bench.text("log.1") == "2007-07-11 08:01:48.000 before\n2007-07-11 08:01:48.000 between\n")
        #expect(bench.text() == "2007-07-11 08:01:48.000 after\n")
    }

    @Test("A file that cannot be opened is refused with its name and the cure, and the log stays where it was")
    func unopenable() throws {
        let bench = try Bench()
        bench.thread.start()
        #expect(throws: LogError.self) { try bench.thread.adopt(bench.settings { $0.file = "/nowhere/at/all/log" }) }
        let error = #expect(throws: LogError.self) {
            var settings = LogSettings()
            settings.file = "/nowhere/at/all/log"
            _ = try LogThread(settings, clock: { Instant(seconds: 0) })
        }
        #expect(
            error?.description == "log.file: /nowhere/at/all/log cannot be written: No such file or directory. "
                + "Name another, or give the server's user the right to write there.")
        bench.logger().info("still here")
        #expect(bench.thread.flush(within: 60))
        #expect(bench.text() == "2007-07-11 08:01:48.000 still here\n")
    }

    @Test("Where nobody chose a format, the journal gets priorities and everybody else times")
    func usualFormat() {
        var status = stat()
        fstat(STDIN_FILENO, &status)
        let journal = "\(status.st_dev):\(status.st_ino)"
        var settings = LogSettings()
        #expect(settings.format(journal: journal, descriptor: STDIN_FILENO) == .journal)
        #expect(settings.format(journal: "1:1", descriptor: STDIN_FILENO) == .text)
        #expect(settings.format(journal: nil, descriptor: STDIN_FILENO) == .text)
        settings.file = "/var/log/pinhole.log"
        #expect(settings.format(journal: journal, descriptor: STDIN_FILENO) == .text)
        settings.format = .json
        #expect(settings.format(journal: journal, descriptor: STDIN_FILENO) == .json)
    }

    @Test("Work of the log's thread tells under the time at which it happened")
    func time() throws {
        let bench = try Bench()
        let logger = bench.logger()
        bench.thread.perform(octets: 0, at: Instant(seconds: 1_184_140_900)) { logger.info("then") }
        bench.thread.start()
        #expect(bench.thread.flush(within: 60))
        #expect(bench.text() == "2007-07-11 08:01:40.000 then\n")
    }
}
