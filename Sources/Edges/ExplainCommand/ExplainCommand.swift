import ArgumentParser
import Base
import CaptureInput
import ShowExplain
import TLS

/// `pinhole explain` and `pinhole-explain`: hand it captures or logs, and it says what went wrong, where, and what to do.
public struct ExplainCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Hand it a capture or a log: it says what went wrong, where, and what to do.",
        discussion: """
            Reads captures (pcap, pcapng, snoop, Network Monitor, HEPv3; compressed or in archives) and text logs of any SIP program, \
            told apart by content; "-" is standard input. Two captures of the two sides of a router are matched message by message. \
            TLS is read with a key log, --keylog or in the pcapng file; where keys are missing, the report says so.

            Exit status: 0 nothing accuses, 1 findings accuse, 2 something could not be read, \
            3 there is nothing to judge (no SIP, or nothing passes the filter), 64 wrong usage.
            """)

    @Argument(help: "Captures or logs; \"-\" for standard input; a folder: each file below it judged by itself, one line each.")
    var files: [String] = []
    @Option(name: .shortAndLong, help: "Listen on a network interface (or \"any\") until Ctrl-C, then report.")
    var interface: String?
    @Option(help: ArgumentHelp("Take HEPv3 from capture agents over UDP and TCP, then report.", valueName: "[address:]port"))
    var hep: String?
    @Option(help: "End listening after so many seconds.") var seconds: Double?

    @Option(help: ArgumentHelp("A password, to settle digests. May be given several times.", valueName: "user=password"))
    var password: [String] = []

    @Option(
        help: ArgumentHelp(
            "A TLS key log (SSLKEYLOGFILE) of the phone, browser or server: SIP over TLS and WSS is read with it.",
            valueName: "file"))
    var keylog: String?

    @Option(help: ArgumentHelp("Write one self-contained page there.", valueName: "file")) var html: String?
    @Flag(help: "For machines: JSON on standard output; docs/explain.md describes it.") var json = false
    @Option(
        help: ArgumentHelp(
            "Write the packets there that matter: of dialogs with findings, or of all that pass the filters. With several captures, one file each.",
            valueName: "file"))
    var pcap: String?
    @Flag(help: "Hide names, numbers and addresses, the same one always the same way, in reports and in --pcap.") var redact =
        false
    @Flag(help: "Plain text, whatever the terminal can show.") var noColor = false
    @Option(help: ArgumentHelp("Draw so many ladders at most.", valueName: "count")) var ladders: Int = 3
    @Flag(help: "Draw healthy dialogs too.") var all = false

    @Option(help: "Only dialogs whose Call-ID contains this.") var callID: String?
    @Option(help: "Only dialogs of this user, or user@host.") var user: String?
    @Option(help: "Only dialogs with messages from or to this address.") var address: String?
    @Option(help: ArgumentHelp("Only what happened since, UTC: \"2026-08-20 16:15:26\", or a time of day.", valueName: "time"))
    var from: String?
    @Option(help: ArgumentHelp("Only what happened until.", valueName: "time")) var to: String?
    @Option(
        help: ArgumentHelp(
            "Only these findings: \"nat.port-jump\", or \"nat\" for all of them. May be given several times.", valueName: "name"))
    var finding: [String] = []

    public init() {}

    public func validate() throws {
        guard !files.isEmpty || interface != nil || hep != nil else {
            throw ValidationError("There is nothing to read: name a capture or a log, or listen with -i or --hep.")
        }
        guard files.isEmpty || (interface == nil && hep == nil) else {
            throw ValidationError("Either files or listening with -i and --hep, not both.")
        }
        guard files.filter({ $0 == "-" }).count < 2 else { throw ValidationError("Standard input can be read once only.") }
        guard keylog == nil || !files.isEmpty else {
            throw ValidationError("--keylog belongs to captures in files: capture with tcpdump or dumpcap first.")
        }
        guard keylog != "-" || !files.contains("-") else { throw ValidationError("Standard input can be read once only.") }
        guard seconds == nil || (files.isEmpty && seconds! > 0 && seconds! < 1e9) else {
            throw ValidationError("--seconds belongs to -i and --hep, and is a number above 0.")
        }
        guard files.count <= 64 else { throw ValidationError("Up to 64 files are analysed together.") }
        _ = try passwords
        let unknown = try filter.filter.unknownFindings
        guard unknown.isEmpty else {
            throw ValidationError(
                "There is no finding \(unknown.joined(separator: ", ")); docs/explain.md lists them, for example nat.port-jump, or nat for all of nat."
            )
        }
    }

    public func run() throws {
        let run = ExplainRun(
            files: files, interface: interface, hep: hep, seconds: seconds, passwords: try passwords,
            keys: try keys, filter: try filter, isSpooled: pcap != nil)
        let output = ExplainOutput(
            html: html, isJSON: json, pcap: pcap, isRedacted: redact, isPlain: noColor, ladders: max(0, ladders),
            showsHealthy: all)
        let status = run.execute(output)
        if status != .clean { throw ExitCode(status.rawValue) }
    }

    private var keys: TLSKeyLog {
        get throws {
            guard let keylog else { return TLSKeyLog() }
            do throws(InputError) {
                let log = try KeyLogFile.read(keylog)
                if log.omittedOctets > 0 || log.omittedLines > 0 {
                    ExplainOutput.complain("\(keylog): too long; only its first \(log.sessions.count) sessions are used")
                }
                return log
            } catch {
                ExplainOutput.complain("\(error)")
                throw ExitCode(ExplainStatus.unread.rawValue)
            }
        }
    }

    private var passwords: [String: String] {
        get throws {
            var result: [String: String] = [:]
            for pair in password {
                guard let sign = pair.firstIndex(of: "="), sign != pair.startIndex else {
                    throw ValidationError("--password wants user=password, found \"\(pair)\".")
                }
                result[String(pair[..<sign])] = String(pair[pair.index(after: sign)...])
            }
            return result
        }
    }

    private var filter: ExplainTimeFilter {
        get throws {
            var known: IPAddress?
            if let address {
                guard let parsed = IPAddress(address) else {
                    throw ValidationError("--address wants an address, found \"\(address)\".")
                }
                known = parsed
            }
            func moment(_ name: String, _ text: String?) throws -> FilterTime? {
                guard let text else { return nil }
                guard let time = FilterTime(text) else {
                    throw ValidationError("--\(name) wants \"2026-08-20 16:15:26\" or \"16:15:26\", found \"\(text)\".")
                }
                return time
            }
            return ExplainTimeFilter(
                filter: ExplainFilter(callID: callID, user: user, address: known, findings: finding),
                from: try moment("from", from),
                to: try moment("to", to))
        }
    }
}

/// What the program's end tells its caller.
enum ExplainStatus: Int32 {
    case clean = 0
    case accuses = 1
    case unread = 2
    /// Nothing to judge: no SIP, no media, or nothing that a filter lets pass.
    case nothing = 3
}
