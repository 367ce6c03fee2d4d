public import Base

/// One user at the router's command line, over telnet (RFC 854) or a local socket: bytes of a terminal in and out, lines to the router and
/// its answers.
///
/// Feed `.command` to the router as `RouterInput.command`, and its `.text` back as `.reply`; one is on its way at a time. Lines are sent
/// so that they mean the same wherever another session stands: the group is this session's own. What is typed meanwhile waits.
public struct RouterSession: Machine {
    public struct Settings: Hashable, Sendable {
        /// Named by the banner.
        public var product: String
        /// Whether telnet's commands are in the bytes.
        public var isTelnet: Bool
        /// nil: whoever connects is let in.
        public var login: RouterLogin?
        /// Silence after which it ends; nil: never.
        public var idle: Duration? = .seconds(600)
        /// Wrong passwords after which it ends.
        public var guesses = 3
        /// Columns of the terminal.
        public var width = 80

        public init(product: String, isTelnet: Bool = false, login: RouterLogin? = nil) {
            self.product = product
            self.isTelnet = isTelnet
            self.login = login
        }
    }

    public enum Input: Hashable, Sendable {
        case bytes([UInt8])
        /// The router's answer to the command.
        case reply(String)
        /// The other end has gone.
        case closed
    }

    public enum Output: Hashable, Sendable {
        case bytes([UInt8])
        /// A line for the router.
        case command(String)
        /// Close the connection, once the bytes before are out.
        case close
    }

    public enum Trace: Hashable, Sendable {
        case loggedIn
        /// `inRow`: with those of sessions before.
        case wrongPassword(inRow: Int)
        case closed(End)
    }

    public enum End: Hashable, Sendable { case left, hungUp, idle, tooManyGuesses }

    enum State: Hashable, Sendable {
        /// A guess may come only then.
        case throttled(until: Instant)
        case user
        case password(user: String)
        case line
        /// The router is at it.
        case running
        case closed
    }

    /// Bytes typed ahead that wait; more are thrown away.
    static let aheadCap = 4096

    let settings: Settings
    private(set) var state: State
    private(set) var group: RouterCommandLine.Group?
    private var telnet = TelnetStream()
    private var keys = KeyReader()
    private var editor = LineEditor()
    private var ahead: [UInt8] = []
    private var guesses = 0
    private var wrongBefore: Int
    private var lastInput: Instant
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<Trace>()

    /// Begins with banner and prompt. `wrongBefore`: what `LoginThrottle.wrong(at:)` says.
    public init(_ settings: Settings, wrongBefore: Int = 0, at now: Instant) {
        self.settings = settings
        self.wrongBefore = wrongBefore
        lastInput = now
        state = .line
        editor.width = settings.width
        if settings.isTelnet { outputs.append(.bytes(telnet.takeAnswers())) }
        if settings.login == nil { say(RouterBanner.text(settings.product)) }
        settings.login == nil ? showPrompt() : askUser(now)
    }

    // MARK: Machine

    public var nextDeadline: Instant? {
        switch state {
        case .throttled(let until): settings.idle.map { min(until, lastInput + $0) } ?? until
        case .user, .password, .line: settings.idle.map { lastInput + $0 }
        case .running, .closed: nil
        }
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        guard state != .closed else { return }
        switch input {
        case .bytes(let bytes):
            lastInput = now
            takeBytes(bytes)
        case .reply(let text):
            guard state == .running else { return }
            lastInput = now
            say(Self.withoutPrompt(text))
            showPrompt()
        case .closed: close(.hungUp, says: "")
        }
        takeKeys(now)
    }

    public mutating func advance(to now: Instant) {
        if case .throttled(let until) = state, now >= until { showUser() }
        if let deadline = nextDeadline, let idle = settings.idle, now >= deadline, now - lastInput >= idle {
            close(.idle, says: "\nNobody typed for \(idle.wholeSeconds) s: closed.\n")
        }
        takeKeys(now)
    }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> Trace? { traces.next() }

    // MARK: Keys

    private mutating func takeBytes(_ bytes: [UInt8]) {
        guard settings.isTelnet else { return keep(bytes) }
        keep(bytes.compactMap { telnet.read($0) })
        let answers = telnet.takeAnswers()
        if !answers.isEmpty { outputs.append(.bytes(answers)) }
    }

    private mutating func keep(_ bytes: [UInt8]) { ahead += bytes.prefix(Self.aheadCap - ahead.count) }

    private mutating func takeKeys(_ now: Instant) {
        var at = 0
        var shown: [UInt8] = []
        while at < ahead.count, takesKeys {
            guard let key = keys.read(ahead[at]) else {
                at += 1
                continue
            }
            at += 1
            var out: [UInt8] = []
            let event = editor.take(key, &out)
            if telnet.echoes || event != nil { shown += out }
            guard let event else { continue }
            send(&shown)
            ahead.removeFirst(at)
            at = 0
            react(to: event, now)
        }
        ahead.removeFirst(at)
        send(&shown)
    }

