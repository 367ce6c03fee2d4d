import Base
import Foundation
import LinuxEdge
import ServerNode
import Storage

/// A folder of its own for a server that lives as long as a trial: its settings, accounts and log.
struct TrialServer {
    let arguments: [String]
    let log: FileHandle
    let logPath: String
    private let control: String

    static func password(_ user: String) -> String { "secret\(user)" }

    init(_ profile: String, accounts: [String]) throws {
        var template = Array("\(NSTemporaryDirectory())pinhole-try.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure("No folder for the server: \(String(cString: strerror(errno)))")
        }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let realm = "pinhole"
        let database = try PinholeDatabase(path: "\(folder)/pinhole.db")
        for user in accounts { try database.add(Account(username: user, realm: realm, password: Self.password(user))) }
        control = "\(folder)/control.sock"
        logPath = "\(folder)/serve.log"
        let settings = """
            profile: \(profile)
            realm: \(realm)
            database: \(folder)/pinhole.db
            control: \(control)
            metrics: off
            sip-debug: yes
            drain-for: 0s

            """
        try settings.write(toFile: "\(folder)/pinhole.yaml", atomically: true, encoding: .utf8)
        try "".write(toFile: logPath, atomically: false, encoding: .utf8)
        guard let log = FileHandle(forWritingAtPath: logPath) else { throw CommandFailure("\(logPath) cannot be written") }
        self.log = log
        arguments = ["pinhole", "serve", "--config", "\(folder)/pinhole.yaml"]
    }

    /// Returns once it answers; throws with the end of its log where it does not within ten seconds.
    func waitForServer() throws {
        for _ in 0..<500 {
            if let descriptor = UnixSocket.connect(control) {
                close(descriptor)
                return
            }
            usleep(20_000)
        }
        let said = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        throw CommandFailure("The server before the router does not answer. Its last words: \(said.suffix(400))")
    }
}
