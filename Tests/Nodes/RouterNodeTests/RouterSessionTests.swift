import Base
import RouterNode
import Testing

/// A terminal at a session whose router answers at once.
private struct Desk {
    var bench = RouterBench(.linux(wan: RouterBench.wan))
    var session: RouterSession
    var shown: [UInt8] = []
    var commands: [String] = []
    var traces: [RouterSession.Trace] = []
    var isClosed = false
    var now = Instant(seconds: 1_000)
    var answers = true

    init(telnet: Bool = false, login: RouterLogin? = nil, wrongBefore: Int = 0) {
        let settings = RouterSession.Settings(product: "SpeedTouch 780", isTelnet: telnet, login: login)
        session = RouterSession(settings, wrongBefore: wrongBefore, at: now)
        collect()
    }

    mutating func collect() {
        while let output = session.nextOutput() {
            switch output {
            case .bytes(let bytes): shown += bytes
            case .command(let line):
                commands.append(line)
                if answers { session.receive(.reply(bench.command(line)), at: now) }
            case .close: isClosed = true
            }
        }
        while let trace = session.nextTrace() { traces.append(trace) }
    }

    /// What is shown in answer.
    mutating func type(_ bytes: [UInt8]) -> [UInt8] {
        shown = []
        session.receive(.bytes(bytes), at: now)
        collect()
        return shown
    }

    /// The same as text, line feeds for line ends, without the sequence that clears the rest of a line.
    @discardableResult
    mutating func type(_ text: String) -> String { Self.text(type(Array(text.utf8))) }

    mutating func wait(_ seconds: Int) -> String {
        shown = []
        now = now + .seconds(seconds)
        session.advance(to: now)
        collect()
        return Self.text(shown)
    }

    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n").replacing("\u{1b}[K", with: "")
    }
}

@Suite("a session at the command line")
struct RouterSessionTests {
    private static let login = RouterLogin(user: "Administrator", password: "secret")
    private static let root = "\r{Administrator}=>"
    private static let inside = "\r{Administrator}[connection]=>"

