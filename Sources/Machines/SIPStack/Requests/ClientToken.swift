import Base
import SIP

/// The branch of a request we send: what it is for, whom it went to, and a number nobody outside can guess.
///
/// `z9hG4bK`, a letter, the place in eight hexadecimal digits, the number in eight: so that a keepalive's answer is found without a
/// transaction being kept.
package struct ClientToken: Hashable, Sendable {
    package enum Purpose: UInt8, Sendable {
        case keepalive = 0x6b  // k
        case probe = 0x70  // p
        case call = 0x63  // c
        case subscription = 0x73  // s
    }

    package var purpose: Purpose
    package var place: UInt32
    package var number: UInt32

    private static let cookie: StaticString = "z9hG4bK"

    package init(_ purpose: Purpose, place: UInt32, number: UInt32) {
        self.purpose = purpose
        self.place = place
        self.number = number
    }

    package init?(branch: SIPText) {
        guard branch.count == 24, branch.part(0..<7).equalsCaseless(literal: "z9hG4bK"),
            let purpose = branch[7].flatMap(Purpose.init(rawValue:))
        else { return nil }
        func number(_ start: Int) -> UInt32? {
            var value: UInt32 = 0
            for index in start..<(start + 8) {
                guard let digit = branch[index].flatMap(hexDigit) else { return nil }
                value = value << 4 | UInt32(digit)
            }
            return value
        }
        guard let place = number(8), let random = number(16) else { return nil }
        self.init(purpose, place: place, number: random)
    }

    package func appendBranch(to bytes: inout [UInt8]) {
        bytes.append(static: Self.cookie)
        appendCore(to: &bytes)
    }

    /// Without the cookie: for tags and Call-IDs.
    package func appendCore(to bytes: inout [UInt8]) {
        bytes.append(purpose.rawValue)
        bytes.append(hex: UInt64(place), digits: 8)
        bytes.append(hex: UInt64(number), digits: 8)
    }
}

/// Names for the requests of one who asks.
package struct ClientTokens: Sendable {
    private let purpose: ClientToken.Purpose
    private var last: UInt32 = 0
    private var entropy: Entropy

    package init(_ purpose: ClientToken.Purpose, entropy: Entropy) {
        self.purpose = purpose
        self.entropy = entropy
    }

    package mutating func next() -> ClientToken {
        last &+= 1
        return ClientToken(purpose, place: last, number: UInt32(truncatingIfNeeded: entropy.next()))
    }
}