    private var takesKeys: Bool {
        switch state {
        case .user, .password, .line: true
        case .throttled, .running, .closed: false
        }
    }

    private mutating func send(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        outputs.append(.bytes(bytes))
        bytes = []
    }

    private mutating func react(to event: LineEditor.Event, _ now: Instant) {
        switch (event, state) {
        case (.line(let text), .user): askPassword(text)
        case (.line(let text), .password(let user)): check(user, text, now)
        case (.line(let text), _): enter(text)
        case (.interrupt, .line): showPrompt()
        case (.interrupt, _): showUser()
        case (.end, _): close(.left, says: "\n")
        case (.complete, .line): complete()
        case (.help, .line): help()
        // A name may hold a question mark, but no tab.
        case (.help, _):
            var out: [UInt8] = []
            editor.insert([0x3f], &out)
            send(&out)
        case (.complete, _): break
        }
    }

    // MARK: Login

    private mutating func askUser(_ now: Instant) {
        let delay = LoginThrottle.delay(after: wrongBefore)
        if delay > .zero { state = .throttled(until: now + delay) } else { showUser() }
    }

    private mutating func showUser() {
        editor.clear()
        editor.isSecret = false
        editor.prompt = "Username : "
        state = .user
        drawLine()
    }

    private mutating func askPassword(_ user: String) {
        state = .password(user: user)
        editor.isSecret = true
        editor.prompt = ""
        say("Password : ")
    }

    private mutating func check(_ user: String, _ password: String, _ now: Instant) {
        editor.forgetHistory()
        if let login = settings.login, login.admits(user, password) {
            wrongBefore = 0
            traces.note(.loggedIn)
            editor.isSecret = false
            say(RouterBanner.text(settings.product))
            showPrompt()
            return
        }
        guesses += 1
        wrongBefore += 1
        traces.note(.wrongPassword(inRow: wrongBefore))
        guard guesses < settings.guesses else {
            return close(.tooManyGuesses, says: "Invalid login, \(guesses) times: closed.\n")
        }
        say("Invalid login.\n")
        askUser(now)
    }

    // MARK: Lines

    private mutating func enter(_ text: String) {
        switch RouterSessionLine(text, in: group) {
        case .nothing: showPrompt()
        case .leave: close(.left, says: "")
        case .enter(let entered):
            group = entered
            showPrompt()
        case .command(let line):
            state = .running
            outputs.append(.command(line))
        }
    }

    private mutating func complete() {
        let completion = RouterCompletion(editor.textBeforeCursor, in: group)
        var out: [UInt8] = []
        let common = completion.common
        if common.count > completion.typed.count || completion.candidates.count == 1 {
            editor.dropBeforeCursor(completion.typed.utf8.count)
            editor.insert(Array(common.utf8), &out)
            out = []
            editor.draw(&out)
        } else if completion.candidates.isEmpty {
            out.append(0x07)
        } else {
            out += "\r\n".utf8
            out += RouterBanner.columns(completion.candidates, settings.width).replacing("\n", with: "\r\n").utf8
            editor.draw(&out)
        }
        send(&out)
    }

    private mutating func help() {
        let completion = RouterCompletion(editor.textBeforeCursor, in: group)
        var text = completion.form.map { RouterCommandHelp.of($0) } ?? ""
        if text.isEmpty || !completion.typed.isEmpty { text += RouterBanner.columns(completion.candidates, settings.width) }
        say("\n" + (text.isEmpty ? "nothing is known to stand there\n" : text))
        drawLine()
    }

    // MARK: Showing

    private mutating func showPrompt() {
        state = .line
        editor.clear()
        editor.isSecret = false
        editor.prompt = RouterCommandLine.prompt(group)
        drawLine()
    }

    private mutating func drawLine() {
        var out: [UInt8] = []
        editor.draw(&out)
        send(&out)
    }

    private mutating func say(_ text: String) {
        guard !text.isEmpty else { return }
        outputs.append(.bytes(Array(text.replacing("\n", with: "\r\n").utf8)))
    }

    /// The router's answer without the prompt, which is another session's.
    private static func withoutPrompt(_ text: String) -> String {
        guard let end = text.lastIndex(of: "\n") else { return text.hasPrefix("{Administrator}") ? "" : text + "\n" }
        return text[text.index(after: end)...].hasPrefix("{Administrator}") ? String(text[...end]) : text
    }

    private mutating func close(_ end: End, says text: String) {
        say(text)
        state = .closed
        ahead = []
        traces.note(.closed(end))
        if end != .hungUp { outputs.append(.close) }
    }
}