    @Test("groups and commands, the prompt of the place, and the same machine's answers as the router's own command line")
    func commands() {
        var desk = Desk()
        #expect(desk.type("connection\r") == "connection\n" + Self.inside)
        let off = desk.type("appconfig application=SIP SIP_ALG=disabled\r")
        #expect(off == "appconfig application=SIP SIP_ALG=disabled\n" + Self.inside)
        #expect(!desk.bench.router.isALGOn)
        #expect(desk.type("appinfo SIP\r").contains("SIP_ALG       disabled\n"))
        #expect(desk.type(":nat bindlist\r").hasSuffix("3478-3479\n" + Self.inside))
        #expect(desk.type("..\r").hasSuffix(Self.root))
        #expect(desk.type("saveall\r") == "saveall\nsaved: it stays over a reboot\n" + Self.root)
        desk.type("exit\r")
        #expect(desk.isClosed)
        #expect(
            desk.commands == [
                ":connection appconfig application=SIP SIP_ALG=disabled", ":connection appinfo SIP", ":nat bindlist", ":saveall",
            ])
    }

    @Test("two sessions stand where each of them went")
    func apart() {
        var one = Desk()
        var other = Desk()
        one.type("connection\r")
        #expect(other.type("\r") == "\n" + Self.root)
        #expect(one.type("\r") == "\n" + Self.inside)
    }

    @Test("telnet: it offers ECHO and SUPPRESS-GO-AHEAD, refuses the rest, and answers changes only (RFC 854, 857, 858, 1143)")
    func negotiation() {
        var desk = Desk(telnet: true)
        #expect(desk.shown.starts(with: [255, 251, 1, 255, 251, 3]))
        #expect(desk.type([255, 253, 1, 255, 253, 3]) == [])
        #expect(desk.type([255, 251, 3]) == [255, 253, 3])
        #expect(desk.type([255, 251, 3]) == [])
        #expect(desk.type([255, 251, 31, 255, 253, 5]) == [255, 254, 31, 255, 252, 5])
        #expect(desk.type([255, 250, 24, 0, 120, 255, 255, 255, 240]) == [])
        #expect(desk.type([255, 246]) == Array("\r\n[yes]\r\n".utf8))
        #expect(desk.type([0x61, 255, 247]).last == 0x4b)
        #expect(desk.type([255, 254, 1]) == [255, 252, 1])
        #expect(desk.type("ip") == "")
        #expect(desk.type([255, 254, 1]) == [])
    }

    @Test("telnet: the line ends CR LF and CR NUL are one line end each")
    func lineEnds() {
        var desk = Desk(telnet: true)
        #expect(desk.type("ip\r\0\r\n\n") == "ip\n\r{Administrator}[ip]=>\n\r{Administrator}[ip]=>\n\r{Administrator}[ip]=>")
    }

    @Test("login: the prompts, a password that is not shown, a banner that names the product")
    func login() {
        var desk = Desk(login: Self.login)
        #expect(Desk.text(desk.shown) == "\rUsername : ")
        #expect(desk.type("Administrator\r") == "Administrator\nPassword : ")
        #expect(desk.type("secretx\u{7f}") == "")
        let banner = desk.type("\r")
        #expect(banner.contains("SpeedTouch 780") && banner.hasSuffix(Self.root))
        #expect(desk.traces == [.loggedIn])
        // Nothing of the login is in the history.
        #expect(desk.type("\u{1b}[A") == "\u{7}")
    }

    @Test("a wrong password is counted and the next guess waits, twice as long each time; three end the session")
    func guesses() {
        var desk = Desk(login: Self.login)
        #expect(desk.type("Administrator\rguess\r") == "Administrator\nPassword : \nInvalid login.\n")
        // What is typed meanwhile waits.
        #expect(desk.type("Administrator\rguess\r") == "")
        #expect(desk.wait(1) == "\rUsername : Administrator\nPassword : \nInvalid login.\n")
        #expect(desk.wait(1) == "")
        #expect(desk.wait(1) == "\rUsername : ")
        desk.type("Administrator\rguess\r")
        #expect(desk.isClosed)
        #expect(
            desk.traces == [
                .wrongPassword(inRow: 1), .wrongPassword(inRow: 2), .wrongPassword(inRow: 3), .closed(.tooManyGuesses),
            ])
    }

    @Test("who connects anew waits for the guesses of the session before, until a right one or a quarter of an hour")
    func throttle() {
        var throttle = LoginThrottle()
        let start = Instant(seconds: 5)
        for _ in 0..<5 { throttle.note(.wrongPassword(inRow: 1), at: start) }
        #expect(throttle.wrong(at: start + .seconds(899)) == 5)
        #expect(throttle.wrong(at: start + .seconds(900)) == 0)
        var desk = Desk(login: Self.login, wrongBefore: 5)
        #expect(desk.shown.isEmpty)
        #expect(desk.wait(15) == "")
        #expect(desk.wait(1) == "\rUsername : ")
        throttle.note(.loggedIn, at: start)
        #expect(throttle.wrong(at: start) == 0 && throttle.wrongInAll == 5)
    }

    @Test(
        "editing keys leave the line that was meant",
        arguments: [
            ("iq\u{8}p", "ip"), ("p\u{1}i", "ip"), ("ip x\u{17}", "ip "), ("junk\u{15}ip", "ip"),
            ("ipjunk\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{b}", "ip"),
            ("p\u{1b}[Hi\u{1b}[F", "ip"), ("ixp\u{1b}[D\u{1b}[D\u{1b}[3~", "ip"), ("xip\u{1b}OH\u{4}", "ip"),
            ("i\u{2}\u{6}p", "ip"),
            ("i\u{1b}[99;99;99;99;99;99Zp", "ip"), ("ip\u{e9}", "ip"),
        ])
    func editing(keys: String, line: String) {
        var desk = Desk()
        desk.type("dhcp\r")
        desk.type(keys + "\r")
        #expect(desk.commands == [":dhcp " + line.trimmed])
    }

    @Test("arrows go through the history, which keeps the typed line, drops repeats and is bounded at fifty")
    func history() {
        var desk = Desk()
        desk.type("dhcp\r")
        for number in 0..<60 { desk.type("c\(number)\rc\(number)\r") }
        desk.commands = []
        desk.type("half\u{1b}[A\u{1b}[A\u{1b}[B\u{1b}[B done\r")
        for _ in 0..<80 { desk.type("\u{1b}[A") }
        desk.type("\r")
        #expect(desk.commands == [":dhcp half done", ":dhcp c11"])
    }

    @Test("Tab completes groups, commands, names of arguments and their values; where several fit it lists them")
    func completion() {
        var desk = Desk()
        desk.type("conn\tappc\tapplication=si\tSIP_\t")
        #expect(desk.type("dis\t\r").contains("disabled"))
        #expect(desk.commands == [":connection appconfig application=SIP SIP_ALG=disabled"])
        #expect(
            desk.type("connection bi\t\t")
                == "connection bi\r{Administrator}=>connection bind\nbind      bindlist\n\r{Administrator}=>connection bind")
        #expect(desk.type("\u{15}zz\t").hasSuffix("\u{7}"))
    }

    @Test("a question mark says what can stand there and leaves the line as it is")
    func question() {
        var desk = Desk()
        let text = desk.type("nat mapdelete ?")
        #expect(text.contains("mapdelete protocol=udp|tcp outside_port=PORT\n") && text.hasSuffix("=>nat mapdelete "))
        #expect(desk.type("\u{15}?").contains("connection  dhcp"))
        #expect(desk.commands.isEmpty)
    }

    @Test("Ctrl-C gives a new line, Ctrl-D on an empty one leaves")
    func leaving() {
        var desk = Desk()
        #expect(desk.type("junk\u{3}") == "junk^C\n" + Self.root)
        #expect(!desk.isClosed)
        desk.type("\u{4}")
        #expect(desk.isClosed && desk.traces == [.closed(.left)])
        #expect(desk.type("ip\r") == "")
    }

    @Test("a long line scrolls sideways and ends at a thousand characters, each further one a bell")
    func longLine() {
        var desk = Desk()
        let shown = desk.type(String(repeating: "a", count: 1_001))
        #expect(shown.hasSuffix("\u{7}"))
        #expect(desk.type("\u{1b}[D").hasPrefix(Self.root))
        for line in shown.split(separator: "\r").dropFirst() { #expect(line.count <= 81) }
        desk.type("\r")
        #expect(desk.commands == [":" + String(repeating: "a", count: 1_000)])
    }

    @Test("what is typed while the router is at it waits, up to a bound")
    func ahead() {
        var desk = Desk()
        desk.answers = false
        desk.type("ip iplist\rip rtlist\r" + String(repeating: "x", count: 10_000))
        #expect(desk.commands == [":ip iplist"])
        desk.session.receive(.reply("lan\n{Administrator}[nat]=>"), at: desk.now)
        desk.collect()
        #expect(desk.commands == [":ip iplist", ":ip rtlist"])
        #expect(Desk.text(desk.shown).hasSuffix("lan\n" + Self.root + "ip rtlist\n"))
    }

    @Test("silence ends a session after ten minutes")
    func idle() {
        var desk = Desk(telnet: true)
        #expect(desk.session.nextDeadline == desk.now + .seconds(600))
        #expect(desk.wait(599) == "" && !desk.isClosed)
        desk.type("i")
        #expect(desk.wait(599) == "" && !desk.isClosed)
        #expect(desk.wait(1).contains("Nobody typed for 600 s") && desk.isClosed)
        #expect(desk.session.nextDeadline == nil)
    }

    @Test("any bytes at all leave a session that still answers or has closed", arguments: 0..<50 as Range<UInt64>)
    func hostile(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        var desk = Desk(telnet: true)
        for _ in 0..<20 { _ = desk.type((0..<200).map { _ in UInt8.random(in: 0...255, using: &entropy) }) }
        // Out of whatever sequence it may be in.
        _ = desk.type([255, 240, 255, 240, 0x7e, 0x7e, 3])
        #expect(desk.isClosed || desk.type("\u{15}\r").contains("{Administrator}"))
    }
}

extension String {
    fileprivate var trimmed: String { split(separator: " ").joined(separator: " ") }
}
