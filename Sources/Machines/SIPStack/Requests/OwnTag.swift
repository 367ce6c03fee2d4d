import Base
import SIP

// Tags of ours are numbers that nobody outside can guess, as 16 hexadecimal digits.

extension SIPText {
    package init(tag: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(hex: tag, digits: 16)
        self.init(bytes)
    }

    /// The number a tag of ours is; nil for one that is none.
    package var tagNumber: UInt64? {
        guard count == 16 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard let digit = hexDigit(byte) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}
