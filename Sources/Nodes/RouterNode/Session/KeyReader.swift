/// Bytes of a terminal as keys (ECMA-48 and what VT100s and xterms send). Sequences that it does not know are nothing; of long ones it
/// keeps sixteen bytes.
struct KeyReader: Sendable {
    private enum State: Sendable {
        case plain
        /// The carriage return is done with; the line feed or NUL after it belongs to it.
        case afterReturn
        case escape
        /// After `ESC O`.
        case single
        /// After `ESC [`.
        case sequence([UInt8])
    }

    private var state: State = .plain

    mutating func read(_ byte: UInt8) -> LineEditor.Key? {
        switch state {
        case .plain: return plain(byte)
        case .afterReturn:
            state = .plain
            return byte == 0x0a || byte == 0x00 ? nil : plain(byte)
        case .escape:
            switch byte {
            case 0x5b: state = .sequence([])
            case 0x4f: state = .single
            case 0x1b: state = .escape
            default: state = .plain
            }
            return nil
        case .single:
            state = .plain
            return Self.letter(byte)
        case .sequence(let parameters):
            if (0x40...0x7e).contains(byte) {
                state = .plain
                return byte == 0x7e ? Self.number(parameters) : Self.letter(byte)
            }
            guard (0x20...0x3f).contains(byte) else {
                state = .plain
                return plain(byte)
            }
            if parameters.count < 16 { state = .sequence(parameters + [byte]) }
            return nil
        }
    }

    private mutating func plain(_ byte: UInt8) -> LineEditor.Key? {
        switch byte {
        case 0x0d:
            state = .afterReturn
            return .enter
        case 0x0a: return .enter
        case 0x08, 0x7f: return .backspace
        case 0x09: return .tab
        case 0x1b:
            state = .escape
            return nil
        case 0x00: return nil
        case 0x01..<0x20: return .control(byte)
        case 0x20...0x7e: return .text(byte)
        // The line knows ASCII.
        default: return .control(0)
        }
    }

    private static func letter(_ byte: UInt8) -> LineEditor.Key? {
        switch byte {
        case 0x41: .up
        case 0x42: .down
        case 0x43: .right
        case 0x44: .left
        case 0x46: .end
        case 0x48: .home
        default: nil
        }
    }

    /// `ESC [ number ~`.
    private static func number(_ parameters: [UInt8]) -> LineEditor.Key? {
        switch parameters.first {
        case 0x31, 0x37: .home
        case 0x33: .delete
        case 0x34, 0x38: .end
        default: nil
        }
    }
}
