/// The Network Virtual Terminal's end at a server (RFC 854): takes commands out of what comes, and answers what they ask.
///
/// It offers to echo (RFC 857) and to suppress go-aheads (RFC 858), takes the peer's offer of the latter, and refuses everything else.
/// It answers changes only, so that two of its kind never answer each other for ever (RFC 1143).
struct TelnetStream: Sendable {
    private enum State: Sendable {
        case data, command
        case option(UInt8)
        case subnegotiation, subnegotiationCommand
    }

    private enum Code {
        static let end: UInt8 = 240
        static let breakKey: UInt8 = 243
        static let interrupt: UInt8 = 244
        static let areYouThere: UInt8 = 246
        static let eraseCharacter: UInt8 = 247
        static let eraseLine: UInt8 = 248
        static let subnegotiation: UInt8 = 250
        static let will: UInt8 = 251
        static let wont: UInt8 = 252
        static let `do`: UInt8 = 253
        static let dont: UInt8 = 254
        static let command: UInt8 = 255
    }

    private static let echo: UInt8 = 1
    private static let suppressGoAhead: UInt8 = 3

    private var state: State = .data
    /// Options that this end has on; it offers both at once.
    private var own: Set<UInt8> = [echo, suppressGoAhead]
    /// Options that the peer has on.
    private var theirs: Set<UInt8> = []
    /// What to send: answers.
    private(set) var answers: [UInt8] = [Code.command, Code.will, echo, Code.command, Code.will, suppressGoAhead]

    /// Whether this end shows what is typed: the peer may have asked it not to.
    var echoes: Bool { own.contains(Self.echo) }

    mutating func takeAnswers() -> [UInt8] {
        defer { answers = [] }
        return answers
    }

    /// A byte of the user's, or nil for one that was a part of a command.
    mutating func read(_ byte: UInt8) -> UInt8? {
        switch state {
        case .data:
            guard byte == Code.command else { return byte }
            state = .command
            return nil
        case .command:
            state = .data
            return command(byte)
        case .option(let verb):
            state = .data
            answer(verb, byte)
            return nil
        case .subnegotiation:
            if byte == Code.command { state = .subnegotiationCommand }
            return nil
        case .subnegotiationCommand:
            state = byte == Code.end ? .data : .subnegotiation
            return nil
        }
    }

    private mutating func command(_ byte: UInt8) -> UInt8? {
        switch byte {
        case Code.command: return byte
        case Code.will, Code.wont, Code.do, Code.dont: state = .option(byte)
        case Code.subnegotiation: state = .subnegotiation
        case Code.interrupt, Code.breakKey: return 0x03
        case Code.eraseCharacter: return 0x7f
        case Code.eraseLine: return 0x15
        case Code.areYouThere: answers += "\r\n[yes]\r\n".utf8
        default: break
        }
        return nil
    }

    private mutating func answer(_ verb: UInt8, _ option: UInt8) {
        switch verb {
        case Code.do:
            if !own.contains(option) { answers += [Code.command, Code.wont, option] }
        case Code.dont:
            if own.remove(option) != nil { answers += [Code.command, Code.wont, option] }
        case Code.will:
            if option == Self.suppressGoAhead {
                if theirs.insert(option).inserted { answers += [Code.command, Code.do, option] }
            } else {
                answers += [Code.command, Code.dont, option]
            }
        default:
            if theirs.remove(option) != nil { answers += [Code.command, Code.dont, option] }
        }
    }
}
