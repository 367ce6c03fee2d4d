import ArgumentParser
import Base
import Foundation
import ServerNode
import ShowLab
import ShowText
import Storage

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Who may register. A running server notices changes within a second.",
        subcommands: [Add.self, List.self, Remove.self, Password.self, Media.self, SRTP.self])

    struct Name: ParsableArguments {
        @Argument(help: "The user name, which is also the number or name others call.")
        var user: String

        func validate() throws {
            let forbidden = Set("\":@\\".utf8)
            let isFine = user.utf8.allSatisfy { byte in byte > 0x20 && byte < 0x7f && !forbidden.contains(byte) }
            guard !user.isEmpty, isFine else {
                throw ValidationError("'\(user)' cannot be a user name: no spaces, quotes, backslashes, ':' or '@', ASCII only.")
            }
        }
    }

    struct Secret: ParsableArguments {
        @Option(help: "The password. Without this option it is asked for, or read from standard input when that is no terminal.")
        var password: String?

        func read() throws -> String {
            if let password { return try check(password) }
            guard isatty(STDIN_FILENO) != 0 else { return try check(readLine() ?? "") }
            let first = Self.ask("Password: ")
            guard Self.ask("Again: ") == first else { throw CommandFailure("The two differ; nothing was changed.") }
            return try check(first)
        }

        private func check(_ text: String) throws -> String {
            guard !text.isEmpty else { throw ValidationError("An empty password lets everybody in; choose one.") }
            return text
        }

        private static func ask(_ prompt: String) -> String {
            FileHandle.standardError.write(Data(prompt.utf8))
            var terminal = termios()
            tcgetattr(STDIN_FILENO, &terminal)
            var silent = terminal
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &silent)
            defer {
                tcsetattr(STDIN_FILENO, TCSANOW, &terminal)
                FileHandle.standardError.write(Data("\n".utf8))
            }
            return readLine() ?? ""
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets someone register.")
        @OptionGroup var name: Name
        @OptionGroup var secret: Secret
        @Option(help: "Domain of the address of record (default: every domain the server answers for).")
        var domain: String?
        @Flag(help: "Let media go from phone to phone where both sides of a call may; see also: pinhole account media.")
        var directMedia = false
        @Option(help: "SRTP on its calls; see: pinhole account srtp --help")
        var srtp: SRTP.Way = .auto
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let (database, settings) = try configuration.openDatabase(makes: true)
            var account = Account(
                username: name.user, realm: settings.server.realm, password: try secret.read(), domain: domain?.lowercased())
            account.wantsDirectMedia = directMedia
            account.srtp = srtp.wish
            try database.add(account)
            print("Added \(name.user) (realm \(account.realm)) to \(database.path).")
            for warning in settings.warnings(about: [account]) { print("Warning: \(warning).") }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows who may register.")
        @Flag(help: "For machines.") var json = false
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let database = try configuration.readDatabase()
            let accounts = try database.accounts()
            let guesses = try database.guesses()
            if json {
                let values = accounts.map { account in
                    JSONValue.object([
                        ("user", .string(account.username)), ("realm", .string(account.realm)),
                        ("domain", account.domain.map { .string($0) } ?? .null),
                        ("directMedia", .bool(account.wantsDirectMedia)),
                        ("srtp", .string(account.srtp?.rawValue ?? "auto")),
                        ("passwordGuessedAt", guesses[account.username].map { .string("\(CalendarTime($0.last))") } ?? .null),
                    ])
                }
                print(JSONValue.object([("accounts", .array(values))]).text)
                return
            }
            guard !accounts.isEmpty else {
                print("No accounts in \(database.path). Add one with: pinhole account add 100")
                return
            }
            let rows = accounts.map {
                [
                    $0.username, $0.realm, $0.domain ?? "any", $0.wantsDirectMedia ? "direct" : "relayed",
                    $0.srtp?.rawValue ?? "auto",
                ]
            }
            print("\(accounts.count) account\(accounts.count == 1 ? "" : "s") in \(database.path)\n")
            print(textTable(["user", "realm", "domain", "media", "SRTP"], rows))
            for account in accounts {
                guard let guess = guesses[account.username] else { continue }
                print(
                    "The password of \(printable(account.username)) was guessed at, lately on \(CalendarTime(guess.last)) from \(guess.address)."
                )
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Takes an account away. Its bindings run out by themselves.")
        @OptionGroup var name: Name
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let (database, settings) = try configuration.openDatabase()
            try database.removeAccount(name.user, realm: settings.server.realm)
            print("Removed \(name.user) (realm \(settings.server.realm)).")
        }
    }

    struct Password: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "passwd", abstract: "Changes a password.")
        @OptionGroup var name: Name
        @OptionGroup var secret: Secret
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let (database, settings) = try configuration.openDatabase()
            let realm = settings.server.realm
            guard let old = try database.accounts().first(where: { $0.username == name.user && $0.realm == realm }) else {
                throw CommandFailure("there is no account \(name.user) in realm \(realm); see: pinhole account list")
            }
            let new = Account(
                username: old.username, realm: realm, password: try secret.read(), user: old.user, domain: old.domain)
            try database.replaceSecrets(of: new)
            print("Changed the password of \(name.user) (realm \(realm)).")
        }
    }

    struct Media: ParsableCommand {
        enum Way: String, ExpressibleByArgument, CaseIterable { case direct, relayed }

        static let configuration = CommandConfiguration(
            abstract:
                "Chooses whether an account's media goes through the server (relayed, the default) or from phone to phone (direct).",
            discussion: "A call is direct only where both its accounts are. Direct media works where the phones reach each other."
        )
        @OptionGroup var name: Name
        @Argument(help: "direct or relayed.") var way: Way
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let (database, settings) = try configuration.openDatabase()
            try database.setDirectMedia(way == .direct, name.user, realm: settings.server.realm)
            print("Media of \(name.user) is \(way.rawValue) from the next call on.")
        }
    }

    struct SRTP: ParsableCommand {
        enum Way: String, ExpressibleByArgument, CaseIterable {
            case required, offered, off, auto

            var wish: Account.SRTP? { Account.SRTP(rawValue: rawValue) }
        }

        static let configuration = CommandConfiguration(
            abstract: "Chooses whether an account's calls are encrypted (SRTP).",
            discussion: """
                required: SRTP or no call. offered: SRTP first, plain RTP to a phone that refuses it. off: never. auto, the default: SRTP first \
                where the phone's SIP is encrypted, where the other side offers it, and to a phone that took nothing else before; a phone that \
                refuses one is asked once more with the other.
                """
        )
        @OptionGroup var name: Name
        @Argument(help: "required, offered, off or auto.") var way: Way
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let (database, settings) = try configuration.openDatabase()
            try database.setSRTP(way.wish, name.user, realm: settings.server.realm)
            print("SRTP of \(name.user) is \(way.rawValue) from the next call on.")
        }
    }
}
